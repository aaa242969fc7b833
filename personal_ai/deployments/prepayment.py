"""What a deployment is paid with: all of it must lie on its identity's account before the first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from personal_ai.common.errors import UserFacingError
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal

# Gives somebody cycles where the network has a faucet instead of money.
Faucet = Callable[[Principal, int], None]


class NotFundedError(UserFacingError):
    """Too little is on the account for a deployment. Amounts in cycles."""

    def __init__(self, owner: Principal, needs: Needs) -> None:
        super().__init__(
            f"This deployment takes {needs.cycles:,} cycles, and {needs.available:,} are on its account.",
            not_lost="Nothing was paid, and no step was taken.",
            next_step=f"Send {needs.lacking:,} cycles to {owner}, or ICP to {AccountIdentifier.of(owner)} and convert "
            "them; then go on with the deployment.",
        )
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Needs:
    """cycles: what the canister is to get and the ledger's fee. available: what lies on the account."""

    cycles: int
    available: int

    @property
    def lacking(self) -> int:
        return max(self.cycles - self.available, 0)


def needs(agent: Agent, total_cycles: int) -> Needs:
    """What a plan's total takes, the ledger's fee included, and what the agent's identity has."""
    ledger = CyclesLedger(agent)
    return Needs(total_cycles + ledger.fee(), ledger.balance(agent.identity.principal))


def provide(agent: Agent, total_cycles: int, faucet: Faucet | None) -> None:
    """Makes sure that the plan's total, prepayments included, is there. Raises NotFundedError."""
    found = needs(agent, total_cycles)
    if not found.lacking:
        return
    if faucet is None:
        raise NotFundedError(agent.identity.principal, found)
    faucet(agent.identity.principal, found.lacking)
