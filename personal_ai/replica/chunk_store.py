"""The chunk stores: pieces of modules too large for one message, kept beside a canister until they are installed."""

from __future__ import annotations

import hashlib
import sqlite3

MAX_CHUNKS = 100  # CHUNK_STORE_SIZE of the interface specification
RENT_BYTES = 1 << 20  # a stored chunk costs as much as a full one

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chunk (
    canister BLOB NOT NULL, hash BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (canister, hash))
"""


def create_table(db: sqlite3.Connection) -> None:
    db.execute(_SCHEMA)


def put(db: sqlite3.Connection, canister_id: bytes, chunk: bytes) -> bytes:
    """Stores a chunk, once however often it is sent, and gives its SHA-256."""
    digest = hashlib.sha256(chunk).digest()
    db.execute("INSERT OR IGNORE INTO chunk VALUES (?, ?, ?)", (canister_id, digest, chunk))
    return digest


def get(db: sqlite3.Connection, canister_id: bytes, digest: bytes) -> bytes | None:
    row = db.execute("SELECT content FROM chunk WHERE canister = ? AND hash = ?", (canister_id, digest)).fetchone()
    return None if row is None else row[0]


def hashes(db: sqlite3.Connection, canister_id: bytes) -> list[bytes]:
    """SHA-256 of each chunk, in their order."""
    return [row[0] for row in db.execute("SELECT hash FROM chunk WHERE canister = ? ORDER BY hash", (canister_id,))]


def clear(db: sqlite3.Connection, canister_id: bytes) -> None:
    db.execute("DELETE FROM chunk WHERE canister = ?", (canister_id,))
