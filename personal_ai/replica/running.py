"""Runs one entry point on an instance and gathers what it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import wasmtime

from personal_ai.replica.canister import WASM_PAGE_BYTES, CanisterState
from personal_ai.replica.heap import cache_in_small_pages
from personal_ai.replica.instance import Instance
from personal_ai.replica.memory_files import Piece
from personal_ai.replica.messages import Entry, Message, Outcome, Reject, RejectCode
from personal_ai.replica.stable import StableMemory
from personal_ai.replica.state import StateStore
from personal_ai.replica.system_api.context import CanisterFailure, Effects, Surroundings, trapped
from personal_ai.replica.system_api.functions import SystemCalls
from personal_ai.replica.system_api.linking import link, serving
from personal_ai.replica.wasm.compiled import CompiledModule, ModuleCache

_TRAPS = {
    wasmtime.TrapCode.STACK_OVERFLOW: "stack overflow",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "heap out of bounds",
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: "table out of bounds",
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: "indirect call to null",
    wasmtime.TrapCode.BAD_SIGNATURE: "indirect call with another type",
    wasmtime.TrapCode.INTEGER_OVERFLOW: "integer overflow",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "integer division by 0",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "number does not fit into an integer",
    wasmtime.TrapCode.UNREACHABLE: "unreachable",
}


MEMORY_LIMIT = CanisterFailure("IC0539", "Canister exceeded its Wasm memory limit.")


@dataclass(frozen=True, slots=True)
class Target:
    """Which function a message calls, from which place of the system interface, and whether its changes count."""

    export: str
    place: str
    commits: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What a message will have changed once it is committed."""

    pieces: tuple[Piece, ...]
    apply: Callable[[CanisterState], CanisterState]
    module: tuple[bytes, bytes] | None = None  # hash and content of a new module


@dataclass(frozen=True, slots=True)
class Finished:
    """A message that has run; `changes` is None when it failed or may not change anything."""

    outcome: Outcome
    changes: Changes | None = None


def failed(failure: CanisterFailure) -> Outcome:
    """The outcome of a message that never ran."""
    return Outcome(reject=failure.reject)


class Runner:
    """Opens instances over the committed state and runs entry points on them."""

    def __init__(self, store: StateStore, around: Surroundings) -> None:
        self._store = store
        self._around = around
        self._cached_heaps: set[Path] = set()
        self.modules = ModuleCache(store.compiled_folder, store.compiled_key, link)

    def compiled(self, state: CanisterState) -> CompiledModule:
        """The module installed in a canister that has one."""
        module_hash = state.module_hash
        assert module_hash is not None

        def wasm() -> bytes:
            content = self._store.wasm(module_hash)
            assert content is not None, "an installed module is always stored"
            return content

        return self.modules.get(module_hash, wasm)

    @contextmanager
    def instance(self, compiled: CompiledModule) -> Iterator[Instance]:
        """A fresh instance, closed afterwards. Raises CanisterFailure when the module cannot be instantiated."""
        try:
            instance = Instance(compiled)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise CanisterFailure("IC0505", "The Wasm module could not be instantiated.") from error
        try:
            yield instance
        finally:
            instance.close()

    @contextmanager
    def committed(self, state: CanisterState, compiled: CompiledModule) -> Iterator[Instance]:
        """An instance as the last committed message left it."""
        heap = self._store.heap_path(state.id, state.heap_generation)
        if heap not in self._cached_heaps:
            self._cached_heaps.add(heap)
            cache_in_small_pages(heap)
        with self.instance(compiled) as instance:
            instance.attach(heap, state.heap_pages)
            instance.set_globals(state.globals)
            yield instance

    def stable(self, state: CanisterState) -> StableMemory:
        """The committed stable memory; close it after use."""
        return StableMemory(self._store.stable_path(state.id, state.stable_generation), state.stable_pages)

    def calls(
        self, instance: Instance, stable: StableMemory, state: CanisterState, message: Message, place: str
    ) -> SystemCalls:
        return SystemCalls(instance, stable, state, message, place=place, around=self._around)

    def run(self, state: CanisterState, compiled: CompiledModule, message: Message, target: Target) -> Finished:
        """Runs one entry point over the committed memories."""
        with self.committed(state, compiled) as instance, closing(self.stable(state)) as stable:
            calls = self.calls(instance, stable, state, message, target.place)
            outcome = attempt(calls, lambda: instance.call(target.export))
            if calls.failure is not None:
                return Finished(outcome)
            outcome = _answered(outcome, calls.effects, message)
            if not target.commits:
                return Finished(outcome)
            if over_memory_limit(state, instance):
                return Finished(replace(outcome, reply=None, reject=MEMORY_LIMIT.reject, cycles_burned=0, calls=()))
            heap = self._store.heap_path(state.id, state.heap_generation)
            pieces = [Piece(heap, *change) for change in instance.changes()]
            pieces += self.stable_pieces(state.id, state.stable_generation, stable)
            memories, effects = remember(instance, stable), calls.effects
            return Finished(outcome, Changes(tuple(pieces), lambda fresh: memories(apply_effects(fresh, effects))))

    def stable_pieces(self, canister_id: bytes, generation: int, stable: StableMemory) -> list[Piece]:
        path = self._store.stable_path(canister_id, generation)
        return [Piece(path, *change) for change in stable.changes()]


