"""The SQLite file of the practice network's state: its tables, and opening it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from personal_ai.common.errors import StorageError, UnknownVersionError

REDO_LIMIT_BYTES = 64 << 20
_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS canister (id BLOB PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS wasm (hash BLOB PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS redo (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, offset INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS canister_log (
    canister BLOB NOT NULL, idx INTEGER NOT NULL, time_ns INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (canister, idx));
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Raises StorageError, UnknownVersionError."""
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise StorageError(f"Could not open the practice network's state: {error}.") from error
    return db


def _prepare(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise UnknownVersionError(f"The practice network's state has version {version}, this program {_VERSION}.")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA journal_size_limit = {REDO_LIMIT_BYTES}")
    db.executescript(_SCHEMA)
    db.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Raises StorageError in the words of this network."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"The practice network could not save its state: {error}.", not_lost="The state before is unchanged."
        ) from error
