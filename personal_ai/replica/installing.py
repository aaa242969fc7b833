"""Installing a module: pre_upgrade, the new instance, start, then init or post_upgrade, as one unit."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from personal_ai.replica.canister import CanisterState
from personal_ai.replica.heap import HEAP_FILE_BYTES
from personal_ai.replica.instance import Instance
from personal_ai.replica.memory_files import Piece, create_memory_file
from personal_ai.replica.messages import Entry, InstallMode, Message, Outcome
from personal_ai.replica.running import (
    MEMORY_LIMIT,
    Changes,
    Runner,
    apply_effects,
    attempt,
    over_memory_limit,
    remember,
)
from personal_ai.replica.stable import StableMemory
from personal_ai.replica.state import StateStore
from personal_ai.replica.system_api.context import CanisterFailure, Effects
from personal_ai.replica.system_api.functions import SystemCalls
from personal_ai.replica.wasm.binary import WasmError
from personal_ai.replica.wasm.compiled import CompiledModule

INSTALL_COST = 20_000_000  # instructions, and for each instruction of the module
INSTALL_COST_PER_OPERATOR = 6_000
_STARTING = {
    InstallMode.INSTALL: (Entry.INIT, "canister_init"),
    InstallMode.REINSTALL: (Entry.INIT, "canister_init"),
    InstallMode.UPGRADE: (Entry.POST_UPGRADE, "canister_post_upgrade"),
}
_KEEPING = "enhanced-orthogonal-persistence"  # the metadata section of modules that may keep their heap


class Installation:
    """One installation over `state`. After `run` succeeded, `changes` are to be committed; `close` in any case."""

    def __init__(
        self,
        store: StateStore,
        runner: Runner,
        state: CanisterState,
        *,
        wasm: bytes,
        mode: InstallMode,
        message: Message,
    ) -> None:
        self._store, self._runner, self._state = store, runner, state
        self._wasm, self._mode, self._message = wasm, mode, message
        self._module_hash = hashlib.sha256(wasm).digest()
        self._left = message.instruction_limit
        self._outcome = Outcome()
        self._effects: list[Effects] = []
        self._kept: list[tuple[int, bytes]] = []  # what pre_upgrade changed in a heap that is kept
        self._new_heap: Path | None = None
        self.changes: Changes | None = None

    def close(self) -> None:
        """Removes the new heap unless it was committed."""
        if self._new_heap is not None:
            self._new_heap.unlink(missing_ok=True)

    def committed(self) -> None:
        """The changes are in the state: keep the new heap."""
        self._new_heap = None

    def run(self, *, keep_memory: bool | None, skip_pre_upgrade: bool) -> Outcome:
        """Runs all steps. Raises StorageError; every other failure is in the outcome."""
        try:
            compiled = self._check()
            self._spend(INSTALL_COST + INSTALL_COST_PER_OPERATOR * compiled.operators)
            keep = self._keeps_memory(compiled, keep_memory)
            with closing(self._stable()) as stable:
                if self._mode is InstallMode.UPGRADE and not skip_pre_upgrade:
                    self._pre_upgrade(stable, keep)
                self._start(compiled, stable, keep)
        except CanisterFailure as failure:
            return replace(self._outcome, reject=failure.reject)
        return self._outcome

    # ---- the steps

    def _check(self) -> CompiledModule:
        installed = self._state.module_hash is not None
        if self._mode is InstallMode.INSTALL and installed:
            raise CanisterFailure("IC0538", "The canister is not empty: upgrade or reinstall it.")
        if self._mode is InstallMode.UPGRADE and not installed:
            raise CanisterFailure("IC0537", "The canister is empty: there is nothing to upgrade.")
        try:
            return self._runner.modules.get(self._module_hash, lambda: self._wasm)
        except WasmError as error:
            raise CanisterFailure("IC0505", f"Canister's Wasm module is not valid: {error}") from error

    def _keeps_memory(self, compiled: CompiledModule, asked: bool | None) -> bool:
        if self._mode is not InstallMode.UPGRADE:
            return False
        if asked is None and _KEEPING in self._runner.compiled(self._state).interface.metadata:
            text = (
                "Missing upgrade option: a canister with enhanced orthogonal persistence needs wasm_memory_persistence."
            )
            raise CanisterFailure("IC0504", text)
        if asked and _KEEPING not in compiled.interface.metadata:
            text = "Invalid upgrade option: the new module does not support enhanced orthogonal persistence."
            raise CanisterFailure("IC0504", text)
        return bool(asked)

    def _stable(self) -> StableMemory:
        return self._runner.stable(self._state) if self._mode is InstallMode.UPGRADE else StableMemory(None, 0)

    def _pre_upgrade(self, stable: StableMemory, keep: bool) -> None:
        old = self._runner.compiled(self._state)
        if "canister_pre_upgrade" not in old.interface.entry_points:
            return
        with self._runner.committed(self._state, old) as instance:
            calls = self._runner.calls(instance, stable, self._state, self._step(Entry.PRE_UPGRADE), "G")
            self._add(attempt(calls, lambda: instance.call("canister_pre_upgrade")), calls)
            self._state = replace(apply_effects(self._state, calls.effects), heap_pages=instance.pages)
            self._effects.append(calls.effects)
            if keep:
                self._kept = instance.changes()
            stable.begin_step()

    def _start(self, compiled: CompiledModule, stable: StableMemory, keep: bool) -> None:
        entry, export = _STARTING[self._mode]
        with self._runner.instance(compiled) as instance:
            state = self._renewed(self._state, keep)
            self._attach(instance, state, keep)
            calls = self._runner.calls(instance, stable, state, self._step(entry), "s")
            calls.pages_before = calls.pages()
            outcome = attempt(calls, instance.call_start) if instance.has_start else Outcome()
            if calls.failure is None and export in compiled.interface.entry_points:
                calls.place = "I"
                outcome = attempt(calls, lambda: instance.call(export))
            self._add(outcome, calls)
            if over_memory_limit(state, instance):
                raise MEMORY_LIMIT
            self._effects.append(calls.effects)
            self.changes = self._gather(instance, stable, state, keep)

    def _attach(self, instance: Instance, state: CanisterState, keep: bool) -> None:
        path = self._store.heap_path(state.id, state.heap_generation)
        if not keep:
            create_memory_file(path, HEAP_FILE_BYTES)
            self._new_heap = path
            instance.write_image(path)
        instance.attach(path, self._state.heap_pages if keep else instance.pages)
        for offset, content in self._kept:
            instance.write(offset, content)

    def _gather(self, instance: Instance, stable: StableMemory, state: CanisterState, keep: bool) -> Changes:
        path = self._store.heap_path(state.id, state.heap_generation)
        pieces = [Piece(path, *change) for change in instance.changes()]
        pieces += self._runner.stable_pieces(state.id, state.stable_generation, stable)
        memories = remember(instance, stable)
        effects = tuple(self._effects)

        def apply(fresh: CanisterState) -> CanisterState:
            fresh = self._renewed(fresh, keep)
            for each in effects:
                fresh = apply_effects(fresh, each)
            return memories(fresh)

        return Changes(tuple(pieces), apply, module=(self._module_hash, self._wasm))

    def _renewed(self, state: CanisterState, keep: bool) -> CanisterState:
        """The state with the new module in it, before any of its code ran."""
        upgrade = self._mode is InstallMode.UPGRADE
        return replace(
            state,
            module_hash=self._module_hash,
            heap_generation=state.heap_generation + (not keep),
            stable_generation=state.stable_generation + (not upgrade),
            stable_pages=state.stable_pages if upgrade else 0,
            certified_data=state.certified_data if upgrade else b"",
            global_timer_ns=0,
            canister_version=state.canister_version + 1,
        )

    # ---- the budget

    def _step(self, entry: Entry) -> Message:
        return replace(self._message, entry=entry, instruction_limit=self._left)

    def _spend(self, instructions: int) -> None:
        self._left -= instructions
        if self._left < 0:
            limit = self._message.instruction_limit
            raise CanisterFailure("IC0522", f"The module is too large to be installed within {limit} instructions.")
        self._outcome = replace(self._outcome, instructions=self._outcome.instructions + instructions)

    def _add(self, outcome: Outcome, calls: SystemCalls) -> None:
        """Adds a step's counts. Raises its failure."""
        done = self._outcome
        self._left -= outcome.instructions
        self._outcome = replace(
            done,
            instructions=done.instructions + outcome.instructions,
            pages_touched=done.pages_touched + outcome.pages_touched,
            pages_dirtied=done.pages_dirtied + outcome.pages_dirtied,
            debug_lines=done.debug_lines + outcome.debug_lines,
            cycles_accepted=done.cycles_accepted + outcome.cycles_accepted,
            cycles_burned=done.cycles_burned + outcome.cycles_burned,
        )
        if calls.failure is not None:
            raise calls.failure
