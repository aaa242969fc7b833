"""Connects the imports of a compiled module with the system interface.

Functions belong to a module and live as long as it; which message they serve is a matter of the thread that
runs them. Their failures are left with the message and not given to the binding (see `instance`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import wasmtime

from personal_ai.replica.system_api.context import violated
from personal_ai.replica.system_api.functions import SystemCalls
from personal_ai.replica.wasm.compiled import engine
from personal_ai.replica.wasm.ic0 import SYSTEM_FUNCTIONS, SystemFunction

_thread = threading.local()
_linking = threading.Lock()  # the binding's table of host functions is not made for several threads


class _HostFailure(Exception):
    """Makes the binding trap; the reason is with the message."""


@contextmanager
def serving(calls: SystemCalls) -> Iterator[None]:
    """While this lasts, host functions called on this thread work for `calls`."""
    _thread.calls = calls
    try:
        yield
    finally:
        del _thread.calls


def link(code: wasmtime.Module) -> wasmtime.InstancePre:
    """A checked module with its imports bound: ready to be instantiated for every message."""
    with _linking:
        linker = wasmtime.Linker(engine())
        for item in code.imports:
            assert item.name is not None
            assert isinstance(item.type, wasmtime.FuncType)
            linker.define_func(item.module, item.name, item.type, _host_function(item.name, item.type))
        return linker.instantiate_pre(code)


def _host_function(name: str, kind: wasmtime.FuncType) -> Callable[..., int | None]:
    function = SYSTEM_FUNCTIONS[name]
    implementation = getattr(SystemCalls, name)
    masks = [_mask(parameter) for parameter in kind.params]
    result = _mask(kind.results[0]) if kind.results else 0

    def called(*values: int) -> int | None:
        calls: SystemCalls = _thread.calls
        try:
            _admit(calls, function)
            value: int = implementation(calls, *[value & mask for value, mask in zip(values, masks, strict=True)])
        except BaseException as failure:
            calls.failure = failure
            raise _HostFailure from None
        if not result:
            return None
        return value - result - 1 if value > result >> 1 else value  # the binding wants signed numbers

    return called


def _admit(calls: SystemCalls, function: SystemFunction) -> None:
    if calls.place not in function.places:
        raise violated(f'"ic0.{function.name}" cannot be executed in {calls.message.entry.value} mode')
    calls.charge(function.cost)


def _mask(kind: wasmtime.ValType) -> int:
    return (1 << 32) - 1 if kind == wasmtime.ValType.i32() else (1 << 64) - 1
