"""The cycles ledger: a canister of the network's own, at its mainnet id and with its mainnet interface.

Source: the public interface and behaviour of the mainnet cycles ledger (2026). Approvals (ICRC-2) are left out.
On mainnet it reaches the management canister by way of the cycles minting canister; here the step between is inside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import cbor
from personal_ai.ic.candid import Empty, Nat, Opt, Record, Text, Type, Vec, decode, encode
from personal_ai.ic.ledger_types import (
    ACCOUNT,
    CREATE_CANISTER_ARGS,
    CREATE_CANISTER_RESULT,
    CYCLES_DECIMALS,
    CYCLES_LEDGER_FEE,
    CYCLES_LEDGER_ID,
    DECIMALS,
    METADATA,
    SUPPORTED_STANDARDS,
    TRANSFER_ARGS,
    TRANSFER_RESULT,
    WITHDRAW_ARGS,
    WITHDRAW_RESULT,
)
from personal_ai.ic.principal import SUBACCOUNT_SIZE_BYTES, Principal
from personal_ai.replica import ledger, settings
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.envelope import Call
from personal_ai.replica.ledger import VALUE, Account, LedgerRefusal, Transaction
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.state import StateStore

MAX_MEMO_BYTES = 32
_NAME, _SYMBOL = "Trillion Cycles", "TCYCLES"
_CREATE_CANISTER_MEMO = b"\xfe" * MAX_MEMO_BYTES
_REFUND_MEMO = b"\xfd" * MAX_MEMO_BYTES
_PENALIZE_MEMO = b"\xff" * MAX_MEMO_BYTES
_SELF_AUTHENTICATING_SIZE_BYTES = 29
_MAX_AMOUNT = (1 << 128) - 1

_RANGE = Record({"start": Nat, "length": Nat})
_BLOCKS = Record(
    {
        "log_length": Nat,
        "blocks": Vec(Record({"id": Nat, "block": VALUE})),
        "archived_blocks": Vec(Empty),  # nothing is ever archived, so nothing needs the type of an archive's callback
    }
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a method works with besides its argument: an open transaction, who calls, and when (ns)."""

    db: sqlite3.Connection
    caller: Principal
    now_ns: int


Answer = Callable[[Context, Any], object]
"""Carries out a method with its decoded argument and gives the value to answer."""


