"""Snapshots of canisters: module, memories, stored chunks and certified data as they were at one moment.

A row and a folder with two files each; the files are on the disk before the row can refer to them, and files
without a row are removed when the network starts. A snapshot dies with its canister.
Source: the interface specification, "IC method take_canister_snapshot" and those after it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from personal_ai.common.files import storage_errors
from personal_ai.replica import chunk_store
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.canister import WASM_PAGE_BYTES, CanisterState, from_document, to_document
from personal_ai.replica.heap import HEAP_FILE_BYTES
from personal_ai.replica.memory_files import create_memory_file
from personal_ai.replica.settings import invalid
from personal_ai.replica.sparse import copy_sparse
from personal_ai.replica.state import StateStore

MAX_SNAPSHOTS = 10
SNAPSHOTS_FOLDER = "snapshots"
_ID_NUMBER_BYTES = 8

_SCHEMA = """
CREATE TABLE IF NOT EXISTS snapshot (
    id BLOB PRIMARY KEY, canister BLOB NOT NULL, taken_ns INTEGER NOT NULL, document TEXT NOT NULL, wasm BLOB NOT NULL,
    uploaded INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS snapshot_chunk (
    snapshot BLOB NOT NULL, hash BLOB NOT NULL, content BLOB NOT NULL, PRIMARY KEY (snapshot, hash));
CREATE TABLE IF NOT EXISTS snapshot_number (canister BLOB PRIMARY KEY, last INTEGER NOT NULL)
"""
_ADD_UPLOADED = "ALTER TABLE snapshot ADD COLUMN uploaded INTEGER NOT NULL DEFAULT 0"  # older states
_COLUMNS = "id, taken_ns, document, wasm, uploaded"
TIMER_STAYS = -1  # in the state of an uploaded snapshot that does not say what becomes of the timer


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`state`: the canister's, as it was. `wasm`: the module as it was sent. `chunks`: SHA-256 of those stored.

    uploaded: it came from outside; its state has no module hash, because its module may still be coming.
    """

    id: bytes
    taken_ns: int
    state: CanisterState
    wasm: bytes
    chunks: tuple[bytes, ...]
    uploaded: bool = False

    @property
    def size_bytes(self) -> int:
        """All that rent is paid for."""
        return self.state.memory_bytes + len(self.wasm) + len(self.chunks) * chunk_store.RENT_BYTES


class Snapshots:
    """The snapshots of all canisters. Raises CallRejected where one is not there, StorageError."""

    def __init__(self, store: StateStore, accounts: Accounts, folder: Path) -> None:
        self._store, self._accounts, self._folder = store, accounts, folder
        with store.transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            if not any(column[1] == "uploaded" for column in db.execute("PRAGMA table_info(snapshot)")):
                db.execute(_ADD_UPLOADED)
            known = {snapshot_id.hex() for (snapshot_id,) in db.execute("SELECT id FROM snapshot")}
        with storage_errors("tidy up the practice network's snapshots"), suppress(FileNotFoundError):
            for path in folder.iterdir():
                if path.name not in known:
                    shutil.rmtree(path)

    def of(self, db: sqlite3.Connection, canister_id: bytes) -> list[Snapshot]:
        """All snapshots of a canister, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM snapshot WHERE canister = ? ORDER BY id"  # noqa: S608 - our own names
        return [self._from_row(db, row) for row in db.execute(query, (canister_id,)).fetchall()]

    def get(self, db: sqlite3.Connection, canister_id: bytes, snapshot_id: bytes) -> Snapshot:
        query = f"SELECT {_COLUMNS} FROM snapshot WHERE canister = ? AND id = ?"  # noqa: S608 - our own names
        row = db.execute(query, (canister_id, snapshot_id)).fetchone()
        if row is None:
            raise invalid(f"The canister has no snapshot {snapshot_id.hex()}.")
        return self._from_row(db, row)

    def check_number(self, db: sqlite3.Connection, canister_id: bytes, replaced: bytes | None) -> None:
        """Whether one more may come, in the place of `replaced` where that is given."""
        if replaced is not None:
            self.get(db, canister_id, replaced)
        elif len(self.of(db, canister_id)) >= MAX_SNAPSHOTS:
            raise invalid(f"A canister has at most {MAX_SNAPSHOTS} snapshots: delete or replace one.")

    @contextmanager
    def copied(self, state: CanisterState) -> Iterator[bytes]:
        """Copies a canister's memories for a new snapshot; gives its id, to be used in `add` by the end of the block.

        Hold the canister's `updating` lock. Unless the snapshot was added, the copies go again.
        """
        with self._new(state.id) as (snapshot_id, heap, stable):
            with self._store.locks(state.id).files.reading():
                copy_sparse(self._store.heap_path(state.id, state.heap_generation), heap)
                copy_sparse(self._store.stable_path(state.id, state.stable_generation), stable)
            yield snapshot_id

    @contextmanager
    def blank(self, described: CanisterState) -> Iterator[bytes]:
        """Memories of zeros for a snapshot that is to be uploaded; its id is for `add_blank`, as that of `copied`."""
        with self._new(described.id) as (snapshot_id, heap, stable):
            create_memory_file(heap, HEAP_FILE_BYTES)
            create_memory_file(stable, described.stable_pages * WASM_PAGE_BYTES)
            yield snapshot_id

    @contextmanager
    def _new(self, canister_id: bytes) -> Iterator[tuple[bytes, Path, Path]]:
        """An id and its two files, which go again unless the snapshot was added."""
        snapshot_id = self._new_id(canister_id)
        heap, stable = self._files(snapshot_id)
        try:
            yield snapshot_id, heap, stable
        finally:
            with self._store.transaction() as db:
                added = db.execute("SELECT 1 FROM snapshot WHERE id = ?", (snapshot_id,)).fetchone()
            if added is None:
                shutil.rmtree(heap.parent, ignore_errors=True)

    def add(self, db: sqlite3.Connection, snapshot_id: bytes, state: CanisterState, taken_ns: int) -> Snapshot:
        """Writes down the snapshot whose memories are copied."""
        assert state.module_hash is not None
        wasm = self._store.wasm(state.module_hash)
        row = (snapshot_id, state.id, taken_ns, to_document(state), wasm, False)
        db.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", row)
        db.execute(
            "INSERT INTO snapshot_chunk SELECT ?, hash, content FROM chunk WHERE canister = ?", (snapshot_id, state.id)
        )
        self._count(db, state.id)
        return self.get(db, state.id, snapshot_id)

    def add_blank(
        self, db: sqlite3.Connection, snapshot_id: bytes, described: CanisterState, module_bytes: int, taken_ns: int
    ) -> None:
        """Writes down a snapshot whose contents are still to come."""
        row = (snapshot_id, described.id, taken_ns, to_document(described), bytes(module_bytes), True)
        db.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", row)
        self._count(db, described.id)

    def add_chunk(self, db: sqlite3.Connection, snapshot: Snapshot, chunk: bytes) -> None:
        row = (snapshot.id, hashlib.sha256(chunk).digest(), chunk)
        db.execute("INSERT OR IGNORE INTO snapshot_chunk VALUES (?, ?, ?)", row)
        self._count(db, snapshot.state.id)

    def write_module(self, db: sqlite3.Connection, snapshot: Snapshot, offset: int, content: bytes) -> None:
        """The caller has checked the range."""
        wasm = snapshot.wasm[:offset] + content + snapshot.wasm[offset + len(content) :]
        db.execute("UPDATE snapshot SET wasm = ? WHERE id = ?", (wasm, snapshot.id))

    def write_memory(self, snapshot: Snapshot, kind: str, offset: int, content: bytes) -> None:
        """Puts a piece of `wasm_memory` or `stable_memory` onto the disk."""
        path = self._memory(snapshot, kind, offset, len(content))
        with storage_errors("write a snapshot"), path.open("r+b") as file:
            file.seek(offset)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def delete(self, db: sqlite3.Connection, canister_id: bytes, snapshot_id: bytes) -> None:
        self.get(db, canister_id, snapshot_id)
        db.execute("DELETE FROM snapshot WHERE id = ?", (snapshot_id,))
        db.execute("DELETE FROM snapshot_chunk WHERE snapshot = ?", (snapshot_id,))
        self._count(db, canister_id)
        folder = self._files(snapshot_id)[0].parent
        self._store.after_commit(partial(shutil.rmtree, folder, ignore_errors=True))

    def delete_all(self, db: sqlite3.Connection, canister_id: bytes) -> None:
        """With their canister."""
        for snapshot in self.of(db, canister_id):
            self.delete(db, canister_id, snapshot.id)

    @contextmanager
    def restored(self, state: CanisterState, snapshot: Snapshot) -> Iterator[CanisterState]:
        """Copies a snapshot's memories for a canister; gives the state to save with them by the end of the block.

        Hold the canister's `updating` lock. Unless the state was saved, the copies go again.
        """
        timer_ns = snapshot.state.global_timer_ns
        if timer_ns == TIMER_STAYS:
            timer_ns = state.global_timer_ns
        renewed = replace(
            snapshot.state,
            controllers=state.controllers,
            settings=state.settings,
            status=state.status,
            cycles=state.cycles,
            reserved_cycles=state.reserved_cycles,
            global_timer_ns=timer_ns,
            heap_generation=state.heap_generation + 1,
            stable_generation=state.stable_generation + 1,
            canister_version=state.canister_version + 1,
        )
        heap = self._store.heap_path(state.id, renewed.heap_generation)
        stable = self._store.stable_path(state.id, renewed.stable_generation)
        try:
            for source, target in zip(self._files(snapshot.id), (heap, stable), strict=True):
                copy_sparse(source, target)
            yield renewed
        finally:
            now = self._store.canister(state.id)
            if now is None or now.heap_generation != renewed.heap_generation:
                for path in (heap, stable):
                    path.unlink(missing_ok=True)

    def restore(self, db: sqlite3.Connection, renewed: CanisterState, snapshot: Snapshot, now_ns: int) -> None:
        """Saves the state that `restored` gave, with module and stored chunks."""
        before = self._store.canister(renewed.id)
        assert before is not None and snapshot.state.module_hash is not None
        self._store.put_wasm(snapshot.state.module_hash, snapshot.wasm)
        # The cycles of now: the copying took its time, but no other message could run.
        self._store.save(replace(renewed, cycles=before.cycles))
        self._store.forget_files(before, renewed)
        chunk_store.clear(db, renewed.id)
        db.execute(
            "INSERT INTO chunk SELECT ?, hash, content FROM snapshot_chunk WHERE snapshot = ?",
            (renewed.id, snapshot.id),
        )
        account = replace(
            self._accounts.account(renewed.id),
            installed_ns=now_ns,
            module_bytes=len(snapshot.wasm),
            chunks=len(snapshot.chunks),
        )
        self._accounts.save(db, renewed.id, account)

    def read_memory(self, snapshot: Snapshot, kind: str, offset: int, size_bytes: int) -> bytes:
        """A piece of `wasm_memory` or `stable_memory`."""
        path = self._memory(snapshot, kind, offset, size_bytes)
        with storage_errors("read a snapshot"), path.open("rb") as file:
            file.seek(offset)
            return file.read(size_bytes).ljust(size_bytes, b"\0")

    def _memory(self, snapshot: Snapshot, kind: str, offset: int, size_bytes: int) -> Path:
        """The file of a memory that has the range. Raises CallRejected where it has not."""
        heap, stable = self._files(snapshot.id)
        path, pages = (
            (heap, snapshot.state.heap_pages) if kind == "wasm_memory" else (stable, snapshot.state.stable_pages)
        )
        if offset + size_bytes > pages * WASM_PAGE_BYTES:
            raise invalid("The range lies beyond the end of the memory.")
        return path

    def chunk(self, db: sqlite3.Connection, snapshot: Snapshot, digest: bytes) -> bytes:
        """A stored chunk of the snapshot."""
        query = "SELECT content FROM snapshot_chunk WHERE snapshot = ? AND hash = ?"
        row = db.execute(query, (snapshot.id, digest)).fetchone()
        if row is None:
            raise invalid(f"The snapshot has no chunk {digest.hex()}.")
        content: bytes = row[0]
        return content

    def _count(self, db: sqlite3.Connection, canister_id: bytes) -> None:
        held = sum(snapshot.size_bytes for snapshot in self.of(db, canister_id))
        self._accounts.save(db, canister_id, replace(self._accounts.account(canister_id), snapshot_bytes=held))

    def _new_id(self, canister_id: bytes) -> bytes:
        """An id is never used again, even if its snapshot does not come to be."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO snapshot_number VALUES (?, 0) ON CONFLICT (canister) DO UPDATE SET last = last + 1",
                (canister_id,),
            )
            (number,) = db.execute("SELECT last FROM snapshot_number WHERE canister = ?", (canister_id,)).fetchone()
        return canister_id + int(number).to_bytes(_ID_NUMBER_BYTES, "big")

    def _files(self, snapshot_id: bytes) -> tuple[Path, Path]:
        folder = self._folder / snapshot_id.hex()
        return folder / "heap", folder / "stable"

    def _from_row(self, db: sqlite3.Connection, row: tuple[bytes, int, str, bytes, int]) -> Snapshot:
        snapshot_id, taken_ns, document, wasm, uploaded = row
        query = "SELECT hash FROM snapshot_chunk WHERE snapshot = ? ORDER BY hash"
        chunks = tuple(digest for (digest,) in db.execute(query, (snapshot_id,)))
        return Snapshot(snapshot_id, taken_ns, from_document(document), wasm, chunks, bool(uploaded))
