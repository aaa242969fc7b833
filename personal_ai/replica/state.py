"""The practice network's state on disk: one folder that is always whole, whenever the process was killed.

    state.sqlite              all metadata and the redo log (the network half keeps its tables here too)
    canisters/<id>/heap-<n>   the committed Wasm memory: a sparse file of generation n
    canisters/<id>/stable-<n> the committed stable memory

A commit is one SQLite transaction: the new metadata together with every changed piece of memory. Only then
are the pieces written into the files. After a crash the log is written into the files again; doing that twice
is harmless. The log is cut once the files have reached the disk.

Locks, always in this order: a canister's `updating`, its `files` (writing for a commit, reading while a message
reads the files), the transaction.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from personal_ai.common.errors import StorageError
from personal_ai.common.files import storage_errors
from personal_ai.replica.canister import (
    CanisterSettings,
    CanisterState,
    LogRecord,
    from_document,
    to_document,
)
from personal_ai.replica.locks import ReadWriteLock
from personal_ai.replica.memory_files import Piece, sync_file, write_piece
from personal_ai.replica.state_database import REDO_LIMIT_BYTES, open_database, sqlite_errors

_LOG_LIMIT_BYTES = 4096
_PIECE_BYTES = 1 << 20


@dataclass
class CanisterLocks:
    """`updating`: one changing message at a time. `files`: commits wait for the messages that read the files."""

    updating: threading.RLock = field(default_factory=threading.RLock)
    files: ReadWriteLock = field(default_factory=ReadWriteLock)


@dataclass
class _Pending:
    """What the open transaction will do besides its SQL once it is committed."""

    canisters: dict[bytes, CanisterState | None] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)


class StateStore:
    """Opens `folder`, replays the redo log after a crash and removes what no committed state refers to.

    Safe to use from several threads. Raises StorageError, UnknownVersionError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with storage_errors("open the practice network's state"):
            (folder / "canisters").mkdir(parents=True, exist_ok=True)
        self._db = open_database(folder / "state.sqlite")
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._pending: _Pending | None = None
        self._redo_bytes = 0
        self._damage: StorageError | None = None  # committed pieces that are only in the log
        self._locks: defaultdict[bytes, CanisterLocks] = defaultdict(CanisterLocks)
        self._canisters = {
            state.id: state
            for (row,) in self._db.execute("SELECT document FROM canister")
            for state in [from_document(row)]
        }
        wanted = self._wanted_files()
        self._remove_files_but(wanted)
        self._replay(wanted)
        self._forget_unused_modules()

    # ---- transactions

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside commits atomically or not at all; a transaction inside another joins it.

        Raises StorageError when the disk refuses; then nothing has changed.
        """
        with self._lock:
            if self._pending is not None:
                yield self._db
                return
            self._check_whole()
            self._pending = pending = _Pending()
            self._owner = threading.get_ident()
            try:
                with sqlite_errors():
                    self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    with sqlite_errors():
                        self._log(pending.pieces)
                        self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            finally:
                self._pending = self._owner = None
            self._apply(pending)

    def in_transaction(self) -> bool:
        """Whether the calling thread is inside `transaction()`."""
        return self._owner == threading.get_ident()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Calls `action` once the open transaction is committed; never when it is rolled back."""
        self._open_transaction().afterwards.append(action)

    def _open_transaction(self) -> _Pending:
        if self._pending is None or not self.in_transaction():
            raise RuntimeError("a change of the state outside a transaction")
        return self._pending

    def close(self) -> None:
        """Brings everything to the disk and closes. Only when no message runs."""
        with self._lock:
            if self._damage is None:
                self._cut_redo()
            self._db.close()

    # ---- canisters

    def canister(self, canister_id: bytes) -> CanisterState | None:
        """The committed state, or inside a transaction the state as this transaction sees it. Raises StorageError."""
        self._check_whole()
        if self._pending is not None and self.in_transaction() and canister_id in self._pending.canisters:
            return self._pending.canisters[canister_id]
        return self._canisters.get(canister_id)

    def canisters(self) -> tuple[CanisterState, ...]:
        """All committed canisters, by id."""
        return tuple(self._canisters[key] for key in sorted(self._canisters.copy()))

    def create_canister(
        self, canister_id: bytes, controllers: Iterable[bytes], settings: CanisterSettings, cycles: int
    ) -> CanisterState:
        """A new, empty canister. Inside a transaction or as one of its own."""
        if self.canister(canister_id) is not None:
            raise ValueError("this canister exists")
        state = CanisterState(canister_id, tuple(controllers), settings, cycles=cycles)
        with self.transaction():
            self.save(state)
        return state

    def save(self, state: CanisterState) -> None:
        """Replaces a canister's metadata; only inside a transaction."""
        pending = self._open_transaction()
        with sqlite_errors():
            self._db.execute("INSERT OR REPLACE INTO canister VALUES (?, ?)", (state.id, to_document(state)))
        pending.canisters[state.id] = state

    def delete_canister(self, canister_id: bytes) -> None:
        """Removes a canister with its memories and its log. Inside a transaction or as one of its own."""
        with self.transaction():
            state = self.canister(canister_id)
            if state is None:
                return
            with sqlite_errors():
                self._db.execute("DELETE FROM canister WHERE id = ?", (canister_id,))
                self._db.execute("DELETE FROM canister_log WHERE canister = ?", (canister_id,))
            self._open_transaction().canisters[canister_id] = None
            self._forget(self._files(state))
            self.after_commit(partial(shutil.rmtree, self.canister_folder(canister_id), ignore_errors=True))

    def locks(self, canister_id: bytes) -> CanisterLocks:
        return self._locks[canister_id]

    # ---- modules and logs

    def wasm(self, module_hash: bytes) -> bytes | None:
        """The module as it was sent (perhaps gzip)."""
        with self._lock:
            row = self._db.execute("SELECT content FROM wasm WHERE hash = ?", (module_hash,)).fetchone()
        return None if row is None else row[0]

    def put_wasm(self, module_hash: bytes, content: bytes) -> None:
        self._open_transaction()
        with sqlite_errors():
            self._db.execute("INSERT OR IGNORE INTO wasm VALUES (?, ?)", (module_hash, content))

    def append_log(self, canister_id: bytes, time_ns: int, lines: Iterable[bytes]) -> None:
        """Adds lines to a canister's log and drops the oldest ones beyond 4 KiB."""
        with self.transaction() as db, sqlite_errors():
            (last,) = db.execute("SELECT max(idx) FROM canister_log WHERE canister = ?", (canister_id,)).fetchone()
            first = 0 if last is None else last + 1
            rows = [(canister_id, first + n, time_ns, line[:_LOG_LIMIT_BYTES]) for n, line in enumerate(lines)]
            db.executemany("INSERT INTO canister_log VALUES (?, ?, ?, ?)", rows)
            db.execute(
                "DELETE FROM canister_log WHERE canister = ?1 AND idx <= (SELECT max(idx) FROM (SELECT idx, sum(length("
                "content)) OVER (ORDER BY idx DESC) AS total FROM canister_log WHERE canister = ?1) WHERE total > ?2)",
                (canister_id, _LOG_LIMIT_BYTES),
            )

    def log(self, canister_id: bytes) -> tuple[LogRecord, ...]:
        query = "SELECT idx, time_ns, content FROM canister_log WHERE canister = ? ORDER BY idx"
        with self._lock:
            return tuple(LogRecord(*row) for row in self._db.execute(query, (canister_id,)))

    # ---- memory files

    def canister_folder(self, canister_id: bytes) -> Path:
        return self._folder / "canisters" / canister_id.hex()

    def heap_path(self, canister_id: bytes, generation: int) -> Path:
        return self.canister_folder(canister_id) / f"heap-{generation}"

    def stable_path(self, canister_id: bytes, generation: int) -> Path:
        return self.canister_folder(canister_id) / f"stable-{generation}"

    def forget_files(self, before: CanisterState, after: CanisterState) -> None:
        """Removes the memory files of an old generation once the open transaction is committed."""
        self._forget(self._files(before) - self._files(after))

    def _forget(self, paths: set[Path]) -> None:
        for path in paths:
            with sqlite_errors():  # a later file of this name must not get these pieces
                self._db.execute("DELETE FROM redo WHERE path = ?", (self._name(path),))
            self.after_commit(partial(path.unlink, missing_ok=True))

    def _name(self, path: Path) -> str:
        """A memory file as the redo log names it."""
        return path.relative_to(self._folder).as_posix()

    def _files(self, state: CanisterState) -> set[Path]:
        return {
            self.heap_path(state.id, state.heap_generation),
            self.stable_path(state.id, state.stable_generation),
        }

    @property
    def compiled_folder(self) -> Path:
        """Compiled modules: a cache that may be deleted."""
        return self._folder / "compiled"

    @property
    def compiled_key(self) -> bytes:
        """The secret with which this state seals its compiled modules."""
        with self.transaction() as db, sqlite_errors():
            db.execute("INSERT OR IGNORE INTO meta VALUES ('compiled key', ?)", (secrets.token_bytes(32),))
            (key,) = db.execute("SELECT value FROM meta WHERE name = 'compiled key'").fetchone()
        return bytes(key)

    def write_pieces(self, pieces: Iterable[Piece]) -> None:
        """Puts changes of memory files into the open transaction. Hold `files.writing()` until that is over."""
        self._open_transaction().pieces.extend(pieces)

    def _log(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            name = self._name(piece.path)
            for start in range(0, len(piece.content), _PIECE_BYTES):
                content = piece.content[start : start + _PIECE_BYTES]
                self._db.execute(
                    "INSERT INTO redo (path, offset, content) VALUES (?, ?, ?)", (name, piece.offset + start, content)
                )

    def _check_whole(self) -> None:
        if self._damage is not None:
            raise self._damage

    def _apply(self, pending: _Pending) -> None:
        for canister_id, state in pending.canisters.items():
            if state is None:
                self._canisters.pop(canister_id, None)
            else:
                self._canisters[canister_id] = state
        try:
            for piece in pending.pieces:
                write_piece(piece)
                self._redo_bytes += len(piece.content)
        except StorageError as error:
            self._damage = StorageError(
                error.what, not_lost="Nothing is lost.", next_step="Make room, then start the practice network again."
            )
            raise self._damage from error
        for action in pending.afterwards:
            action()
        if self._redo_bytes > REDO_LIMIT_BYTES:
            self._cut_redo()

    def _replay(self, wanted: set[Path]) -> None:
        for name, offset, content in self._db.execute("SELECT path, offset, content FROM redo ORDER BY seq"):
            path = self._folder / name
            if path in wanted:  # else its canister or its generation is gone
                write_piece(Piece(path, offset, content))
        self._cut_redo()

    def _cut_redo(self) -> None:
        for (name,) in self._db.execute("SELECT DISTINCT path FROM redo").fetchall():
            with storage_errors("save a canister's memory"), suppress(FileNotFoundError):
                sync_file(self._folder / name)
        with sqlite_errors():
            self._db.execute("DELETE FROM redo")
        self._redo_bytes = 0

    # ---- opening

    def _forget_unused_modules(self) -> None:
        used = {state.module_hash for state in self._canisters.values()}
        for (module_hash,) in self._db.execute("SELECT hash FROM wasm").fetchall():
            if module_hash not in used:
                self._db.execute("DELETE FROM wasm WHERE hash = ?", (module_hash,))

    def _wanted_files(self) -> set[Path]:
        return set[Path]().union(*map(self._files, self._canisters.values()))

    def _remove_files_but(self, wanted: set[Path]) -> None:
        with storage_errors("tidy up the practice network's state"):
            for folder in (self._folder / "canisters").iterdir():
                for path in folder.iterdir():
                    if path not in wanted:
                        path.unlink()
                if not any(folder.iterdir()):
                    folder.rmdir()
