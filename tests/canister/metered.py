"""Zig of the canister as a Wasm module of its own, counting instructions as the network does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wasmtime

from personal_ai.canister import build
from personal_ai.common.zig import zig
from personal_ai.replica.wasm.compiled import engine
from personal_ai.replica.wasm.instrument import COUNTER_EXPORT, MEMORY_EXPORT, instrument
from personal_ai.replica.wasm.module import parse

_HERE = Path(__file__).parent
_TARGET = (
    *("-target", "wasm32-freestanding", "-mcpu", "generic+simd128+bulk_memory+sign_ext"),
    *("-O", "ReleaseSafe", "-fstrip"),
)
_PLENTY = 10**15


class Probe:
    """An instance of `probe`.zig of this folder, which may import the module `imported` of the canister's sources."""

    def __init__(self, probe: str, imported: str, folder: Path) -> None:
        binary = folder / f"{probe}.wasm"
        result = zig(
            "build-exe",
            *("-fno-entry", "-rdynamic"),
            *(*_TARGET, "--dep", imported, f"-Mroot={_HERE / probe}.zig"),
            *(*_TARGET, f"-M{imported}={imported}.zig", f"-femit-bin={binary}"),
            cwd=build.SOURCES,
        )
        assert result.returncode == 0, result.stderr
        module = wasmtime.Module(engine(), instrument(parse(binary.read_bytes())).binary)
        self._store = wasmtime.Store(engine())
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self.instructions = 0

    def call(self, function: str, *arguments: Any) -> Any:
        """Calls an export; `instructions` then says what that took."""
        counter: Any = self._exports[COUNTER_EXPORT]
        counter.set_value(self._store, wasmtime.Val.i64(_PLENTY))
        called: Any = self._exports[function]
        result = called(self._store, *arguments)
        self.instructions = _PLENTY - counter.value(self._store)
        return result

    def write(self, variable: str, content: bytes) -> None:
        """Fills an exported variable from its beginning."""
        address: Any = self._exports[variable]
        memory: Any = self._exports[MEMORY_EXPORT]
        memory.write(self._store, content, address.value(self._store))
