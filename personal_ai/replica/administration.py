"""The management canister's methods that only change what the network knows of a canister: settings, life, chunks.

Each works in a transaction of the caller's and raises CallRejected, upon which all of it is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from sqlite3 import Connection
from typing import Any

from personal_ai.ic import management_types as types
from personal_ai.ic.candid import Type
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import Limits
from personal_ai.replica import chunk_store, settings
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected, Task
from personal_ai.replica.canister import WASM_PAGE_BYTES, CanisterSettings, CanisterState, Status
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.money.supply import Made, Supply
from personal_ai.replica.settings import invalid
from personal_ai.replica.snapshots import Snapshots
from personal_ai.replica.state import StateStore

DEFAULT_PROVISIONAL_CYCLES = 100_000_000_000_000
_GLOBAL_BYTES = 8


@dataclass(frozen=True, slots=True)
class Method:
    """`run`: carries the method out and gives the values to answer, none or one."""

    argument: Type
    answers: Sequence[Type]
    run: Callable[[Connection, Task, Any], list[object]]


class Administration:
    """`methods` by name; access has been checked before any of them runs."""

    def __init__(
        self,
        store: StateStore,
        accounts: Accounts,
        canisters: Canisters,
        snapshots: Snapshots,
        supply: Supply,
        *,
        limits: Limits,
        provisional: bool,
    ) -> None:
        self._store, self._accounts, self._canisters, self._limits = store, accounts, canisters, limits
        self._snapshots, self._supply = snapshots, supply
        with store.transaction() as db:
            chunk_store.create_table(db)
        one_id = types.CANISTER_ID_ARGS
        self.methods = {
            "canister_status": Method(one_id, [types.CANISTER_STATUS_RESULT], self._canister_status),
            "clear_chunk_store": Method(one_id, [], self._clear_chunk_store),
            "delete_canister": Method(one_id, [], self._delete_canister),
            "start_canister": Method(one_id, [], self._start_canister),
            "stop_canister": Method(one_id, [], self._stop_canister),
            "stored_chunks": Method(one_id, [types.STORED_CHUNKS_RESULT], self._stored_chunks),
            "update_settings": Method(types.UPDATE_SETTINGS_ARGS, [], self._update_settings),
            "upload_chunk": Method(types.UPLOAD_CHUNK_ARGS, [types.UPLOAD_CHUNK_RESULT], self._upload_chunk),
        }
        if provisional:
            create, top_up = types.PROVISIONAL_CREATE_CANISTER_WITH_CYCLES_ARGS, types.PROVISIONAL_TOP_UP_CANISTER_ARGS
            self.methods |= {
                "provisional_create_canister_with_cycles": Method(create, [one_id], self._provisional_create),
                "provisional_top_up_canister": Method(top_up, [], self._provisional_top_up),
            }

    def status(self, state: CanisterState, now_ns: int) -> dict[str, object]:
        """The `canister_status_result` record."""
        account = self._accounts.account(state.id)
        log_bytes = sum(len(record.content) for record in self._store.log(state.id))
        metrics = {
            "wasm_memory_size": state.heap_pages * WASM_PAGE_BYTES,
            "stable_memory_size": state.stable_pages * WASM_PAGE_BYTES,
            "global_memory_size": len(state.globals) * _GLOBAL_BYTES,
            "wasm_binary_size": account.module_bytes,
            "custom_sections_size": self._canisters.shown_metadata_bytes(state.id),
            "canister_history_size": 0,
            "wasm_chunk_store_size": account.chunks * chunk_store.RENT_BYTES,
            "snapshots_size": account.snapshot_bytes,
            "log_memory_store_size": log_bytes,
        }
        no_statistics = dict.fromkeys((one.label for one in types.QUERY_STATS.fields), 0)
        return {
            "status": (state.status.value, None),
            "ready_for_migration": state.status is Status.STOPPED,
            "version": state.canister_version,
            "settings": settings.definite(state),
            "module_hash": state.module_hash,
            "memory_size": sum(metrics.values()),
            "memory_metrics": metrics,
            "cycles": self._accounts.balance(state, now_ns),
            "reserved_cycles": state.reserved_cycles,
            "idle_cycles_burned_per_day": self._accounts.burned_per_day(state),
            "query_stats": no_statistics,
        }

    def _canister_status(self, _db: Connection, task: Task, arg: dict[str, Any]) -> list[object]:
        return [self.status(self._canisters.get(arg["canister_id"]), task.now_ns)]

    def _update_settings(self, _db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        state, given = self._canisters.get(arg["canister_id"]), arg["settings"]
        controllers = settings.controllers(given, tuple(map(Principal, state.controllers)))
        self._save(
            state,
            settings=settings.changed(state.settings, given),
            controllers=tuple(controller.bytes for controller in controllers),
        )
        return []

    def _start_canister(self, _db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        self._save(self._canisters.get(arg["canister_id"]), status=Status.RUNNING)
        return []

    def _stop_canister(self, _db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        """At once: no call is ever open here between two messages."""
        self._save(self._canisters.get(arg["canister_id"]), status=Status.STOPPED)
        return []

    def _delete_canister(self, db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        state = self._canisters.get(arg["canister_id"])
        if state.status is not Status.STOPPED:
            message = f"Canister {arg['canister_id']} must be stopped before it is deleted."
            raise CallRejected(RejectCode.CANISTER_ERROR, "IC0510", message)
        chunk_store.clear(db, state.id)
        self._snapshots.delete_all(db, state.id)
        self._canisters.delete(db, state.id)
        return []

    def _upload_chunk(self, db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        state, chunk = self._canisters.get(arg["canister_id"]), arg["chunk"]
        if len(chunk) > self._limits.chunk_bytes:
            raise invalid(f"A chunk has at most {self._limits.chunk_bytes} bytes.")
        digest = chunk_store.put(db, state.id, chunk)
        stored = len(chunk_store.hashes(db, state.id))
        if stored > self._limits.chunks:
            raise invalid(f"A chunk store holds at most {self._limits.chunks} chunks.")
        self._accounts.save(db, state.id, replace(self._accounts.account(state.id), chunks=stored))
        return [{"hash": digest}]

    def _stored_chunks(self, db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        return [[{"hash": digest} for digest in chunk_store.hashes(db, self._canisters.get(arg["canister_id"]).id)]]

    def _clear_chunk_store(self, db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        state = self._canisters.get(arg["canister_id"])
        chunk_store.clear(db, state.id)
        self._accounts.save(db, state.id, replace(self._accounts.account(state.id), chunks=0))
        return []

    def _provisional_create(self, db: Connection, task: Task, arg: dict[str, Any]) -> list[object]:
        if arg["specified_id"] is not None:
            raise invalid("This network chooses the ids of its canisters itself.")
        given, amount = arg["settings"], arg["amount"]
        controllers = settings.controllers(given, (task.call.sender,))
        chosen = settings.changed(CanisterSettings(), given)
        cycles = DEFAULT_PROVISIONAL_CYCLES if amount is None else amount
        self._supply.note(db, Made.PROVISIONAL, cycles)
        return [{"canister_id": self._canisters.create(db, controllers, chosen, cycles, task.now_ns)}]

    def _provisional_top_up(self, db: Connection, _task: Task, arg: dict[str, Any]) -> list[object]:
        self._supply.note(db, Made.PROVISIONAL, arg["amount"])
        self._accounts.deposit(self._canisters.get(arg["canister_id"]).id, arg["amount"])
        return []

    def _save(self, state: CanisterState, **changes: Any) -> None:
        """Each change makes a new version of the canister."""
        self._store.save(replace(state, canister_version=state.canister_version + 1, **changes))
