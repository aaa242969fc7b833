"""The management canister's methods that put code into a canister or take it out.

Each is one transaction with what the code does when it starts; a failure anywhere leaves the canister as it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from sqlite3 import Connection
from typing import Any

from personal_ai.ic.candid import encode
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import Limits
from personal_ai.replica import chunk_store
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import Result, Task
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.execution import Executor
from personal_ai.replica.messages import Entry, InstallMode, Message, Outcome
from personal_ai.replica.settings import invalid
from personal_ai.replica.state import StateStore

_NOTHING = encode([], [])


class CodeMethods:
    """Access has been checked before any of these methods runs. All raise CallRejected."""

    def __init__(
        self, store: StateStore, executor: Executor, accounts: Accounts, canisters: Canisters, limits: Limits
    ) -> None:
        self._store, self._executor, self._accounts, self._canisters = store, executor, accounts, canisters
        self._limits = limits

    def install_code(self, task: Task, arg: dict[str, Any]) -> None:
        self._install(task, arg["canister_id"], arg["wasm_module"], arg)

    def install_chunked_code(self, task: Task, arg: dict[str, Any]) -> None:
        target: Principal = arg["target_canister"]
        keeper = self._canisters.controlled(arg["store_canister"] or target, task.call.sender, "install_chunked_code")
        wasm = self._joined(keeper.id, [one["hash"] for one in arg["chunk_hashes_list"]])
        if hashlib.sha256(wasm).digest() != arg["wasm_module_hash"]:
            raise invalid("The chunks joined do not have the hash wasm_module_hash.")
        self._install(task, target, wasm, arg)

    def uninstall_code(self, task: Task, arg: dict[str, Any]) -> None:
        state = self._canisters.get(arg["canister_id"])

        def record(db: Connection, _: Outcome) -> None:
            self._accounts.note_uninstalled(db, state.id)
            task.finish(db, Result(reply=_NOTHING, cycles=task.due_cycles))

        self._executor.uninstall(state.id, record)

    def _joined(self, keeper_id: bytes, hashes: list[bytes]) -> bytes:
        if len(hashes) > self._limits.chunks:
            raise invalid(f"A module is joined from at most {self._limits.chunks} chunks.")
        with self._store.transaction() as db:
            chunks = [chunk_store.get(db, keeper_id, digest) for digest in hashes]
        found = [chunk for chunk in chunks if chunk is not None]
        if len(found) != len(hashes):
            raise invalid(f"Chunk {hashes[chunks.index(None)].hex()} is not in the chunk store.")
        return b"".join(found)

    def _install(self, task: Task, canister_id: Principal, wasm: bytes, arg: dict[str, Any]) -> None:
        state = self._canisters.get(canister_id)
        if len(wasm) > self._limits.wasm_bytes:
            raise invalid(f"A module has at most {self._limits.wasm_bytes} bytes.")
        limit = self._limits.install_instructions
        self._accounts.require(state, self._accounts.execution_cost(limit), task.now_ns)

        def record(db: Connection, outcome: Outcome) -> None:
            self._accounts.note_burned(db, outcome.cycles_burned)
            cycles = task.due_cycles + self._accounts.execution_cost(outcome.instructions)
            if outcome.reject is None:
                account = self._accounts.account(state.id)
                self._accounts.save(db, state.id, replace(account, installed_ns=task.now_ns, module_bytes=len(wasm)))
            reply = _NOTHING if outcome.reject is None else None
            task.finish(db, Result(reply, outcome.reject, outcome.instructions, outcome.pages_touched, cycles))

        case, options = arg["mode"]
        options = options or {"skip_pre_upgrade": None, "wasm_memory_persistence": None}
        persistence = options["wasm_memory_persistence"]
        self._executor.install(
            state.id,
            wasm,
            InstallMode(case),
            Message(Entry.INIT, task.call.sender.bytes, arg["arg"], task.now_ns, limit, replicated=True),
            keep_memory=None if persistence is None else persistence[0] == "keep",
            skip_pre_upgrade=bool(options["skip_pre_upgrade"]),
            record=record,
        )
