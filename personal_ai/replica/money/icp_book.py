"""The ICP ledger's book: balances by account identifier, and the blocks that say how they came about, in SQLite.

Every function works inside the caller's transaction and speaks in the words of ICRC-1 when it refuses.
Source: the public interface and behaviour of the mainnet ICP ledger. Its blocks are hashed as protocol buffers; here
the parent hash is the representation-independent one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.icp_types import GOVERNANCE_ID, ICP_FEE_E8S
from personal_ai.ic.ledger_types import DEDUPLICATION_WINDOW_NS, PERMITTED_DRIFT_NS
from personal_ai.ic.request_id import hash_of_map
from personal_ai.replica.money.balances import Balances
from personal_ai.replica.money.builtin import Refusal, Trap

MINTING_ACCOUNT = AccountIdentifier.of(GOVERNANCE_ID)
MIN_BURN_E8S = ICP_FEE_E8S
BALANCES = Balances("icp_balance", "e8s")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS icp_block (
    id INTEGER PRIMARY KEY, parent_hash BLOB, hash BLOB NOT NULL, time_ns INTEGER NOT NULL, sender BLOB, receiver BLOB,
    amount INTEGER NOT NULL, fee INTEGER NOT NULL, memo TEXT NOT NULL, icrc1_memo BLOB, created_at_ns INTEGER,
    transaction_hash BLOB);
CREATE INDEX IF NOT EXISTS icp_transaction ON icp_block (transaction_hash);
CREATE INDEX IF NOT EXISTS icp_sender ON icp_block (sender);
CREATE INDEX IF NOT EXISTS icp_receiver ON icp_block (receiver)
"""
_COLUMNS = "id, parent_hash, time_ns, sender, receiver, amount, fee, memo, icrc1_memo, created_at_ns"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A movement of ICP in e8s: without a sender it is a mint, without a receiver a burn."""

    sender: AccountIdentifier | None
    receiver: AccountIdentifier | None
    amount: int
    fee: int = 0
    memo: int = 0
    icrc1_memo: bytes | None = None
    created_at_ns: int | None = None

    @property
    def hash(self) -> bytes:
        """The same for two transactions that differ in nothing."""
        return hash_of_map(
            {
                "from": self.sender and self.sender.bytes,
                "to": self.receiver and self.receiver.bytes,
                "amount": self.amount,
                "fee": self.fee,
                "memo": self.memo,
                "icrc1_memo": self.icrc1_memo,
                "created_at_time": self.created_at_ns,
            }
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A transaction with its place in the chain and the time (ns) at which the ledger took it."""

    index: int
    parent_hash: bytes | None
    time_ns: int
    transaction: Transaction


def create_tables(db: sqlite3.Connection) -> None:
    BALANCES.create_table(db)
    for statement in _SCHEMA.split(";"):
        db.execute(statement)


def mint(db: sqlite3.Connection, receiver: AccountIdentifier, amount: int, now_ns: int) -> int:
    """Puts new ICP on an account; gives the block's index."""
    BALANCES.credit(db, receiver.bytes, amount)
    return _append(db, Transaction(None, receiver, amount), now_ns)


def move(db: sqlite3.Connection, wanted: Transaction, now_ns: int) -> int:
    """Carries out a transfer, or a burn where it goes to the minting account; gives the block's index.

    Raises Refusal (BadFee, BadBurn, TooOld, CreatedInFuture, Duplicate, InsufficientFunds) and Trap.
    """
    assert wanted.sender is not None
    if MINTING_ACCOUNT in (wanted.sender, wanted.receiver):
        wanted = _burn(wanted)
    elif wanted.fee != ICP_FEE_E8S:
        raise Refusal("BadFee", {"expected_fee": ICP_FEE_E8S})
    _check_time(wanted.created_at_ns, now_ns)
    if wanted.created_at_ns is not None and (found := _duplicate_of(db, wanted, now_ns)) is not None:
        raise Refusal("Duplicate", {"duplicate_of": found})
    assert wanted.sender is not None
    BALANCES.debit(db, wanted.sender.bytes, wanted.amount + wanted.fee)
    if wanted.receiver is not None:
        BALANCES.credit(db, wanted.receiver.bytes, wanted.amount)
    return _append(db, wanted, now_ns)


def _burn(wanted: Transaction) -> Transaction:
    if wanted.sender == MINTING_ACCOUNT:
        raise Trap("nobody can spend from the minting account here")
    if wanted.fee:
        raise Refusal("BadFee", {"expected_fee": 0})
    if wanted.amount < MIN_BURN_E8S:
        raise Refusal("BadBurn", {"min_burn_amount": MIN_BURN_E8S})
    return Transaction(wanted.sender, None, wanted.amount, 0, wanted.memo, wanted.icrc1_memo, wanted.created_at_ns)