class CyclesLedger:
    """One `ingress.Destination`: each method is a transaction."""

    def __init__(self, store: StateStore, subnet_id: Principal, canisters: Canisters, accounts: Accounts) -> None:
        with store.transaction() as db:
            ledger.create_tables(db)
        self._store, self._canisters, self._accounts = store, canisters, accounts
        self._subnet_id = subnet_id
        self._queries: dict[str, tuple[list[Type], Type, Answer]] = {
            "icrc1_balance_of": ([ACCOUNT], Nat, lambda at, arg: ledger.balance(at.db, _account(arg))),
            "icrc1_decimals": ([], DECIMALS, lambda *_: CYCLES_DECIMALS),
            "icrc1_fee": ([], Nat, lambda *_: CYCLES_LEDGER_FEE),
            "icrc1_metadata": ([], METADATA, lambda *_: _metadata()),
            "icrc1_minting_account": ([], Opt(ACCOUNT), lambda *_: None),
            "icrc1_name": ([], Text, lambda *_: _NAME),
            "icrc1_supported_standards": ([], SUPPORTED_STANDARDS, lambda *_: _STANDARDS),
            "icrc1_symbol": ([], Text, lambda *_: _SYMBOL),
            "icrc1_total_supply": ([], Nat, lambda at, _: ledger.total_supply(at.db)),
            "icrc3_get_blocks": ([Vec(_RANGE)], _BLOCKS, lambda at, arg: _blocks(at.db, arg)),
        }
        self._updates: dict[str, tuple[list[Type], Type, Answer]] = {
            "icrc1_transfer": ([TRANSFER_ARGS], TRANSFER_RESULT, _result(self._transfer)),
            "withdraw": ([WITHDRAW_ARGS], WITHDRAW_RESULT, _result(self._withdraw)),
            "create_canister": ([CREATE_CANISTER_ARGS], CREATE_CANISTER_RESULT, _result(self._create_canister)),
        }

    def effective_id(self, call: Call) -> Principal:
        return call.canister_id

    def accept(self, call: Call, now_ns: int) -> None:
        """Every method that there is. Raises CallRejected."""
        if call.method not in self._queries and call.method not in self._updates:
            raise _no_method(call.method)

    def update(self, task: Task) -> None:
        """An update or, for a certified answer, a query. Raises CallRejected; then nothing has changed."""
        call, methods = task.call, {**self._queries, **self._updates}
        with self._store.transaction() as db:
            reply = _answer(methods, Context(db, call.sender, task.now_ns), call.method, call.arg)
            task.finish(db, Result(reply=reply))

    def query(self, call: Call, now_ns: int) -> bytes:
        """Raises CallRejected for an unknown method or an argument that does not fit."""
        with self._store.transaction() as db:
            return _answer(self._queries, Context(db, call.sender, now_ns), call.method, call.arg)

    def fund(self, owner: Principal, cycles: int, now_ns: int) -> int:
        """Practice only: mints cycles for an account; gives the block's index."""
        with self._store.transaction() as db:
            return _mint(db, Account(owner), cycles, now_ns, None)

    def _transfer(self, at: Context, arg: dict[str, Any]) -> object:
        sender, receiver = Account(at.caller, _subaccount(arg["from_subaccount"])), _account(arg["to"])
        if arg["memo"] is not None and len(arg["memo"]) > MAX_MEMO_BYTES:
            raise _trap(f"memo length exceeds the maximum of {MAX_MEMO_BYTES} bytes")
        transaction = Transaction(
            "xfer", arg["amount"], sender, receiver, arg["fee"], arg["memo"], arg["created_at_time"]
        )
        _check_transaction(at, transaction)
        if arg["fee"] not in (None, CYCLES_LEDGER_FEE):
            raise LedgerRefusal("BadFee", {"expected_fee": CYCLES_LEDGER_FEE})
        ledger.debit(at.db, sender, arg["amount"] + CYCLES_LEDGER_FEE)
        ledger.check_created_at(arg["created_at_time"], at.now_ns)
        ledger.credit(at.db, receiver, arg["amount"])
        return ledger.append(at.db, transaction, at.now_ns, CYCLES_LEDGER_FEE if arg["fee"] is None else None)

    def _withdraw(self, at: Context, arg: dict[str, Any]) -> object:
        """Burns, then puts the cycles into the canister; mints them back, less a fee, where there is none."""
        receiver, amount = arg["to"], arg["amount"]
        if len(receiver.bytes) == _SELF_AUTHENTICATING_SIZE_BYTES and receiver.bytes[-1] == 2:
            raise LedgerRefusal("InvalidReceiver", {"receiver": receiver})
        if amount == 0:
            raise LedgerRefusal("GenericError", {"error_code": 100, "message": "The withdraw amount is 0."})
        memo = cbor.encode([receiver.bytes], self_described=False)
        sender = Account(at.caller, _subaccount(arg["from_subaccount"]))
        block = _burn(at, sender, amount, memo, arg["created_at_time"])
        try:
            self._canisters.get(receiver)
        except CallRejected as rejection:
            fee_block = _refund(at, sender, amount, _PENALIZE_MEMO)
            failure = {"fee_block": fee_block, "rejection_code": ("DestinationInvalid", None)}
            return "Err", ("FailedToWithdraw", {**failure, "rejection_reason": rejection.reject_message})
        self._accounts.deposit(receiver.bytes, amount)
        return block

    def _create_canister(self, at: Context, arg: dict[str, Any]) -> object:
        """Burns, then creates, at a price out of `amount`; a failure gives `amount` back, less a fee."""
        sender, amount = Account(at.caller, _subaccount(arg["from_subaccount"])), arg["amount"]
        block = _burn(at, sender, amount, _CREATE_CANISTER_MEMO, arg["created_at_time"])
        creation_args = arg["creation_args"] or {}
        try:
            self._check_subnet(creation_args.get("subnet_selection"))
            given = creation_args.get("settings")
            fee = self._accounts.costs.on_subnet(self._accounts.costs.creation)
            if amount < fee:
                raise settings.invalid(
                    f"Creating a canister requires a fee of {fee} cycles, but only {amount} were sent."
                )
            controllers = settings.controllers(given, (at.caller,))
            chosen = settings.changed(CanisterSettings(), given)
            canister_id = self._canisters.create(at.db, controllers, chosen, amount - fee, at.now_ns)
        except CallRejected as rejection:
            refund_block = _refund(at, sender, amount, _REFUND_MEMO)
            failure = {"fee_block": block, "refund_block": refund_block, "error": rejection.reject_message}
            return "Err", ("FailedToCreate", failure)
        ledger.note_canister(at.db, block, canister_id.bytes)
        return {"block_id": block, "canister_id": canister_id}

    def _check_subnet(self, selection: tuple[str, dict[str, Any]] | None) -> None:
        if selection is None:
            return
        case, wanted = selection
        if case == "Subnet" and wanted["subnet"] != self._subnet_id:
            raise settings.invalid(f"Subnet {wanted['subnet']} does not exist.")
        if case == "Filter" and wanted["subnet_type"] is not None:
            raise settings.invalid(f"Provided subnet type {wanted['subnet_type']} does not exist.")


