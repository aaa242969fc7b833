"""The management canister's methods for snapshots; those that come from outside are made in snapshot_uploads.py.

Source: the interface specification; the instructions charged are those of the replica's published configuration.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from personal_ai.ic import management_types as types
from personal_ai.ic.candid import Type, encode
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.administration import Method
from personal_ai.replica.calls import Result, Task
from personal_ai.replica.canister import WASM_PAGE_BYTES, CanisterState, Global
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.execution import Executor
from personal_ai.replica.messages import Outcome
from personal_ai.replica.settings import invalid
from personal_ai.replica.snapshots import TIMER_STAYS, Snapshot, Snapshots
from personal_ai.replica.state import StateStore
from personal_ai.replica.wasm.binary import WasmError

TAKE_INSTRUCTIONS = 2_000_000_000  # to take or to load one, and one more for each byte of it
READ_INSTRUCTIONS = 2_000_000  # to read from one, and one more for each byte read
MAX_READ_BYTES = 2_000_000
_NOTHING = encode([], [])
GLOBAL_FORMATS = {"i32": ("<I", "<i"), "i64": ("<Q", "<q"), "f32": ("<I", "<f"), "f64": ("<Q", "<d")}


class SnapshotMethods:
    """Access has been checked before any of these methods runs. All raise CallRejected.

    `tasks` finish their call themselves, because they copy files outside a transaction; `methods` work in one.
    """

    def __init__(
        self, store: StateStore, executor: Executor, accounts: Accounts, canisters: Canisters, snapshots: Snapshots
    ) -> None:
        self._store, self._executor, self._accounts, self._canisters = store, executor, accounts, canisters
        self._snapshots = snapshots
        self.tasks: dict[str, tuple[Type, Callable[[Task, Any], None]]] = {
            "take_canister_snapshot": (types.TAKE_SNAPSHOT_ARGS, self._take),
            "load_canister_snapshot": (types.LOAD_SNAPSHOT_ARGS, self._load),
        }
        one_snapshot = types.SNAPSHOT_ARGS
        self.methods = {
            "list_canister_snapshots": Method(types.CANISTER_ID_ARGS, [types.SNAPSHOTS_RESULT], self._list),
            "delete_canister_snapshot": Method(one_snapshot, [], self._delete),
            "read_canister_snapshot_metadata": Method(one_snapshot, [types.SNAPSHOT_METADATA], self._read_metadata),
            "read_canister_snapshot_data": Method(types.READ_SNAPSHOT_ARGS, [types.SNAPSHOT_DATA], self._read_data),
        }

    def _take(self, task: Task, arg: dict[str, Any]) -> None:
        canister_id = arg["canister_id"].bytes
        with self._store.locks(canister_id).updating:
            state = self._canisters.get(arg["canister_id"])
            if state.module_hash is None:
                raise invalid("A canister without a module has nothing to take a snapshot of.")
            with self._store.transaction() as db:
                self._snapshots.check_number(db, canister_id, arg["replace_snapshot"])
            task.due_cycles += self._accounts.price(
                state, TAKE_INSTRUCTIONS + self._accounts.held_bytes(state), task.now_ns
            )
            with self._snapshots.copied(state) as snapshot_id:
                self._write_down(task, arg, snapshot_id, state)

    def _write_down(self, task: Task, arg: dict[str, Any], snapshot_id: bytes, state: CanisterState) -> None:
        def record(db: Connection, _: Outcome | None = None) -> None:
            if arg["replace_snapshot"] is not None:
                self._snapshots.delete(db, state.id, arg["replace_snapshot"])
            snapshot = self._snapshots.add(db, snapshot_id, state, task.now_ns)
            task.finish(db, Result(reply=encode([types.SNAPSHOT], [_shown(snapshot)]), cycles=task.due_cycles))

        if arg["uninstall_code"]:
            self._executor.uninstall(state.id, lambda db, outcome: self._uninstalled(db, state.id, record, outcome))
        else:
            with self._store.transaction() as db:
                record(db)

    def _uninstalled(
        self, db: Connection, canister_id: bytes, record: Callable[[Connection, Outcome], None], outcome: Outcome
    ) -> None:
        record(db, outcome)
        self._accounts.note_uninstalled(db, canister_id)

    def _load(self, task: Task, arg: dict[str, Any]) -> None:
        canister_id = arg["canister_id"].bytes
        with self._store.locks(canister_id).updating:
            state = self._canisters.get(arg["canister_id"])
            with self._store.transaction() as db:
                snapshot = self._snapshots.get(db, canister_id, arg["snapshot_id"])
            if snapshot.uploaded:
                snapshot = self._checked(snapshot)
            task.due_cycles += self._accounts.price(state, TAKE_INSTRUCTIONS + snapshot.size_bytes, task.now_ns)
            with (
                self._snapshots.restored(state, snapshot) as renewed,
                self._store.locks(canister_id).files.writing(),
                self._store.transaction() as db,
            ):
                self._snapshots.restore(db, renewed, snapshot, task.now_ns)
                task.finish(db, Result(reply=_NOTHING, cycles=task.due_cycles))

    def _checked(self, snapshot: Snapshot) -> Snapshot:
        """An uploaded snapshot whose module is valid and fits to the rest of it."""
        state = replace(snapshot.state, module_hash=hashlib.sha256(snapshot.wasm).digest())
        try:
            self._executor.check_fit(snapshot.wasm, state)
        except WasmError as error:
            raise invalid(f"The snapshot cannot be loaded: {error}") from error
        return replace(snapshot, state=state)

    def _list(self, db: Connection, _: Task, arg: dict[str, Any]) -> list[object]:
        return [[_shown(snapshot) for snapshot in self._snapshots.of(db, arg["canister_id"].bytes)]]

    def _delete(self, db: Connection, _: Task, arg: dict[str, Any]) -> list[object]:
        self._snapshots.delete(db, arg["canister_id"].bytes, arg["snapshot_id"])
        return []

    def _read_metadata(self, db: Connection, task: Task, arg: dict[str, Any]) -> list[object]:
        snapshot = self._snapshots.get(db, arg["canister_id"].bytes, arg["snapshot_id"])
        task.due_cycles += self._accounts.price(self._canisters.get(arg["canister_id"]), READ_INSTRUCTIONS, task.now_ns)
        state = snapshot.state
        metadata = {
            "source": ("metadata_upload" if snapshot.uploaded else "taken_from_canister", None),
            "taken_at_timestamp": snapshot.taken_ns,
            "wasm_module_size": len(snapshot.wasm),
            "globals": [_global(one) for one in state.globals],
            "wasm_memory_size": state.heap_pages * WASM_PAGE_BYTES,
            "stable_memory_size": state.stable_pages * WASM_PAGE_BYTES,
            "wasm_chunk_store": [{"hash": digest} for digest in snapshot.chunks],
            "canister_version": state.canister_version,
            "certified_data": state.certified_data,
            "global_timer": _timer(state),
            "on_low_wasm_memory_hook_status": None,
        }
        return [metadata]

    def _read_data(self, db: Connection, task: Task, arg: dict[str, Any]) -> list[object]:
        snapshot = self._snapshots.get(db, arg["canister_id"].bytes, arg["snapshot_id"])
        case, wanted = arg["kind"]
        if wanted.get("size", 0) > MAX_READ_BYTES:
            raise invalid(f"At most {MAX_READ_BYTES} bytes are read at once.")
        if case == "wasm_chunk":
            content = self._snapshots.chunk(db, snapshot, wanted["hash"])
        elif case == "wasm_module":
            content = snapshot.wasm[wanted["offset"] : wanted["offset"] + wanted["size"]]
            if len(content) != wanted["size"]:
                raise invalid("The range lies beyond the end of the module.")
        else:
            content = self._snapshots.read_memory(snapshot, case, wanted["offset"], wanted["size"])
        instructions = READ_INSTRUCTIONS + len(content)
        task.due_cycles += self._accounts.price(self._canisters.get(arg["canister_id"]), instructions, task.now_ns)
        return [{"chunk": content}]


def _timer(state: CanisterState) -> tuple[str, int | None] | None:
    if state.global_timer_ns == TIMER_STAYS:
        return None
    return ("active", state.global_timer_ns) if state.global_timer_ns else ("inactive", None)


def _global(value: Global) -> tuple[str, int | float]:
    """A mutable global from its bit pattern."""
    if value.type == "v128":
        return value.type, value.bits
    integer, number = GLOBAL_FORMATS[value.type]
    (content,) = struct.unpack(number, struct.pack(integer, value.bits))
    return value.type, content


def _shown(snapshot: Snapshot) -> dict[str, object]:
    return {"id": snapshot.id, "taken_at_timestamp": snapshot.taken_ns, "total_size": snapshot.size_bytes}
