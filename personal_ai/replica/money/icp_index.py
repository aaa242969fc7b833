"""The ICP index: what happened on an account of the ICP ledger, newest first, at its mainnet id.

Source: the public interface and behaviour of the mainnet ICP index canister (2026). Encoded blocks are left out.
"""

from __future__ import annotations

from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import icp_types as types
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.candid import Nat64, Text
from personal_ai.ic.icp_types import ICP_INDEX_ID
from personal_ai.ic.ledger_types import ACCOUNT, ICP_LEDGER_ID
from personal_ai.replica.money import icp_book
from personal_ai.replica.money.builtin import BuiltInCanister, Context, Method, Trap
from personal_ai.replica.money.icp_book import BALANCES, Block
from personal_ai.replica.money.icp_ledger import account_of, operation
from personal_ai.replica.state import StateStore

MAX_RESULTS = 2_000


class IcpIndex(BuiltInCanister):
    """Never behind the ledger here; on mainnet it may be, by seconds."""

    def __init__(self, store: StateStore) -> None:
        by_identifier, by_account = types.ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS, types.ACCOUNT_TRANSACTIONS_ARGS
        answer = types.ACCOUNT_TRANSACTIONS_RESULT
        queries = {
            "get_account_identifier_balance": Method(Text, Nat64, lambda at, arg: _balance(at, _identifier(arg))),
            "get_account_identifier_transactions": Method(by_identifier, answer, _by_identifier),
            "get_account_transactions": Method(by_account, answer, _by_account),
            "icrc1_balance_of": Method(ACCOUNT, Nat64, lambda at, arg: _balance(at, account_of(arg))),
            "ledger_id": Method(None, types.LEDGER_ID_ANSWER, lambda *_: ICP_LEDGER_ID),
            "status": Method(None, types.INDEX_STATUS, lambda at, _: {"num_blocks_synced": icp_book.length(at.db)}),
        }
        super().__init__(store, ICP_INDEX_ID, queries=queries, updates={})


def _balance(at: Context, account: AccountIdentifier) -> int:
    return BALANCES.of(at.db, account.bytes)


def _identifier(text: str) -> AccountIdentifier:
    try:
        return AccountIdentifier.from_text(text)
    except FormatError as error:
        raise Trap(error.what) from None


def _by_identifier(at: Context, arg: dict[str, Any]) -> object:
    try:
        account = AccountIdentifier.from_text(arg["account_identifier"])
    except FormatError as error:
        return "Err", {"message": error.what}
    return _transactions(at, account, arg["start"], arg["max_results"])


def _by_account(at: Context, arg: dict[str, Any]) -> object:
    return _transactions(at, account_of(arg["account"]), arg["start"], arg["max_results"])


def _transactions(at: Context, account: AccountIdentifier, before: int | None, count: int) -> object:
    found = icp_book.blocks_of(at.db, account, before, min(count, MAX_RESULTS))
    return "Ok", {
        "balance": _balance(at, account),
        "transactions": [{"id": one.index, "transaction": _transaction(one)} for one in found],
        "oldest_tx_id": icp_book.oldest_of(at.db, account),
    }


def _transaction(block: Block) -> dict[str, object]:
    done = block.transaction
    created_at = None if done.created_at_ns is None else {"timestamp_nanos": done.created_at_ns}
    return {
        "memo": done.memo,
        "icrc1_memo": done.icrc1_memo,
        "operation": operation(done, str),
        "created_at_time": created_at,
        "timestamp": {"timestamp_nanos": block.time_ns},
    }
