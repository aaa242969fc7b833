"""The cycles ledger: a canister of the network's own, at its mainnet id and with its mainnet interface.

Source: the public interface and behaviour of the mainnet cycles ledger (2026). Approvals (ICRC-2) are left out, and
the tip has no certificate. On mainnet it reaches the management canister by way of the cycles minting canister; here
the step between is inside.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from personal_ai.ic import cbor
from personal_ai.ic.candid import Nat, Opt, Text, Vec
from personal_ai.ic.ledger_types import (
    ACCOUNT,
    ARCHIVES,
    ARCHIVES_ARGS,
    BLOCK_RANGE,
    BLOCK_TYPES,
    BLOCKS,
    CREATE_CANISTER_ARGS,
    CREATE_CANISTER_RESULT,
    CREATION_FAILED_MEMO,
    CYCLES_DECIMALS,
    CYCLES_LEDGER_FEE,
    CYCLES_LEDGER_ID,
    DECIMALS,
    DEPOSIT_ARGS,
    DEPOSIT_RESULT,
    METADATA,
    SUPPORTED_STANDARDS,
    TIP_CERTIFICATE,
    TRANSFER_ARGS,
    TRANSFER_RESULT,
    WITHDRAW_ARGS,
    WITHDRAW_RESULT,
    WITHDRAWAL_FAILED_MEMO,
)
from personal_ai.ic.principal import SUBACCOUNT_SIZE_BYTES, Principal
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.money import blocks
from personal_ai.replica.money.blocks import BALANCES, Account, Transaction
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
from personal_ai.replica.money.creation import Creation
from personal_ai.replica.money.supply import Made, Supply, Used
from personal_ai.replica.state import StateStore

_NAME, _SYMBOL = "Trillion Cycles", "TCYCLES"
_CREATE_CANISTER_MEMO = b"\xfe" * MAX_MEMO_BYTES
_SELF_AUTHENTICATING_SIZE_BYTES = 29
_MAX_AMOUNT = (1 << 128) - 1


class CyclesLedger(BuiltInCanister):
    """Accounts in cycles."""

    def __init__(
        self, store: StateStore, canisters: Canisters, accounts: Accounts, creation: Creation, supply: Supply
    ) -> None:
        with store.transaction() as db:
            blocks.create_tables(db)
        self._canisters, self._accounts, self._creation, self._supply = canisters, accounts, creation, supply
        queries = {
            "icrc1_balance_of": Method(ACCOUNT, Nat, lambda at, arg: BALANCES.of(at.db, _account(arg).key)),
            "icrc1_decimals": Method(None, DECIMALS, lambda *_: CYCLES_DECIMALS),
            "icrc1_fee": Method(None, Nat, lambda *_: CYCLES_LEDGER_FEE),
            "icrc1_metadata": Method(None, METADATA, lambda *_: _metadata()),
            "icrc1_minting_account": Method(None, Opt(ACCOUNT), lambda *_: None),
            "icrc1_name": Method(None, Text, lambda *_: _NAME),
            "icrc1_supported_standards": Method(None, SUPPORTED_STANDARDS, lambda *_: _STANDARDS),
            "icrc1_symbol": Method(None, Text, lambda *_: _SYMBOL),
            "icrc1_total_supply": Method(None, Nat, lambda at, _: BALANCES.total(at.db)),
            "icrc3_get_archives": Method(ARCHIVES_ARGS, ARCHIVES, lambda *_: []),
            "icrc3_get_blocks": Method(Vec(BLOCK_RANGE), BLOCKS, lambda at, arg: _blocks(at.db, arg)),
            "icrc3_get_tip_certificate": Method(None, TIP_CERTIFICATE, lambda *_: None),
            "icrc3_supported_block_types": Method(None, BLOCK_TYPES, lambda *_: _BLOCK_TYPES),
        }
        updates = {
            "deposit": Method(DEPOSIT_ARGS, DEPOSIT_RESULT, self._deposit, takes_cycles=True),
            "icrc1_transfer": Method(TRANSFER_ARGS, TRANSFER_RESULT, ok_or_err(self._transfer)),
            "withdraw": Method(WITHDRAW_ARGS, WITHDRAW_RESULT, ok_or_err(self._withdraw)),
            "create_canister": Method(CREATE_CANISTER_ARGS, CREATE_CANISTER_RESULT, ok_or_err(self._create_canister)),
        }
        super().__init__(store, CYCLES_LEDGER_ID, queries=queries, updates=updates)

    def fund(self, owner: Principal, cycles: int, now_ns: int) -> int:
        """Practice only: mints cycles for an account; gives the block's index."""
        with self._store.transaction() as db:
            self._supply.note(db, Made.FAUCET, cycles)
            return _mint(db, Account(owner), cycles, now_ns, None)

    def deposit(
        self, db: sqlite3.Connection, to: Account, cycles: int, memo: bytes | None, now_ns: int
    ) -> tuple[int, int]:
        """What a canister's `deposit` with cycles attached does: block index and new balance. Raises Trap."""
        if cycles <= CYCLES_LEDGER_FEE:
            raise Trap(f"a deposit of {cycles} cycles is not more than the ledger's fee of {CYCLES_LEDGER_FEE}")
        self._supply.note(db, Used.LEDGER_FEES, CYCLES_LEDGER_FEE)
        index = _mint(db, to, cycles - CYCLES_LEDGER_FEE, now_ns, memo, fee=CYCLES_LEDGER_FEE)
        return index, BALANCES.of(db, to.key)

    def _deposit(self, at: Context, arg: dict[str, Any]) -> object:
        """Cycles come with calls of canisters only: from outside there are none."""
        check_memo(arg["memo"])
        index, balance = self.deposit(at.db, _account(arg["to"]), at.cycles, arg["memo"], at.now_ns)
        return {"block_index": index, "balance": balance}

    def _transfer(self, at: Context, arg: dict[str, Any]) -> object:
        sender, receiver = Account(at.caller, _subaccount(arg["from_subaccount"])), _account(arg["to"])
        check_memo(arg["memo"])
        transaction = Transaction(
            "xfer", arg["amount"], sender, receiver, arg["fee"], arg["memo"], arg["created_at_time"]
        )
        _check_transaction(at, transaction)
        if arg["fee"] not in (None, CYCLES_LEDGER_FEE):
            raise Refusal("BadFee", {"expected_fee": CYCLES_LEDGER_FEE})
        BALANCES.debit(at.db, sender.key, arg["amount"] + CYCLES_LEDGER_FEE)
        blocks.check_created_at(arg["created_at_time"], at.now_ns)
        BALANCES.credit(at.db, receiver.key, arg["amount"])
        self._supply.note(at.db, Used.LEDGER_FEES, CYCLES_LEDGER_FEE)
        return blocks.append(at.db, transaction, at.now_ns, CYCLES_LEDGER_FEE if arg["fee"] is None else None)

    def _withdraw(self, at: Context, arg: dict[str, Any]) -> object:
        """Burns, then puts the cycles into the canister; mints them back, less a fee, where there is none."""
        receiver, amount = arg["to"], arg["amount"]
        if len(receiver.bytes) == _SELF_AUTHENTICATING_SIZE_BYTES and receiver.bytes[-1] == 2:
            raise Refusal("InvalidReceiver", {"receiver": receiver})
        if amount == 0:
            raise Refusal("GenericError", {"error_code": 100, "message": "The withdraw amount is 0."})
        memo = cbor.encode([receiver.bytes], self_described=False)
        sender = Account(at.caller, _subaccount(arg["from_subaccount"]))
        block = self._burn(at, sender, amount, memo, arg["created_at_time"])
        try:
            self._canisters.get(receiver)
        except CallRejected as rejection:
            fee_block = self._refund(at, sender, amount, WITHDRAWAL_FAILED_MEMO)
            failure = {"fee_block": fee_block, "rejection_code": ("DestinationInvalid", None)}
            return "Err", ("FailedToWithdraw", {**failure, "rejection_reason": rejection.reject_message})
        self._accounts.deposit(receiver.bytes, amount)
        return block

    def _create_canister(self, at: Context, arg: dict[str, Any]) -> object:
        """Burns, then creates, at a price out of `amount`; a failure gives `amount` back, less a fee."""
        sender, amount = Account(at.caller, _subaccount(arg["from_subaccount"])), arg["amount"]
        block = self._burn(at, sender, amount, _CREATE_CANISTER_MEMO, arg["created_at_time"])
        wanted = arg["creation_args"] or {}
        try:
            canister_id = self._creation.create(
                at.db,
                at.caller,
                amount,
                at.now_ns,
                given=wanted.get("settings"),
                subnet=wanted.get("subnet_selection"),
            )
        except CallRejected as rejection:
            refund_block = self._refund(at, sender, amount, CREATION_FAILED_MEMO)
            failure = {"fee_block": block, "refund_block": refund_block, "error": rejection.reject_message}
            return "Err", ("FailedToCreate", failure)
        blocks.note_canister(at.db, block, canister_id.bytes)
        return {"block_id": block, "canister_id": canister_id}

    def _burn(self, at: Context, sender: Account, amount: int, memo: bytes, created_at_ns: int | None) -> int:
        transaction = Transaction("burn", amount, sender, memo=memo, created_at_ns=created_at_ns)
        _check_transaction(at, transaction)
        BALANCES.debit(at.db, sender.key, amount + CYCLES_LEDGER_FEE)
        blocks.check_created_at(created_at_ns, at.now_ns)
        self._supply.note(at.db, Used.LEDGER_FEES, CYCLES_LEDGER_FEE)
        return blocks.append(at.db, transaction, at.now_ns, CYCLES_LEDGER_FEE)

    def _refund(self, at: Context, account: Account, amount: int, memo: bytes) -> int | None:
        """Mints `amount` back, less the fee of the block that says so; None where nothing is left."""
        fee = min(amount, CYCLES_LEDGER_FEE)
        self._supply.note(at.db, Used.LEDGER_FEES, fee)
        return _mint(at.db, account, amount - fee, at.now_ns, memo) if amount > fee else None


