"""The ICP ledger and its index: balances, payments and what happened on an account. Amounts are in e8s.

Every payment carries the caller's `created_at_time_ns`, as on the cycles ledger: keep it on disk before the first
attempt, and a repeat within 24 hours never pays twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import candid
from personal_ai.ic import icp_types as types
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Nat, Nat64, Record
from personal_ai.ic.icp_types import ICP_FEE_E8S, ICP_INDEX_ID
from personal_ai.ic.ledger_entries import LedgerEntry, from_icp_index
from personal_ai.ic.ledger_refusals import refusal
from personal_ai.ic.rejections import printable

E8S_DIGITS = 8
CHAIN_LENGTH = Record({"chain_length": Nat64})


def show_icp(e8s: int) -> str:
    """Like "1.25 ICP"."""
    whole, rest = divmod(e8s, types.E8S_PER_ICP)
    fraction = f"{rest:0{E8S_DIGITS}}".rstrip("0")
    return f"{whole:,}{'.' if fraction else ''}{fraction} ICP"


class IcpLedger:
    """The ICP ledger of the agent's network; payments go from the default account of the agent's identity."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._id = agent.profile.ledgers.icp

    def fee(self) -> int:
        """What a transfer costs on top of its amount."""
        reply = self._agent.query(self._id, "icrc1_fee", candid.encode([], []))
        fee: int = candid.decode([Nat], reply)[0]
        return fee

    def balance(self, account: AccountIdentifier) -> int:
        """What lies on an account."""
        arg = candid.encode([types.ACCOUNT_BALANCE_ARGS], [{"account": account.bytes}])
        e8s: int = candid.decode([types.TOKENS], self._agent.query(self._id, "account_balance", arg))[0]["e8s"]
        return e8s

    def transfer(
        self, to: AccountIdentifier, amount: int, created_at_time_ns: int, *, memo: int = 0, fee: int = ICP_FEE_E8S
    ) -> int:
        """Moves ICP; gives the block index, that of the first attempt too. Raises LedgerError and its kinds."""
        fields = {
            "memo": memo,
            "amount": {"e8s": amount},
            "fee": {"e8s": fee},
            "to": to.bytes,
            "created_at_time": {"timestamp_nanos": created_at_time_ns},
        }
        reply = self._agent.update(self._id, "transfer", candid.encode([types.TRANSFER_ARGS], [fields]))
        match candid.decode([types.TRANSFER_RESULT], reply)[0]:
            case ("Ok", int(block)):
                return block
            case ("Err", ("TxDuplicate", {"duplicate_of": int(block)})):
                return block
            case (_, error):
                raise refusal("ICP ledger", error, show_icp)
        raise AssertionError("the decoder gives no other")

    def chain_length(self) -> int:
        """How many blocks there are."""
        arg = candid.encode([types.GET_BLOCKS_ARGS], [{"start": 0, "length": 0}])
        length: int = candid.decode([CHAIN_LENGTH], self._agent.query(self._id, "query_blocks", arg))[0]["chain_length"]
        return length


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some of an account's entries, newest first. oldest_index: of its very first, None where there is none."""

    balance: int
    entries: tuple[LedgerEntry, ...]
    oldest_index: int | None


class IcpIndex:
    """The index of the ICP ledger. It may lag behind the ledger: `blocks_synced` says how far it is."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def blocks_synced(self) -> int:
        """How many of the ledger's blocks the index has read."""
        reply = self._agent.query(ICP_INDEX_ID, "status", candid.encode([], []))
        count: int = candid.decode([types.INDEX_STATUS], reply)[0]["num_blocks_synced"]
        return count

    def transactions(self, account: AccountIdentifier, *, before: int | None = None, count: int = 100) -> AccountPage:
        """The newest entries with an index below `before`. Raises LedgerError, FormatError."""
        fields = {"account_identifier": str(account), "start": before, "max_results": count}
        arg = candid.encode([types.ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS], [fields])
        reply = self._agent.query(ICP_INDEX_ID, "get_account_identifier_transactions", arg)
        match candid.decode([types.ACCOUNT_TRANSACTIONS_RESULT], reply)[0]:
            case ("Ok", page):
                return _page(page, before)
            case (_, error):
                raise FormatError(f"The ICP index refused: {printable(error['message'])}")
        raise AssertionError("the decoder gives no other")


def _page(page: dict[str, Any], before: int | None) -> AccountPage:
    entries = tuple(from_icp_index(one["id"], one["transaction"]) for one in page["transactions"])
    indices = [entry.index for entry in entries]
    falling = all(one > next_one for one, next_one in pairwise(indices))
    if not falling or (before is not None and indices and indices[0] >= before):
        raise FormatError("The ICP index gave an account's entries out of order.")
    return AccountPage(page["balance"], entries, page["oldest_tx_id"])
