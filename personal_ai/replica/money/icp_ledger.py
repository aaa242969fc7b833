"""The ICP ledger: a canister of the network's own, at its mainnet id and with its mainnet interface.

Source: the public interface and behaviour of the mainnet ICP ledger (2026). Approvals (ICRC-2), archives, encoded
blocks and the certificate of the last block are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import icp_types as types
from personal_ai.ic import ledger_types as icrc
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.candid import Blob, Nat, Opt, Text
from personal_ai.ic.icp_types import GOVERNANCE_ID, ICP_DECIMALS, ICP_FEE_E8S
from personal_ai.ic.ledger_types import DEDUPLICATION_WINDOW_NS, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.money import icp_book
from personal_ai.replica.money.builtin import (
    MAX_MEMO_BYTES,
    BuiltInCanister,
    Context,
    Method,
    Refusal,
    Trap,
    check_memo,
    ok_or_err,
)
from personal_ai.replica.money.icp_book import BALANCES, MINTING_ACCOUNT, Block, Transaction
from personal_ai.replica.state import StateStore

MAX_BLOCKS_PER_REQUEST = 2_000
_NAME, _SYMBOL = "Internet Computer", "ICP"


class IcpLedger(BuiltInCanister):
    """Accounts in e8s, hundred-millionths of an ICP."""

    def __init__(self, store: StateStore) -> None:
        with store.transaction() as db:
            icp_book.create_tables(db)
        queries = {
            "account_balance": Method(types.ACCOUNT_BALANCE_ARGS, types.TOKENS, _account_balance),
            "account_identifier": Method(icrc.ACCOUNT, Blob, lambda _, arg: account_of(arg).bytes),
            "decimals": Method(None, types.DECIMALS, lambda *_: {"decimals": ICP_DECIMALS}),
            "name": Method(None, types.NAME, lambda *_: {"name": _NAME}),
            "query_blocks": Method(types.GET_BLOCKS_ARGS, types.QUERY_BLOCKS_RESPONSE, _query_blocks),
            "symbol": Method(None, types.SYMBOL, lambda *_: {"symbol": _SYMBOL}),
            "transfer_fee": Method(types.TRANSFER_FEE_ARG, types.TRANSFER_FEE, lambda *_: _TRANSFER_FEE),
            "icrc1_balance_of": Method(icrc.ACCOUNT, Nat, lambda at, arg: BALANCES.of(at.db, account_of(arg).bytes)),
            "icrc1_decimals": Method(None, icrc.DECIMALS, lambda *_: ICP_DECIMALS),
            "icrc1_fee": Method(None, Nat, lambda *_: ICP_FEE_E8S),
            "icrc1_metadata": Method(None, icrc.METADATA, lambda *_: _METADATA),
            "icrc1_minting_account": Method(None, Opt(icrc.ACCOUNT), lambda *_: {"owner": GOVERNANCE_ID}),
            "icrc1_name": Method(None, Text, lambda *_: _NAME),
            "icrc1_supported_standards": Method(None, icrc.SUPPORTED_STANDARDS, lambda *_: _STANDARDS),
            "icrc1_symbol": Method(None, Text, lambda *_: _SYMBOL),
            "icrc1_total_supply": Method(None, Nat, lambda at, _: BALANCES.total(at.db)),
        }
        updates = {
            "transfer": Method(types.TRANSFER_ARGS, types.TRANSFER_RESULT, ok_or_err(_in_older_words(_transfer))),
            "icrc1_transfer": Method(icrc.TRANSFER_ARGS, icrc.TRANSFER_RESULT, ok_or_err(_icrc1_transfer)),
        }
        super().__init__(store, ICP_LEDGER_ID, queries=queries, updates=updates)

    def fund(self, owner: Principal, e8s: int, now_ns: int) -> int:
        """Practice only: mints ICP for an account; gives the block's index."""
        with self._store.transaction() as db:
            return icp_book.mint(db, AccountIdentifier.of(owner), e8s, now_ns)


def account_of(account: dict[str, Any]) -> AccountIdentifier:
    """The identifier of an ICRC-1 account. Raises Trap."""
    return _own_account(account["owner"], account["subaccount"])


def _own_account(owner: Principal, subaccount: bytes | None) -> AccountIdentifier:
    try:
        return AccountIdentifier.of(owner, subaccount)
    except FormatError as error:
        raise Trap(error.what) from None


def _identifier(account: bytes) -> AccountIdentifier:
    try:
        return AccountIdentifier(account)
    except FormatError as error:
        raise Trap(error.what) from None