def _mint(
    db: sqlite3.Connection, account: Account, amount: int, now_ns: int, memo: bytes | None, *, fee: int = 0
) -> int:
    BALANCES.credit(db, account.key, amount)
    return blocks.append(db, Transaction("mint", amount, receiver=account, fee=fee, memo=memo), now_ns, fee)


def _check_transaction(at: Context, transaction: Transaction) -> None:
    if max(transaction.amount, transaction.fee or 0) > _MAX_AMOUNT:
        raise Trap("amounts have at most 128 bits")
    found = blocks.duplicate_of(at.db, transaction, at.now_ns)
    if found is not None:
        block, canister_id = found
        duplicate: dict[str, object] = {"duplicate_of": block}
        if transaction.memo == _CREATE_CANISTER_MEMO:
            duplicate["canister_id"] = None if canister_id is None else Principal(canister_id)
        raise Refusal("Duplicate", duplicate)


def _account(arg: dict[str, Any]) -> Account:
    return Account(arg["owner"], _subaccount(arg["subaccount"]))


def _subaccount(subaccount: bytes | None) -> bytes | None:
    if subaccount is not None and len(subaccount) != SUBACCOUNT_SIZE_BYTES:
        raise Trap(f"a subaccount has {SUBACCOUNT_SIZE_BYTES} bytes")
    return subaccount


