"""Running messages: each on a fresh instance over the committed memory, all of its effects or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from personal_ai.replica.canister import CanisterState, Status
from personal_ai.replica.installing import Installation
from personal_ai.replica.instance import global_kind
from personal_ai.replica.messages import Entry, InstallMode, Message, Outcome, Reject, RejectCode
from personal_ai.replica.running import Changes, Runner, Target, failed
from personal_ai.replica.state import StateStore
from personal_ai.replica.system_api.context import CanisterFailure, Surroundings
from personal_ai.replica.wasm.binary import WasmError
from personal_ai.replica.wasm.compiled import CompiledModule
from personal_ai.replica.wasm.validation import Interface

__all__ = ["Entry", "Executor", "InstallMode", "Message", "Outcome", "Record", "Reject", "RejectCode", "Surroundings"]

Record = Callable[[sqlite3.Connection, Outcome], None]

_OBSERVING = frozenset({Entry.QUERY, Entry.INSPECT})
_SYSTEM_TASKS = {Entry.TIMER: "canister_global_timer", Entry.HEARTBEAT: "canister_heartbeat"}
_METHOD_PLACES = {  # entry and kind of the method: place of the system interface, and whether changes count
    (Entry.UPDATE, "update"): ("U", True),
    (Entry.UPDATE, "query"): ("RQ", False),
    (Entry.QUERY, "query"): ("NRQ", False),
    (Entry.QUERY, "composite_query"): ("CQ", False),
}
_NOT_FOUND = CanisterFailure("IC0301", "The canister does not exist.")


class Executor:
    """Runs messages and installs modules on the canisters of `store`. Safe to use from several threads.

    Never call it inside `store.transaction()`: what must be atomic with a message goes into its `record`, which
    is called in the transaction that commits the message (for an outcome that changes nothing: in one of its own).

    Page touches count towards the instruction limit when the canister asks for its performance counter and when
    the entry point ends: a message whose touches alone carry it over the limit runs on until then.
    """

    def __init__(self, store: StateStore, around: Surroundings | None = None) -> None:
        self._store = store
        self._runner = Runner(store, around or Surroundings())

    def interface(self, canister_id: bytes) -> Interface | None:
        """Methods, entry points and metadata sections of the installed module; None without one."""
        state = self._store.canister(canister_id)
        return None if state is None or state.module_hash is None else self._runner.compiled(state).interface

    def check_fit(self, wasm: bytes, state: CanisterState) -> None:
        """Whether a state from outside can be that of a canister with this module. Raises WasmError."""
        assert state.module_hash is not None
        module = self._runner.modules.get(state.module_hash, lambda: wasm).module
        if [one.type for one in state.globals] != [global_kind(item) for item in module.globals if item.mutable]:
            raise WasmError("Its globals are not those of its module.")
        least, most = (module.memories[0].minimum, module.memories[0].maximum) if module.memories else (0, 0)
        if state.heap_pages < least or (most is not None and state.heap_pages > most):
            raise WasmError("Its memory has not the size that its module asks for.")

    def execute(self, canister_id: bytes, message: Message, record: Record | None = None) -> Outcome:
        """Runs one message; a canister's failure is an outcome, never an exception.

        INSPECT of a module without canister_inspect_message accepts. Raises StorageError, with nothing changed.
        """
        self._refuse_inside_transaction()
        locks = self._store.locks(canister_id)
        if message.entry in _OBSERVING:
            with locks.files.reading():
                outcome = self._observe(canister_id, message)
            return self._record(outcome, record)
        with locks.updating:
            return self._change(canister_id, message, record)

    def install(
        self,
        canister_id: bytes,
        wasm: bytes,
        mode: InstallMode,
        message: Message,
        *,
        keep_memory: bool | None = None,
        skip_pre_upgrade: bool = False,
        record: Record | None = None,
    ) -> Outcome:
        """Installs or upgrades as one atomic unit: pre_upgrade, new instance, start, init or post_upgrade.

        message: caller, arg, time_ns and instruction_limit are of all steps together; its entry is not looked at.
        keep_memory: wasm_memory_persistence = keep (True), replace (False), not given (None).
        """
        self._refuse_inside_transaction()
        with self._store.locks(canister_id).updating:
            state = self._store.canister(canister_id)
            if state is None:
                return self._record(failed(_NOT_FOUND), record)
            installation = Installation(self._store, self._runner, state, wasm=wasm, mode=mode, message=message)
            try:
                outcome = installation.run(keep_memory=keep_memory, skip_pre_upgrade=skip_pre_upgrade)
                if installation.changes is None:
                    return self._settle(canister_id, message, outcome, record)
                outcome = self._commit(canister_id, message, installation.changes, outcome, record)
                if outcome.committed:
                    installation.committed()
                return outcome
            finally:
                installation.close()

    def uninstall(self, canister_id: bytes, record: Record | None = None) -> Outcome:
        """Removes code, memories, certified data and timer; cycles, settings and controllers stay."""
        self._refuse_inside_transaction()
        with self._store.locks(canister_id).updating:
            state = self._store.canister(canister_id)
            if state is None:
                return self._record(failed(_NOT_FOUND), record)
            message = Message(Entry.INIT, b"", b"", 0, 0, replicated=True)
            return self._commit(canister_id, message, Changes((), _emptied), Outcome(), record)

    # ---- one message

    def _observe(self, canister_id: bytes, message: Message) -> Outcome:
        try:
            state, compiled, target = self._resolve(canister_id, message)
        except CanisterFailure as failure:
            return failed(failure)
        if message.entry is Entry.INSPECT and target.export not in compiled.interface.entry_points:
            return Outcome(accepted=True)
        return self._runner.run(state, compiled, message, target).outcome

    def _change(self, canister_id: bytes, message: Message, record: Record | None) -> Outcome:
        try:
            state, compiled, target = self._resolve(canister_id, message)
        except CanisterFailure as failure:
            return self._record(failed(failure), record)
        finished = self._runner.run(_fired(state, message), compiled, message, target)
        if finished.changes is None:
            return self._settle(canister_id, message, finished.outcome, record)
        return self._commit(canister_id, message, finished.changes, finished.outcome, record)

    def _resolve(self, canister_id: bytes, message: Message) -> tuple[CanisterState, CompiledModule, Target]:
        """State, module and function for a message. Raises CanisterFailure."""
        state = self._store.canister(canister_id)
        if state is None:
            raise _NOT_FOUND
        if state.status is Status.STOPPED:
            raise CanisterFailure("IC0508", "The canister is stopped.")
        if state.status is Status.STOPPING:
            raise CanisterFailure("IC0509", "The canister is stopping.")
        if state.module_hash is None:
            raise CanisterFailure("IC0537", "The canister has no Wasm module.")
        compiled = self._runner.compiled(state)
        return state, compiled, _target(compiled.interface, message)

    # ---- ends

    def _commit(
        self, canister_id: bytes, message: Message, changes: Changes, outcome: Outcome, record: Record | None
    ) -> Outcome:
        """Makes a message's changes, its log lines and the caller's record durable together."""
        with self._store.locks(canister_id).files.writing(), self._store.transaction() as db:
            before = self._store.canister(canister_id)
            if before is None:  # deleted while the message ran
                outcome = failed(_NOT_FOUND)
            else:
                outcome = replace(outcome, committed=True)
                after = changes.apply(_fired(before, message))
                self._store.save(replace(after, canister_version=before.canister_version + 1))
                self._store.write_pieces(changes.pieces)
                self._store.forget_files(before, after)
                if changes.module is not None:
                    self._store.put_wasm(*changes.module)
                self._append_log(canister_id, message, outcome)
            if record is not None:
                record(db, outcome)
        return outcome

    def _settle(self, canister_id: bytes, message: Message, outcome: Outcome, record: Record | None) -> Outcome:
        """Ends a replicated message that changes nothing but the log, and the timer that fired."""
        with self._store.transaction() as db:
            state = self._store.canister(canister_id)
            if state is not None:
                self._append_log(canister_id, message, outcome)
                self._store.save(_fired(state, message))
            if record is not None:
                record(db, outcome)
        return outcome

    def _append_log(self, canister_id: bytes, message: Message, outcome: Outcome) -> None:
        lines = list(outcome.debug_lines)
        if outcome.reject is not None and outcome.reject.code is RejectCode.CANISTER_ERROR:
            lines.append(f"[TRAP]: {outcome.reject.message}".encode())
        self._store.append_log(canister_id, message.time_ns, lines)

    def _record(self, outcome: Outcome, record: Record | None) -> Outcome:
        if record is not None:
            with self._store.transaction() as db:
                record(db, outcome)
        return outcome

    def _refuse_inside_transaction(self) -> None:
        if self._store.in_transaction():
            raise RuntimeError("a message may not run inside a transaction: use its record")


def _target(interface: Interface, message: Message) -> Target:
    """The function that a message calls. Raises CanisterFailure."""
    if message.entry is Entry.INSPECT:
        return Target("canister_inspect_message", "F", commits=False)
    if message.entry in _SYSTEM_TASKS:
        export = _SYSTEM_TASKS[message.entry]
        if export not in interface.entry_points:
            raise CanisterFailure("IC0536", f"The canister has no {export}.")
        return Target(export, "T", commits=True)
    kind = interface.methods.get(message.method)
    target = Target(f"canister_{kind} {message.method}", *_METHOD_PLACES.get((message.entry, kind or ""), ("", False)))
    if not target.place:
        raise CanisterFailure("IC0536", f"Canister has no {message.entry.value} method '{message.method}'")
    return target


def _fired(state: CanisterState, message: Message) -> CanisterState:
    """A timer is off as soon as it fires, whatever comes of it."""
    return replace(state, global_timer_ns=0) if message.entry is Entry.TIMER else state


def _emptied(state: CanisterState) -> CanisterState:
    return replace(
        state,
        module_hash=None,
        globals=(),
        heap_pages=0,
        stable_pages=0,
        heap_generation=state.heap_generation + 1,
        stable_generation=state.stable_generation + 1,
        certified_data=b"",
        global_timer_ns=0,
    )
