"""The cycles ledger: balances, canisters made from cycles, and cycles sent to canisters.

Every payment carries the caller's `created_at_time_ns`: within 24 hours a repeat with the same one is answered with
the first result, so a retry never pays twice. Keep it on disk before the first attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import CanisterRefusedError
from personal_ai.ic import candid
from personal_ai.ic import ledger_types as types
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Nat, Variant
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal
from personal_ai.ic.rejections import printable

__all__ = [
    "CYCLES_LEDGER_ID",
    "CYCLES_MINTING_CANISTER_ID",
    "ICP_LEDGER_ID",
    "CreatedCanister",
    "CyclesLedger",
    "InsufficientFundsError",
    "LedgerError",
    "LedgerWindowError",
]


class LedgerError(CanisterRefusedError):
    """The ledger refused; `variant` is its word for why, `details` what it sent with it."""

    def __init__(self, what: str, *, variant: str, details: Any = None, next_step: str = "") -> None:
        super().__init__(what, variant=variant, next_step=next_step)
        self.details = details


class InsufficientFundsError(LedgerError):
    """Too few cycles on the account: `balance_cycles` are there."""

    @property
    def balance_cycles(self) -> int:
        return int(self.details["balance"])


class LedgerWindowError(LedgerError):
    """The payment's time is outside the ledger's 24 hours (TooOld) or ahead of its clock (CreatedInFuture).

    After TooOld only the ledger's blocks can tell whether an earlier attempt went through.
    """


@dataclass(frozen=True, slots=True)
class CreatedCanister:
    """A canister and the ledger block that paid for it."""

    canister_id: Principal
    block_index: int


class CyclesLedger:
    """The cycles ledger of the agent's network; accounts are the agent's identity's. Amounts are in cycles."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._id = agent.profile.ledgers.cycles

    def fee(self) -> int:
        """What a transfer, a withdrawal or a creation costs on top of its amount."""
        return self._query_nat("icrc1_fee", candid.encode([], []))

    def balance(self, owner: Principal) -> int:
        """The cycles on the default account of `owner`."""
        return self._query_nat("icrc1_balance_of", candid.encode([types.ACCOUNT], [{"owner": owner}]))

    def transfer(self, to: Principal, amount: int, created_at_time_ns: int) -> int:
        """Moves cycles to another principal's default account; gives the block index, that of the first attempt too."""
        fields = {"to": {"owner": to}, "amount": amount, "created_at_time": created_at_time_ns}
        return self._pay("icrc1_transfer", types.TRANSFER_ARGS, types.TRANSFER_RESULT, fields)

    def withdraw(self, to: Principal, amount: int, created_at_time_ns: int) -> int:
        """Tops up the canister `to`; gives the block index, that of the first attempt too."""
        fields = {"to": to, "amount": amount, "created_at_time": created_at_time_ns}
        return self._pay("withdraw", types.WITHDRAW_ARGS, types.WITHDRAW_RESULT, fields)

    def create_canister(
        self, amount: int, *, created_at_time_ns: int, controllers: Sequence[Principal], subnet: Principal | None = None
    ) -> CreatedCanister:
        """A new canister holding `amount` less the network's creation fee; a repeat gives the same canister again."""
        creation = {
            "settings": {"controllers": list(controllers)},
            "subnet_selection": None if subnet is None else ("Subnet", {"subnet": subnet}),
        }
        fields = {"amount": amount, "created_at_time": created_at_time_ns, "creation_args": creation}
        match self._call("create_canister", types.CREATE_CANISTER_ARGS, types.CREATE_CANISTER_RESULT, fields):
            case ("Ok", {"canister_id": canister_id, "block_id": block}):
                return CreatedCanister(canister_id, block)
            case ("Err", ("Duplicate", {"canister_id": Principal() as canister_id, "duplicate_of": block})):
                return CreatedCanister(canister_id, block)
            case (_, error):
                raise _refusal(error)

    def _pay(self, method: str, args: candid.Type, result: Variant, fields: dict[str, Any]) -> int:
        match self._call(method, args, result, fields):
            case ("Ok", int(block)):
                return block
            case ("Err", ("Duplicate", {"duplicate_of": int(block)})):
                return block
            case (_, error):
                raise _refusal(error)

    def _call(self, method: str, args: candid.Type, result: Variant, fields: dict[str, Any]) -> tuple[str, Any]:
        reply = self._agent.update(self._id, method, candid.encode([args], [fields]))
        answer: tuple[str, Any] = candid.decode([result], reply)[0]
        return answer

    def _query_nat(self, method: str, arg: bytes) -> int:
        value: int = candid.decode([Nat], self._agent.query(self._id, method, arg))[0]
        return value


def _refusal(error: tuple[str, Any]) -> LedgerError:
    variant, details = error
    if variant == "InsufficientFunds":
        what = f"There are only {details['balance']:,} cycles on the account."
        return InsufficientFundsError(what, variant=variant, details=details, next_step="Add cycles, then try again.")
    if variant == "TooOld":
        what = "The payment was first tried more than a day ago, and the ledger no longer compares it with that."
        step = "Look at the ledger's blocks before paying again."
        return LedgerWindowError(what, variant=variant, details=details, next_step=step)
    if variant == "CreatedInFuture":
        what = "The payment's time is ahead of the ledger's clock."
        step = "Check the time and date of this computer, then try again."
        return LedgerWindowError(what, variant=variant, details=details, next_step=step)
    said = details.get("message") or details.get("error") or details.get("rejection_reason") if details else None
    what = f"The cycles ledger refused: {variant}." + (f" It said: {printable(said)}" if said else "")
    step = "Try again." if variant == "TemporarilyUnavailable" else ""
    return LedgerError(what, variant=variant, details=details, next_step=step)