def _blocks(db: sqlite3.Connection, ranges: list[dict[str, int]]) -> dict[str, object]:
    found: list[dict[str, object]] = []
    for one in ranges:
        left = blocks.MAX_BLOCKS_PER_REQUEST - len(found)
        if left == 0:
            break
        found += blocks.blocks(db, one["start"], min(one["length"], left))
    return {"log_length": blocks.length(db), "blocks": found, "archived_blocks": []}


def _metadata() -> list[dict[int, object]]:
    values = {
        "icrc1:name": ("Text", _NAME),
        "icrc1:symbol": ("Text", _SYMBOL),
        "icrc1:decimals": ("Nat", CYCLES_DECIMALS),
        "icrc1:fee": ("Nat", CYCLES_LEDGER_FEE),
        "icrc1:max_memo_length": ("Nat", MAX_MEMO_BYTES),
    }
    return [{0: name, 1: value} for name, value in values.items()]


_STANDARDS_URL = "https://github.com/dfinity/ICRC-1/tree/main/standards"
_STANDARDS = [{"name": name, "url": f"{_STANDARDS_URL}/{name}"} for name in ("ICRC-1", "ICRC-3")]
_BLOCK_TYPES = [
    {"block_type": block_type, "url": f"{_STANDARDS_URL}/ICRC-3"} for block_type in ("1mint", "1burn", "1xfer")
]