def _check_time(created_at_ns: int | None, now_ns: int) -> None:
    if created_at_ns is None:
        return
    if created_at_ns + DEDUPLICATION_WINDOW_NS < now_ns:
        raise Refusal("TooOld")
    if created_at_ns > now_ns + PERMITTED_DRIFT_NS:
        raise Refusal("CreatedInFuture", {"ledger_time": now_ns})


def _duplicate_of(db: sqlite3.Connection, wanted: Transaction, now_ns: int) -> int | None:
    row = db.execute(
        "SELECT id FROM icp_block WHERE transaction_hash = ? AND created_at_ns >= ?",
        (wanted.hash, now_ns - DEDUPLICATION_WINDOW_NS),
    ).fetchone()
    return None if row is None else int(row[0])


def _append(db: sqlite3.Connection, done: Transaction, now_ns: int) -> int:
    last = db.execute("SELECT id, hash FROM icp_block ORDER BY id DESC LIMIT 1").fetchone()
    index, parent_hash = (0, None) if last is None else (last[0] + 1, last[1])
    block_hash = hash_of_map({"parent_hash": parent_hash, "timestamp": now_ns, "transaction": done.hash})
    sender, receiver = (None if one is None else one.bytes for one in (done.sender, done.receiver))
    row = (
        index, parent_hash, block_hash, now_ns, sender, receiver, done.amount, done.fee, str(done.memo),
        done.icrc1_memo, done.created_at_ns, None if done.created_at_ns is None else done.hash,
    )  # fmt: skip
    db.execute("INSERT INTO icp_block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return int(index)


def length(db: sqlite3.Connection) -> int:
    """How many blocks there are."""
    return int(db.execute("SELECT count(*) FROM icp_block").fetchone()[0])


def block(db: sqlite3.Connection, index: int) -> Block | None:
    """One block, None where there is none."""
    return next(iter(blocks(db, index, 1)), None)


def blocks(db: sqlite3.Connection, start: int, count: int) -> list[Block]:
    """Up to `count` blocks from index `start`."""
    start, count = min(start, length(db)), min(count, length(db))
    query = f"SELECT {_COLUMNS} FROM icp_block WHERE id >= ? ORDER BY id LIMIT ?"  # noqa: S608 - our own column names
    return [_from_row(row) for row in db.execute(query, (start, count))]


def blocks_of(db: sqlite3.Connection, account: AccountIdentifier, before: int | None, count: int) -> list[Block]:
    """The newest `count` blocks of an account with an index below `before`, newest first."""
    limit = length(db) if before is None else min(before, length(db))
    query = (
        f"SELECT {_COLUMNS} FROM icp_block WHERE (sender = ?1 OR receiver = ?1) AND id < ?2 "  # noqa: S608
        "ORDER BY id DESC LIMIT ?3"
    )
    return [_from_row(row) for row in db.execute(query, (account.bytes, limit, min(count, length(db))))]


def oldest_of(db: sqlite3.Connection, account: AccountIdentifier) -> int | None:
    """The index of an account's first block."""
    query = "SELECT min(id) FROM icp_block WHERE sender = ?1 OR receiver = ?1"
    index: int | None = db.execute(query, (account.bytes,)).fetchone()[0]
    return index


def replayed(db: sqlite3.Connection) -> dict[bytes, int]:
    """The balances that the blocks come to, read from the first on."""
    balances: dict[bytes, int] = {}
    for one in blocks(db, 0, length(db)):
        for account, change in _changes(one.transaction):
            balances[account] = balances.get(account, 0) + change
    return {account: amount for account, amount in balances.items() if amount}


def _changes(done: Transaction) -> Iterator[tuple[bytes, int]]:
    if done.sender is not None:
        yield done.sender.bytes, -(done.amount + done.fee)
    if done.receiver is not None:
        yield done.receiver.bytes, done.amount


def _from_row(
    row: tuple[int, bytes | None, int, bytes | None, bytes | None, int, int, str, bytes | None, int],
) -> Block:
    index, parent_hash, time_ns, sender, receiver, amount, fee, memo, icrc1_memo, created_at_ns = row
    accounts = [None if one is None else AccountIdentifier(one) for one in (sender, receiver)]
    done = Transaction(accounts[0], accounts[1], amount, fee, int(memo), icrc1_memo, created_at_ns)
    return Block(index, parent_hash, time_ns, done)
