"""Connects the imports of a compiled module with the system interface.

There is one host function for each name and type, for all modules; which message it serves is a matter of the
thread that runs it. A failure is left with the message: the binding would keep it for the whole process.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

from personal_ai.replica.system_api.context import violated
from personal_ai.replica.system_api.functions import SystemCalls
from personal_ai.replica.wasm.binary import I32, I64
from personal_ai.replica.wasm.compiled import engine
from personal_ai.replica.wasm.ic0 import SYSTEM_FUNCTIONS, SystemFunction
from personal_ai.replica.wasm.module import FunctionType, Module

_KINDS = {I32: ffi.WASMTIME_I32, I64: ffi.WASMTIME_I64}
_MASKS = {I32: (1 << 32) - 1, I64: (1 << 64) - 1}
_TYPES = {I32: wasmtime.ValType.i32, I64: wasmtime.ValType.i64}
_SUCCEEDED = 0

_thread = threading.local()


@contextmanager
def serving(calls: SystemCalls) -> Iterator[None]:
    """While this lasts, host functions called on this thread work for `calls`."""
    _thread.calls = calls
    try:
        yield
    finally:
        del _thread.calls


def link(module: Module, code: wasmtime.Module) -> wasmtime.InstancePre:
    """A checked module with its imports bound: ready to be instantiated for every message."""
    linker = wasmtime.Linker(engine())
    linker.allow_shadowing = True  # a module may import a function twice
    for item in module.imports:
        _define(linker, item.name, module.is_64)
    return linker.instantiate_pre(code)


def _define(linker: wasmtime.Linker, name: str, is_64: bool) -> None:
    kind = SYSTEM_FUNCTIONS[name].type_for(is_64)
    declared = wasmtime.FuncType(
        [_TYPES[each]() for each in kind.parameters], [_TYPES[each]() for each in kind.results]
    )
    source, title = b"ic0", name.encode()
    error = ffi.wasmtime_linker_define_func(
        linker.ptr(),
        ctypes.create_string_buffer(source),
        len(source),
        ctypes.create_string_buffer(title),
        len(title),
        declared.ptr(),
        _host_function(name, is_64),
        None,
        _no_finalizer(),
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)


@cache
def _no_finalizer() -> Any:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(0)


@cache
def _host_function(name: str, is_64: bool) -> Any:
    """The function as wasmtime calls it; kept for as long as the process lives."""
    function = SYSTEM_FUNCTIONS[name]
    kind = function.type_for(is_64)
    return ffi.wasmtime_func_callback_t(_calling(function, getattr(SystemCalls, name), kind))


def _calling(function: SystemFunction, implementation: Callable[..., int | None], kind: FunctionType) -> Any:
    masks = [_MASKS[each] for each in kind.parameters]
    result_kind = _KINDS[kind.results[0]] if kind.results else None

    def called(_environment: Any, _caller: Any, values: Any, _count: int, results: Any, _results_count: int) -> int:
        calls: SystemCalls = _thread.calls
        try:
            _admit(calls, function)
            value = implementation(calls, *[values[n].of.i64 & mask for n, mask in enumerate(masks)])
        except BaseException as failure:  # also what is not the canister's: it is raised again behind the Wasm
            calls.failure = failure
            trap = wasmtime.Trap(function.name)._consume()
            return ctypes.cast(trap, ctypes.c_void_p).value or _SUCCEEDED
        if result_kind is not None:
            results[0].kind = result_kind
            results[0].of.i64 = value
        return _SUCCEEDED

    return called


def _admit(calls: SystemCalls, function: SystemFunction) -> None:
    if calls.place not in function.places:
        raise violated(f'"ic0.{function.name}" cannot be executed in {calls.message.entry.value} mode')
    calls.charge(function.cost)