def _answer(methods: Mapping[str, tuple[list[Type], Type, Answer]], at: Context, method: str, arg: bytes) -> bytes:
    if method not in methods:
        raise _no_method(method)
    types, answer_type, answer = methods[method]
    try:
        values = decode(types, arg)
    except FormatError as error:
        raise _trap(f"failed to decode the argument: {error.what}") from None
    return encode([answer_type], [answer(at, values[0] if values else None)])


def _result(method: Answer) -> Answer:
    """The answer Ok, or Err where the ledger refuses; then nothing has changed."""

    def answer(at: Context, arg: Any) -> object:
        at.db.execute("SAVEPOINT ledger")
        try:
            value = method(at, arg)
        except LedgerRefusal as refusal:
            at.db.execute("ROLLBACK TO ledger")
            return "Err", refusal.error
        finally:
            at.db.execute("RELEASE ledger")
        return value if isinstance(value, tuple) else ("Ok", value)

    return answer


def _burn(at: Context, sender: Account, amount: int, memo: bytes, created_at_ns: int | None) -> int:
    transaction = Transaction("burn", amount, sender, memo=memo, created_at_ns=created_at_ns)
    _check_transaction(at, transaction)
    ledger.debit(at.db, sender, amount + CYCLES_LEDGER_FEE)
    ledger.check_created_at(created_at_ns, at.now_ns)
    return ledger.append(at.db, transaction, at.now_ns, CYCLES_LEDGER_FEE)


def _refund(at: Context, account: Account, amount: int, memo: bytes) -> int | None:
    """Mints `amount` back, less the fee of the block that says so; None where nothing is left."""
    left = amount - CYCLES_LEDGER_FEE
    return _mint(at.db, account, left, at.now_ns, memo) if left > 0 else None


def _mint(db: sqlite3.Connection, account: Account, amount: int, now_ns: int, memo: bytes | None) -> int:
    ledger.credit(db, account, amount)
    return ledger.append(db, Transaction("mint", amount, receiver=account, fee=0, memo=memo), now_ns, 0)


def _check_transaction(at: Context, transaction: Transaction) -> None:
    if max(transaction.amount, transaction.fee or 0) > _MAX_AMOUNT:
        raise _trap("amounts have at most 128 bits")
    found = ledger.duplicate_of(at.db, transaction, at.now_ns)
    if found is not None:
        block, canister_id = found
        duplicate: dict[str, object] = {"duplicate_of": block}
        if transaction.memo == _CREATE_CANISTER_MEMO:
            duplicate["canister_id"] = None if canister_id is None else Principal(canister_id)
        raise LedgerRefusal("Duplicate", duplicate)


def _account(arg: dict[str, Any]) -> Account:
    return Account(arg["owner"], _subaccount(arg["subaccount"]))


def _subaccount(subaccount: bytes | None) -> bytes | None:
    if subaccount is not None and len(subaccount) != SUBACCOUNT_SIZE_BYTES:
        raise _trap(f"a subaccount has {SUBACCOUNT_SIZE_BYTES} bytes")
    return subaccount


def _no_method(method: str) -> CallRejected:
    message = f"Canister {CYCLES_LEDGER_ID} has no method '{method}' of this kind"
    return CallRejected(RejectCode.CANISTER_ERROR, "IC0536", message)


def _trap(reason: str) -> CallRejected:
    message = f"Error from Canister {CYCLES_LEDGER_ID}: Canister called `ic0.trap` with message: '{reason}'"
    return CallRejected(RejectCode.CANISTER_ERROR, "IC0503", message)


def _blocks(db: sqlite3.Connection, ranges: list[dict[str, int]]) -> dict[str, object]:
    found: list[dict[str, object]] = []
    for one in ranges:
        left = ledger.MAX_BLOCKS_PER_REQUEST - len(found)
        if left == 0:
            break
        found += ledger.blocks(db, one["start"], min(one["length"], left))
    return {"log_length": ledger.length(db), "blocks": found, "archived_blocks": []}


def _metadata() -> list[dict[int, object]]:
    values = {
        "icrc1:name": ("Text", _NAME),
        "icrc1:symbol": ("Text", _SYMBOL),
        "icrc1:decimals": ("Nat", CYCLES_DECIMALS),
        "icrc1:fee": ("Nat", CYCLES_LEDGER_FEE),
        "icrc1:max_memo_length": ("Nat", MAX_MEMO_BYTES),
    }
    return [{0: name, 1: value} for name, value in values.items()]


_STANDARDS = [{"name": "ICRC-1", "url": "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1"}]
