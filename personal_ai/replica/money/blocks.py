"""The cycles ledger's book: balances, and the chain of blocks that says how they came about, in SQLite.

Blocks are ICRC-3 values: maps of text to numbers, blobs, arrays and maps, each block with the hash of the one
before. Every method works inside the caller's transaction.
Source: the ICRC-1 and ICRC-3 standards; the public interface and behaviour of the mainnet cycles ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from personal_ai.ic.candid import decode, encode
from personal_ai.ic.ledger_types import DEDUPLICATION_WINDOW_NS, PERMITTED_DRIFT_NS, VALUE
from personal_ai.ic.principal import SUBACCOUNT_SIZE_BYTES, Principal
from personal_ai.ic.request_id import hash_of_map
from personal_ai.replica.money.balances import Balances
from personal_ai.replica.money.builtin import Refusal

MAX_BLOCKS_PER_REQUEST = 100
BALANCES = Balances("ledger_balance", "cycles")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger_block (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL, content BLOB NOT NULL, transaction_hash BLOB, created_at_ns INTEGER,
    canister_id BLOB);
CREATE INDEX IF NOT EXISTS ledger_transaction ON ledger_block (transaction_hash);
"""

BlockValue = int | str | bytes | list["BlockValue"] | Mapping[str, "BlockValue"]


@dataclass(frozen=True, slots=True)
class Account:
    """A principal's account; no subaccount is the same as one of zeros."""

    owner: Principal
    subaccount: bytes | None = None

    @property
    def key(self) -> bytes:
        return (self.subaccount or bytes(SUBACCOUNT_SIZE_BYTES)) + self.owner.bytes

    def to_value(self) -> BlockValue:
        return [self.owner.bytes] if self.subaccount is None else [self.owner.bytes, self.subaccount]


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a block records. `fee`: as the sender gave it; it is part of what makes two transactions the same."""

    operation: str  # mint, burn or xfer
    amount: int
    sender: Account | None = None
    receiver: Account | None = None
    fee: int | None = None
    memo: bytes | None = None
    created_at_ns: int | None = None

    def to_value(self) -> Mapping[str, BlockValue]:
        fields: dict[str, BlockValue | None] = {
            "op": self.operation,
            "amt": self.amount,
            "from": self.sender.to_value() if self.sender else None,
            "to": self.receiver.to_value() if self.receiver else None,
            "fee": self.fee,
            "memo": self.memo,
            "ts": self.created_at_ns,
        }
        return {name: value for name, value in fields.items() if value is not None}


def create_tables(db: sqlite3.Connection) -> None:
    BALANCES.create_table(db)
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def duplicate_of(db: sqlite3.Connection, transaction: Transaction, now_ns: int) -> tuple[int, bytes | None] | None:
    """The block of the same transaction within the deduplication window, and the canister that it created."""
    if transaction.created_at_ns is None:
        return None
    row: tuple[int, bytes | None] | None = db.execute(
        "SELECT id, canister_id FROM ledger_block WHERE transaction_hash = ? AND created_at_ns >= ?",
        (hash_of_map(transaction.to_value()), now_ns - DEDUPLICATION_WINDOW_NS - PERMITTED_DRIFT_NS),
    ).fetchone()
    return row


def check_created_at(created_at_ns: int | None, now_ns: int) -> None:
    """Raises Refusal (TooOld, CreatedInFuture)."""
    if created_at_ns is None:
        return
    if created_at_ns + DEDUPLICATION_WINDOW_NS + PERMITTED_DRIFT_NS < now_ns:
        raise Refusal("TooOld")
    if created_at_ns > now_ns + PERMITTED_DRIFT_NS:
        raise Refusal("CreatedInFuture", {"ledger_time": now_ns})


def append(db: sqlite3.Connection, transaction: Transaction, now_ns: int, effective_fee: int | None) -> int:
    """Records a transaction; gives the block's index. `effective_fee`: the fee where the sender named none."""
    last = db.execute("SELECT id, hash FROM ledger_block ORDER BY id DESC LIMIT 1").fetchone()
    block: dict[str, BlockValue] = {"tx": transaction.to_value(), "ts": now_ns}
    if last is not None:
        block["phash"] = last[1]
    if effective_fee is not None:
        block["fee"] = effective_fee
    index: int = 0 if last is None else last[0] + 1
    created_at_ns = transaction.created_at_ns
    transaction_hash = None if created_at_ns is None else hash_of_map(transaction.to_value())
    content = encode([VALUE], [_to_candid(block)])
    db.execute(
        "INSERT INTO ledger_block VALUES (?, ?, ?, ?, ?, NULL)",
        (index, hash_of_map(block), content, transaction_hash, created_at_ns),
    )
    return index


def note_canister(db: sqlite3.Connection, index: int, canister_id: bytes) -> None:
    """Remembers which canister the transaction of a block created, for the answer to its duplicates."""
    db.execute("UPDATE ledger_block SET canister_id = ? WHERE id = ?", (canister_id, index))


def length(db: sqlite3.Connection) -> int:
    """How many blocks there are."""
    count: int = db.execute("SELECT count(*) FROM ledger_block").fetchone()[0]
    return count


def blocks(db: sqlite3.Connection, start: int, count: int) -> list[dict[str, object]]:
    """Blocks as icrc3_get_blocks shows them, from index `start`."""
    rows = db.execute(
        "SELECT id, content FROM ledger_block WHERE id >= ? ORDER BY id LIMIT ?",
        (min(start, length(db)), min(count, MAX_BLOCKS_PER_REQUEST)),
    )
    return [{"id": index, "block": decode([VALUE], content)[0]} for index, content in rows]


def _to_candid(value: BlockValue) -> tuple[str, object]:
    match value:
        case int():
            return ("Nat", value)
        case str():
            return ("Text", value)
        case bytes():
            return ("Blob", value)
        case list():
            return ("Array", [_to_candid(item) for item in value])
        case _:
            return ("Map", [{0: name, 1: _to_candid(item)} for name, item in value.items()])
