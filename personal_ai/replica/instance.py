"""One instance of a canister module, alive for one message.

The binding's own way of calling keeps a failing host function's exception in a variable of the whole process,
where another thread may find it; so calls are made here, and host functions leave their failure with the message.
"""

from __future__ import annotations

import ctypes
from ctypes import byref
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

from personal_ai.replica.canister import WASM_PAGE_BYTES, Global
from personal_ai.replica.heap import Heap, Touched, heap_at
from personal_ai.replica.wasm import binary
from personal_ai.replica.wasm.compiled import CompiledModule, engine
from personal_ai.replica.wasm.instrument import COUNTER_EXPORT, MEMORY_EXPORT, START_EXPORT, global_export
from personal_ai.replica.wasm.module import GlobalType

_KINDS = {
    binary.I32: ("i32", ffi.WASMTIME_I32),
    binary.I64: ("i64", ffi.WASMTIME_I64),
    binary.F32: ("f32", ffi.WASMTIME_F32),
    binary.F64: ("f64", ffi.WASMTIME_F64),
    binary.V128: ("v128", ffi.WASMTIME_V128),
}
_BITS = {"i32": 32, "f32": 32, "i64": 64, "f64": 64, "v128": 128}


def global_kind(item: GlobalType) -> str:
    """A global's type as the state names it."""
    return _KINDS[item.type][0]


class Instance:
    """A fresh instance: memory and globals as the module declares them, the counter at zero, nothing run yet.

    Raises wasmtime.Trap or wasmtime.WasmtimeError when the module cannot be instantiated. Close it after use.
    """

    def __init__(self, compiled: CompiledModule) -> None:
        self._module = compiled.module
        self._store = wasmtime.Store(engine())
        try:
            self._context = self._store._context()
            self._exports = self._instantiate(compiled).exports(self._store)
            self._counter = self._global(COUNTER_EXPORT)
            memory = self._exports[MEMORY_EXPORT] if compiled.module.memories else None
            self._memory = memory if isinstance(memory, wasmtime.Memory) else None
            self.base = ctypes.addressof(self._memory.data_ptr(self._store).contents) if self._memory else 0
            self._heap: Heap | None = heap_at(self.base) if self._memory else None
        except BaseException:
            self._store.close()
            raise

    def _instantiate(self, compiled: CompiledModule) -> wasmtime.Instance:
        instance = ffi.wasmtime_instance_t()
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        linked = compiled.linked.ptr()
        _raise(ffi.wasmtime_instance_pre_instantiate(linked, self._context, byref(instance), byref(trap)), trap)
        return wasmtime.Instance._from_raw(instance)

    def close(self) -> None:
        self._store.close()

    # ---- running

    def call(self, export: str) -> None:
        """Calls an exported function without parameters. Raises wasmtime.Trap."""
        function = self._exports[export]
        assert isinstance(function, wasmtime.Func)
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        _raise(ffi.wasmtime_func_call(self._context, byref(function._func), None, 0, None, 0, byref(trap)), trap)

    @property
    def has_start(self) -> bool:
        return self._module.start is not None

    def call_start(self) -> None:
        self.call(START_EXPORT)

    @property
    def counter(self) -> int:
        """Instructions left; below zero when a message ran out of them."""
        value = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, byref(self._counter._global), byref(value))
        return int(value.of.i64)

    @counter.setter
    def counter(self, left: int) -> None:
        value = ffi.wasmtime_val_t(kind=ffi.WASMTIME_I64)
        value.of.i64 = left
        ffi.wasmtime_global_set(self._context, byref(self._counter._global), byref(value))

    # ---- memory

    @property
    def size_bytes(self) -> int:
        return self._memory.data_len(self._store) if self._memory else 0

    @property
    def pages(self) -> int:
        return self.size_bytes // WASM_PAGE_BYTES

    def holds(self, address: int, size: int) -> bool:
        """Whether the memory has `size` bytes from `address`."""
        return address + size <= self.size_bytes

    def read(self, address: int, size: int) -> bytes:
        """The caller has checked the range."""
        return ctypes.string_at(self.base + address, size) if size else b""

    def write(self, address: int, content: bytes) -> None:
        """The caller has checked the range."""
        if content:
            ctypes.memmove(self.base + address, content, len(content))

    def write_image(self, path: Path) -> None:
        """Writes what the module itself puts into its memory over an empty file; zero pages stay holes."""
        size = self.size_bytes
        with path.open("r+b", buffering=0) as file:
            for offset in range(0, size, WASM_PAGE_BYTES):
                page = ctypes.string_at(self.base + offset, WASM_PAGE_BYTES)
                if page.count(0) != WASM_PAGE_BYTES:
                    file.seek(offset)
                    file.write(page)

    def attach(self, committed: Path, pages: int) -> None:
        """Shows the committed memory of `pages` pages instead of the module's own; grows the memory to it.

        Raises StorageError; CanisterFailure never.
        """
        if self._memory is None or self._heap is None:
            return
        missing = pages - self.pages
        if missing > 0:
            self._memory.grow(self._store, missing)
        self._heap.attach(committed, self.size_bytes)

    def touched(self, *, running: bool) -> Touched | None:
        """The pages of the memory touched since `attach`; None without a memory.

        running: also None where they are known only at the end (systems other than Linux).
        """
        if self._heap is None or (running and not self._heap.exact):
            return None
        return self._heap.touched(self.size_bytes)

    def changes(self) -> list[tuple[int, bytes]]:
        """The changed stretches (offset, content) of the memory since `attach`."""
        return list(self._heap.changes(self.size_bytes)) if self._heap else []

    # ---- globals

    def globals(self) -> tuple[Global, ...]:
        """The mutable globals, by index."""
        return tuple(
            self._read_global(index, item.type) for index, item in enumerate(self._module.globals) if item.mutable
        )

    def set_globals(self, values: tuple[Global, ...]) -> None:
        """Sets the mutable globals to what `globals` gave."""
        indices = [index for index, item in enumerate(self._module.globals) if item.mutable]
        for index, item in zip(indices, values, strict=True):
            raw = ffi.wasmtime_val_t(kind=_KINDS[self._module.globals[index].type][1])
            ctypes.memmove(byref(raw.of), item.bits.to_bytes(_BITS[item.type] // 8, "little"), _BITS[item.type] // 8)
            ffi.wasmtime_global_set(self._context, byref(self._global(global_export(index))._global), byref(raw))

    def _read_global(self, index: int, kind: int) -> Global:
        name, _ = _KINDS[kind]
        raw = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, byref(self._global(global_export(index))._global), byref(raw))
        return Global(name, int.from_bytes(ctypes.string_at(byref(raw.of), _BITS[name] // 8), "little"))

    def _global(self, export: str) -> wasmtime.Global:
        found = self._exports[export]
        assert isinstance(found, wasmtime.Global)
        return found


def _raise(error: Any, trap: Any) -> None:
    """Raises what a call into wasmtime gave back: pointers, null when all went well."""
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)
    if trap:
        raise wasmtime.Trap._from_ptr(trap)
