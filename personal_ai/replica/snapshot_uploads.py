"""Snapshots that come from outside: first what they are, then their contents piece by piece, in any order.

Until a piece has come, what it would fill is zero. A snapshot that was taken on the network is never written to.
Source: the interface specification, "IC method upload_canister_snapshot_metadata" and the one after it. It does not
say what these cost: the first is taken to cost what taking one does before its bytes, the second what reading does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from personal_ai.ic import management_types as types
from personal_ai.ic.candid import Type, encode
from personal_ai.replica import chunk_store
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import Result, Task
from personal_ai.replica.canister import WASM_PAGE_BYTES, CanisterState, Global
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.settings import invalid
from personal_ai.replica.snapshot_methods import GLOBAL_FORMATS, READ_INSTRUCTIONS, TAKE_INSTRUCTIONS
from personal_ai.replica.snapshots import TIMER_STAYS, Snapshot, Snapshots
from personal_ai.replica.state import StateStore
from personal_ai.replica.wasm.validation import GLOBALS_MAX

MAX_MODULE_BYTES = 100 << 20
MAX_HEAP_BYTES = 6 << 30
MAX_STABLE_BYTES = 500 << 30
MAX_CERTIFIED_BYTES = 32
_NOTHING = encode([], [])


class SnapshotUploads:
    """Access has been checked before any of `tasks` runs; they finish their call themselves. All raise CallRejected."""

    def __init__(self, store: StateStore, accounts: Accounts, canisters: Canisters, snapshots: Snapshots) -> None:
        self._store, self._accounts, self._canisters, self._snapshots = store, accounts, canisters, snapshots
        self.tasks: dict[str, tuple[Type, Callable[[Task, Any], None]]] = {
            "upload_canister_snapshot_metadata": (types.UPLOAD_SNAPSHOT_METADATA_ARGS, self._begin),
            "upload_canister_snapshot_data": (types.UPLOAD_SNAPSHOT_DATA_ARGS, self._write),
        }

    def _begin(self, task: Task, arg: dict[str, Any]) -> None:
        canister_id, replaced = arg["canister_id"].bytes, arg["replace_snapshot"]
        with self._store.locks(canister_id).updating:
            now = self._canisters.get(arg["canister_id"])
            described = _described(now, arg)
            with self._store.transaction() as db:
                self._snapshots.check_number(db, canister_id, replaced)
            task.due_cycles += self._accounts.price(now, TAKE_INSTRUCTIONS, task.now_ns)
            with self._snapshots.blank(described) as snapshot_id, self._store.transaction() as db:
                if replaced is not None:
                    self._snapshots.delete(db, canister_id, replaced)
                self._snapshots.add_blank(db, snapshot_id, described, arg["wasm_module_size"], task.now_ns)
                reply = encode([types.UPLOAD_SNAPSHOT_METADATA_RESULT], [{"snapshot_id": snapshot_id}])
                task.finish(db, Result(reply=reply, cycles=task.due_cycles))

    def _write(self, task: Task, arg: dict[str, Any]) -> None:
        canister_id, chunk = arg["canister_id"].bytes, arg["chunk"]
        with self._store.locks(canister_id).updating:
            now = self._canisters.get(arg["canister_id"])
            with self._store.transaction() as db:
                snapshot = self._snapshots.get(db, canister_id, arg["snapshot_id"])
            if not snapshot.uploaded:
                raise invalid("Nothing can be written into a snapshot that was taken of a canister.")
            task.due_cycles += self._accounts.price(now, READ_INSTRUCTIONS + len(chunk), task.now_ns)
            write = self._writer(snapshot, arg["kind"], chunk)
            with self._store.transaction() as db:
                write(db)
                task.finish(db, Result(reply=_NOTHING, cycles=task.due_cycles))

    def _writer(self, snapshot: Snapshot, kind: tuple[str, Any], chunk: bytes) -> Callable[[Connection], None]:
        """What is left to do in the transaction; memory is on the disk already, where writing twice is harmless."""
        case, place = kind
        if case == "wasm_chunk":
            if len(chunk) > chunk_store.RENT_BYTES or len(snapshot.chunks) >= chunk_store.MAX_CHUNKS:
                raise invalid("A snapshot's chunk store has 100 chunks of at most 1 MiB.")
            return lambda db: self._snapshots.add_chunk(db, snapshot, chunk)
        offset: int = place["offset"]
        if case == "wasm_module":
            if offset + len(chunk) > len(snapshot.wasm):
                raise invalid("The piece lies beyond the end of the module.")
            return lambda db: self._snapshots.write_module(db, snapshot, offset, chunk)
        self._snapshots.write_memory(snapshot, case, offset, chunk)
        return lambda _: None


def _described(now: CanisterState, arg: dict[str, Any]) -> CanisterState:
    """The state that the snapshot will hold. Raises CallRejected where there can be none like it."""
    heap_bytes, stable_bytes = arg["wasm_memory_size"], arg["stable_memory_size"]
    if heap_bytes % WASM_PAGE_BYTES or stable_bytes % WASM_PAGE_BYTES:
        raise invalid("The size of a memory is a number of whole pages.")
    if heap_bytes > MAX_HEAP_BYTES or stable_bytes > MAX_STABLE_BYTES or arg["wasm_module_size"] > MAX_MODULE_BYTES:
        raise invalid("No canister is as large as this snapshot.")
    if len(arg["globals"]) > GLOBALS_MAX or len(arg["certified_data"]) > MAX_CERTIFIED_BYTES:
        raise invalid("No canister has as many globals or as much certified data.")
    return replace(
        now,
        module_hash=None,
        globals=tuple(_bits(kind, value) for kind, value in arg["globals"]),
        heap_pages=heap_bytes // WASM_PAGE_BYTES,
        stable_pages=stable_bytes // WASM_PAGE_BYTES,
        certified_data=arg["certified_data"],
        global_timer_ns=_timer(arg["global_timer"]),
    )


def _timer(told: tuple[str, int | None] | None) -> int:
    if told is None:
        return TIMER_STAYS
    return told[1] or 0


def _bits(kind: str, value: float) -> Global:
    """A mutable global as the state keeps it."""
    if kind == "v128":
        if not 0 <= value < 1 << 128:
            raise invalid("A v128 global has 128 bits.")
        return Global(kind, int(value))
    integer, number = GLOBAL_FORMATS[kind]
    (bits,) = struct.unpack(integer, struct.pack(number, value))
    return Global(kind, bits)
