"""What ties two of one's own identities together in public, and where everybody can see it.

Identities of one phrase have nothing in common on chain. A few acts change that for ever; before each of them a front
end asks here, and shows the warning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import Principal

Own = Mapping[Principal, str]  # one's own identities, with their labels

NETWORK_STATE = "the network's public record of who controls a canister"


@dataclass(frozen=True, slots=True)
class LinkWarning:
    """An act that links identities. ledger: what shows it to everybody. instead: how to do without.

    rehearsal: it is done where nothing is public.
    """

    what: str
    ledger: str
    instead: str
    rehearsal: bool = False

    def rehearsed(self) -> LinkWarning:
        """The same act on the practice network."""
        return replace(self, rehearsal=True)

    @property
    def where(self) -> str:
        """A sentence on who sees it."""
        if self.rehearsal:
            return (
                "Here on the practice network nobody else sees it. On a public network it would stand in "
                f"{self.ledger}, for everybody and for ever."
            )
        return f"It stands in {self.ledger}, for everybody and for ever."

    def __str__(self) -> str:
        return f"{self.what} {self.where} {self.instead}"


def transfer(sender: Principal, recipient: Principal | AccountIdentifier, ledger: str, own: Own) -> LinkWarning | None:
    """Before one account pays another. `ledger`: its name, like "the ICP ledger"."""
    for principal, label in own.items():
        owns_it = recipient in (principal, AccountIdentifier.of(principal))
        if owns_it and principal != sender:
            return LinkWarning(
                f"This payment ties {_name(sender, own)} and {label} together.",
                ledger,
                f"Fund {label} from somewhere that does not know {_name(sender, own)}.",
            )
    return None


def add_controller(present: Collection[Principal], added: Principal, own: Own) -> LinkWarning | None:
    """Before a canister with the controllers `present` gets another one."""
    others = [own[principal] for principal in present if principal in own and principal != added]
    if added not in own or added in present or not others:
        return None
    return LinkWarning(
        f"This ties {own[added]} and {' and '.join(others)} together: they control one canister.",
        NETWORK_STATE,
        "Make a fresh identity for it that does nothing else.",
    )


def share(owner: Principal, controlled: Collection[str], own: Own) -> LinkWarning | None:
    """Before an identity gets another canister; `controlled`: the names of those that it controls."""
    if not controlled:
        return None
    names = " and ".join(sorted(controlled))
    return LinkWarning(
        f"This ties the new canister and {names} together: {_name(owner, own)} controls them all.",
        NETWORK_STATE,
        "Give the new canister an identity of its own.",
    )


def fund(
    payer: Principal, canister_owner: Principal, funded_before: Collection[Principal], ledger: str, own: Own
) -> LinkWarning | None:
    """Before an account pays for a canister; `funded_before`: the owners of the canisters that it has paid for."""
    if canister_owner != payer and payer in own and canister_owner in own:
        return LinkWarning(
            f"This ties {own[payer]} and {own[canister_owner]} together: one pays for the other's canister.",
            ledger,
            f"Pay from {own[canister_owner]}'s own account.",
        )
    others = [_name(owner, own) for owner in funded_before if owner != canister_owner]
    if not others:
        return None
    return LinkWarning(
        f"This ties {_name(canister_owner, own)} and {' and '.join(others)} together: one account pays for them.",
        ledger,
        "Pay for each canister from an account of its own.",
    )


def _name(principal: Principal, own: Own) -> str:
    return own.get(principal, str(principal))