def _account_balance(at: Context, arg: dict[str, bytes]) -> object:
    return _tokens(BALANCES.of(at.db, _identifier(arg["account"]).bytes))


def _transfer(at: Context, arg: dict[str, Any]) -> object:
    created_at = arg["created_at_time"]
    wanted = Transaction(
        _own_account(at.caller, arg["from_subaccount"]),
        _identifier(arg["to"]),
        arg["amount"]["e8s"],
        arg["fee"]["e8s"],
        arg["memo"],
        created_at_ns=created_at and created_at["timestamp_nanos"],
    )
    return icp_book.move(at.db, wanted, at.now_ns)


def _icrc1_transfer(at: Context, arg: dict[str, Any]) -> object:
    sender, receiver = _own_account(at.caller, arg["from_subaccount"]), account_of(arg["to"])
    check_memo(arg["memo"])
    fee = arg["fee"]
    if fee is None:
        fee = 0 if receiver == MINTING_ACCOUNT else ICP_FEE_E8S
    created_at_ns = arg["created_at_time"]
    wanted = Transaction(sender, receiver, arg["amount"], fee, icrc1_memo=arg["memo"], created_at_ns=created_at_ns)
    return icp_book.move(at.db, wanted, at.now_ns)


_OLDER_WORDS: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "BadFee": ("BadFee", lambda content: {"expected_fee": _tokens(content["expected_fee"])}),
    "InsufficientFunds": ("InsufficientFunds", lambda content: {"balance": _tokens(content["balance"])}),
    "TooOld": ("TxTooOld", lambda _: {"allowed_window_nanos": DEDUPLICATION_WINDOW_NS}),
    "CreatedInFuture": ("TxCreatedInFuture", lambda _: None),
    "Duplicate": ("TxDuplicate", lambda content: content),
}


def _in_older_words(run: Callable[[Context, Any], object]) -> Callable[[Context, Any], object]:
    """`transfer` is older than ICRC-1 and refuses in words of its own."""

    def refusing(at: Context, arg: Any) -> object:
        try:
            return run(at, arg)
        except Refusal as refusal:
            if refusal.variant not in _OLDER_WORDS:
                raise Trap(f"minimum burn amount is {icp_book.MIN_BURN_E8S} e8s") from None
            variant, translate = _OLDER_WORDS[refusal.variant]
            raise Refusal(variant, translate(refusal.content)) from None

    return refusing


def _query_blocks(at: Context, arg: dict[str, int]) -> object:
    found = icp_book.blocks(at.db, arg["start"], min(arg["length"], MAX_BLOCKS_PER_REQUEST))
    return {
        "chain_length": icp_book.length(at.db),
        "certificate": None,
        "blocks": [_block(one) for one in found],
        "first_block_index": found[0].index if found else 0,
        "archived_blocks": [],
    }


def _block(block: Block) -> dict[str, object]:
    done = block.transaction
    created_at_ns = block.time_ns if done.created_at_ns is None else done.created_at_ns
    return {
        "parent_hash": block.parent_hash,
        "transaction": {
            "memo": done.memo,
            "icrc1_memo": done.icrc1_memo,
            "operation": operation(done, lambda account: account.bytes),
            "created_at_time": {"timestamp_nanos": created_at_ns},
        },
        "timestamp": {"timestamp_nanos": block.time_ns},
    }


def operation(done: Transaction, show: Callable[[AccountIdentifier], object]) -> tuple[str, dict[str, object]]:
    """A transaction's operation in Candid; `show`: how accounts are written there."""
    amount = _tokens(done.amount)
    if done.sender is None:
        assert done.receiver is not None
        return "Mint", {"to": show(done.receiver), "amount": amount}
    if done.receiver is None:
        return "Burn", {"from": show(done.sender), "spender": None, "amount": amount}
    accounts = {"from": show(done.sender), "to": show(done.receiver), "spender": None}
    return "Transfer", {**accounts, "amount": amount, "fee": _tokens(done.fee)}


def _tokens(e8s: int) -> dict[str, int]:
    return {"e8s": e8s}


_TRANSFER_FEE = {"transfer_fee": _tokens(ICP_FEE_E8S)}
_METADATA = [
    {0: "icrc1:name", 1: ("Text", _NAME)},
    {0: "icrc1:symbol", 1: ("Text", _SYMBOL)},
    {0: "icrc1:decimals", 1: ("Nat", ICP_DECIMALS)},
    {0: "icrc1:fee", 1: ("Nat", ICP_FEE_E8S)},
    {0: "icrc1:max_memo_length", 1: ("Nat", MAX_MEMO_BYTES)},
]
_STANDARDS = [{"name": "ICRC-1", "url": "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1"}]
