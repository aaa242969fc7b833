"""The cycles ledger: balances, canisters made from cycles, and cycles sent to canisters.

Every payment carries the caller's `created_at_time_ns`: within 24 hours a repeat with the same one is answered with
the first result, so a retry never pays twice. Keep it on disk before the first attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.common.jobs import Cancel
from personal_ai.ic import candid
from personal_ai.ic import ledger_types as types
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Nat, Record, Variant, Vec
from personal_ai.ic.ledger_entries import LedgerEntry, from_icrc3
from personal_ai.ic.ledger_refusals import InsufficientFundsError, LedgerError, LedgerWindowError, refusal
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal

# As much of icrc3_get_blocks' answer as is read: archives are called by nobody here.
BLOCKS_AS_READ = Record({"log_length": Nat, "blocks": Vec(Record({"id": Nat, "block": types.VALUE}))})
_BLOCKS_AT_ONCE = 100

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
        self,
        amount: int,
        *,
        created_at_time_ns: int,
        controllers: Sequence[Principal],
        freezing_threshold_s: int | None = None,
        subnet: Principal | None = None,
    ) -> CreatedCanister:
        """A new canister holding `amount` less the network's creation fee; a repeat gives the same canister again."""
        creation = {
            "settings": {"controllers": list(controllers), "freezing_threshold": freezing_threshold_s},
            "subnet_selection": None if subnet is None else ("Subnet", {"subnet": subnet}),
        }
        fields = {"amount": amount, "created_at_time": created_at_time_ns, "creation_args": creation}
        match self._call("create_canister", types.CREATE_CANISTER_ARGS, types.CREATE_CANISTER_RESULT, fields):
            case ("Ok", {"canister_id": canister_id, "block_id": block}):
                return CreatedCanister(canister_id, block)
            case ("Err", ("Duplicate", {"canister_id": Principal() as canister_id, "duplicate_of": block})):
                return CreatedCanister(canister_id, block)
            case (_, error):
                raise refusal("cycles ledger", error, _show)

    def length(self) -> int:
        """How many blocks the ledger has."""
        return int(self._blocks(0, 0)["log_length"])

    def entries(self, start: int, count: int) -> list[LedgerEntry]:
        """Blocks from index `start`, in order; fewer than `count` where the ledger gives no more at once.

        Raises FormatError where the ledger leaves out what was asked for.
        """
        found = self._blocks(start, count)
        entries = [from_icrc3(one["id"], one["block"]) for one in found["blocks"]]
        if [entry.index for entry in entries] != list(range(start, start + len(entries))) or len(entries) > count:
            raise FormatError("The cycles ledger gave other blocks than those that were asked for.")
        if not entries and start < found["log_length"] and count:
            raise FormatError("The cycles ledger does not show all of its blocks.")
        return entries

    def find(self, sender: Principal, amount: int, created_at_time_ns: int, cancel: Cancel) -> LedgerEntry | None:
        """The block of a payment that may have been made, None where the ledger has not taken it.

        Halves the way to the first block that may hold it, then reads on to the last that may. Raises NetworkError,
        FormatError, Cancelled.
        """
        low, high = 0, self.length()
        earliest_ns = created_at_time_ns - types.PERMITTED_DRIFT_NS
        while low < high:
            cancel.raise_if_cancelled()
            middle = (low + high) // 2
            (entry,) = self.entries(middle, 1)
            low, high = (middle + 1, high) if entry.time_ns < earliest_ns else (low, middle)
        latest_ns = created_at_time_ns + types.DEDUPLICATION_WINDOW_NS + types.PERMITTED_DRIFT_NS
        wanted = (str(sender), created_at_time_ns, amount)
        while entries := self.entries(low, _BLOCKS_AT_ONCE):
            cancel.raise_if_cancelled()
            for entry in entries:
                if (entry.sender, entry.created_at_ns, entry.amount) == wanted:
                    return entry
            if entries[-1].time_ns > latest_ns:
                break
            low = entries[-1].index + 1
        return None

    def came_back(self, receiver: Principal, amount: int, block_index: int, memo: bytes) -> bool:
        """Whether `amount`, less the fee, was given back soon after a block, with the memo that says what failed."""
        given_back = ("mint", amount - self.fee(), str(receiver), memo)
        return any(
            (entry.operation, entry.amount, entry.receiver, entry.memo) == given_back
            for entry in self.entries(block_index + 1, _BLOCKS_AT_ONCE)
        )

    def _blocks(self, start: int, count: int) -> dict[str, Any]:
        arg = candid.encode([Vec(types.BLOCK_RANGE)], [[{"start": start, "length": count}]])
        blocks: dict[str, Any] = candid.decode([BLOCKS_AS_READ], self._agent.query(self._id, "icrc3_get_blocks", arg))[
            0
        ]
        return blocks

    def _pay(self, method: str, args: candid.Type, result: Variant, fields: dict[str, Any]) -> int:
        match self._call(method, args, result, fields):
            case ("Ok", int(block)):
                return block
            case ("Err", ("Duplicate", {"duplicate_of": int(block)})):
                return block
            case (_, error):
                raise refusal("cycles ledger", error, _show)

    def _call(self, method: str, args: candid.Type, result: Variant, fields: dict[str, Any]) -> tuple[str, Any]:
        reply = self._agent.update(self._id, method, candid.encode([args], [fields]))
        answer: tuple[str, Any] = candid.decode([result], reply)[0]
        return answer

    def _query_nat(self, method: str, arg: bytes) -> int:
        value: int = candid.decode([Nat], self._agent.query(self._id, method, arg))[0]
        return value


def _show(cycles: int) -> str:
    return f"{cycles:,} cycles"