def attempt(calls: SystemCalls, action: Callable[[], None]) -> Outcome:
    """Runs `action`, which calls into the instance; a failure goes into the outcome and into `calls.failure`.

    May be used again for the next step on the same instance: all counts go on.
    """
    failure: BaseException | None = None
    try:
        with serving(calls):
            action()
        if calls.instructions() > calls.message.instruction_limit:
            failure = calls.out_of_instructions()
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        failure = calls.failure or _trap(calls, error)
    if failure is not None and not isinstance(failure, CanisterFailure):
        raise failure  # not the canister's: a disk that fails, a bug
    calls.failure = failure
    return _outcome(calls, failure)


def apply_effects(state: CanisterState, effects: Effects) -> CanisterState:
    """What an entry point that succeeded changes in its canister's state, apart from memories."""
    return replace(
        state,
        certified_data=state.certified_data if effects.certified_data is None else effects.certified_data,
        global_timer_ns=state.global_timer_ns if effects.global_timer_ns is None else effects.global_timer_ns,
        cycles=max(0, state.cycles + effects.cycles_accepted - effects.cycles_burned - effects.cycles_sent),
    )


def remember(instance: Instance, stable: StableMemory) -> Callable[[CanisterState], CanisterState]:
    """The sizes of the memories and the globals as they are now, to be put into a state later."""
    values, heap_pages, stable_pages = instance.globals(), instance.pages, stable.pages
    return lambda state: replace(state, globals=values, heap_pages=heap_pages, stable_pages=stable_pages)


def over_memory_limit(state: CanisterState, instance: Instance) -> bool:
    """Whether the heap is now larger than the settings' wasm_memory_limit (0: no limit)."""
    limit = state.settings.wasm_memory_limit
    return bool(limit) and instance.pages * WASM_PAGE_BYTES > limit


def _outcome(calls: SystemCalls, failure: CanisterFailure | None) -> Outcome:
    touched, written = calls.pages()
    return Outcome(
        reject=None if failure is None else failure.reject,
        accepted=calls.effects.accepted and failure is None,
        instructions=min(calls.instructions(), calls.message.instruction_limit),
        pages_touched=touched,
        pages_dirtied=written,
        debug_lines=tuple(calls.effects.debug_lines),
        cycles_accepted=0 if failure else calls.effects.cycles_accepted,
        cycles_burned=0 if failure else calls.effects.cycles_burned,
        calls=() if failure else tuple(calls.effects.calls),
    )


def _trap(calls: SystemCalls, error: wasmtime.Trap | wasmtime.WasmtimeError) -> CanisterFailure:
    if calls.instance.counter < 0:
        return calls.out_of_instructions()
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    return trapped(_TRAPS.get(code, "unknown reason") if code else "unknown reason")


def _answered(outcome: Outcome, effects: Effects, message: Message) -> Outcome:
    """Adds the answer of an entry point that ran to its end."""
    if message.entry not in (Entry.UPDATE, Entry.QUERY):
        return outcome
    if effects.reply is not None:
        return replace(outcome, reply=effects.reply)
    if effects.reject_message is not None:
        return replace(outcome, reject=Reject(RejectCode.CANISTER_REJECT, effects.reject_message, "IC0406"))
    return replace(outcome, reject=CanisterFailure("IC0506", "Canister did not reply to the call").reject)
