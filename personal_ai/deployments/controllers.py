"""Who controls a canister: shown to everybody by the network, changed by those who do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from personal_ai.common.errors import BadInputError, FormatError, SecurityError
from personal_ai.ic import cbor
from personal_ai.ic.agent import Agent
from personal_ai.ic.management import CanisterSettings, Management
from personal_ai.ic.principal import Principal
from personal_ai.identities.vault import IdentityRecord

MAX_CONTROLLERS = 10  # of the interface specification


@dataclass(frozen=True, slots=True)
class Controller:
    """One of a canister's controllers; `identity` is the vault's record where it is one's own."""

    principal: Principal
    identity: IdentityRecord | None


def read(agent: Agent, canister_id: Principal) -> frozenset[Principal]:
    """The certified controllers. Costs nothing. Raises NetworkError, SecurityError."""
    path = (b"canister", canister_id.bytes, b"controllers")
    value = agent.read_state(canister_id, [path]).value(path)
    if value is None:
        raise BadInputError(f"There is no canister {canister_id} on this network.")
    try:
        listed = cbor.decode(value)
        if not isinstance(listed, list):
            raise FormatError("The controllers are no list.")
        return frozenset(Principal(one) for one in listed if isinstance(one, bytes))
    except FormatError as error:
        raise SecurityError("The network's list of the canister's controllers is malformed.") from error


def known(controllers: Collection[Principal], identities: Collection[IdentityRecord]) -> tuple[Controller, ...]:
    """The controllers with those identities that are one's own, which come first."""
    own = {record.principal: record for record in identities}
    found = [Controller(principal, own.get(principal)) for principal in controllers]
    return tuple(sorted(found, key=lambda one: (one.identity is None, str(one.principal))))


def worry(controllers: Collection[Controller]) -> str | None:
    """What its owner should be told about who controls the canister; None where all is well."""
    if not any(one.identity is not None for one in controllers):
        return "None of your identities controls this canister: you cannot change it."
    if len(controllers) > 1:
        return None
    [only] = controllers
    if only.identity is None or only.identity.restorable:
        return None
    return (
        f"Only {only.identity.label} controls this canister, and it has no confirmed backup: with this computer the "
        "canister would be lost. Verify your recovery phrase, or add a backup controller."
    )


def add(agent: Agent, canister_id: Principal, added: Principal) -> frozenset[Principal]:
    """Gives another principal all power over the canister; gives the certified controllers after it.

    Raises BadInputError where there is no room, RejectedError where the agent's identity does not control it.
    """
    present = read(agent, canister_id)
    if added in present:
        return present
    if len(present) >= MAX_CONTROLLERS:
        raise BadInputError(f"A canister has at most {MAX_CONTROLLERS} controllers.", next_step="Remove one first.")
    return _set(agent, canister_id, present | {added})


def remove(agent: Agent, canister_id: Principal, removed: Principal) -> frozenset[Principal]:
    """Takes a controller's power away; never that of the one who asks. Raises BadInputError, RejectedError."""
    present = read(agent, canister_id)
    if removed == agent.identity.principal:
        raise BadInputError(
            "An identity does not remove itself: the canister could be lost by a slip.",
            not_lost="Nothing was changed.",
            next_step="Let another controller remove it.",
        )
    if removed not in present:
        raise BadInputError(f"{removed} does not control this canister.", not_lost="Nothing was changed.")
    return _set(agent, canister_id, present - {removed})


def prove(agent: Agent, canister_id: Principal) -> None:
    """Asks, as the agent's identity, what only a controller is told. Raises RejectedError where it is none."""
    Management(agent).canister_status(canister_id)


def _set(agent: Agent, canister_id: Principal, wanted: frozenset[Principal]) -> frozenset[Principal]:
    Management(agent).update_settings(canister_id, CanisterSettings(controllers=tuple(sorted(wanted, key=str))))
    found = read(agent, canister_id)
    if found != wanted:
        raise SecurityError(
            "The network shows other controllers than those that were set.", next_step="Look at who controls it."
        )
    return found
