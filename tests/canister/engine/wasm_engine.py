"""The engine in Wasm, without a canister around it: programs run as on the network, with instructions counted."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import wasmtime

from personal_ai.canister import build
from personal_ai.common.zig import zig
from personal_ai.replica.wasm.compiled import engine
from personal_ai.replica.wasm.instrument import COUNTER_EXPORT, instrument
from personal_ai.replica.wasm.module import parse

_HARNESSES = Path(__file__).parent
_TARGET = ("-target", "wasm32-freestanding", "-mcpu", "generic+simd128+bulk_memory+sign_ext")
_MODE = ("-O", "ReleaseSafe", "-fstrip")
_PLENTY = 1 << 60

Logits = npt.NDArray[np.float32]


def build_harness(target: Path, root: str = "harness.zig") -> bytes:
    """The harness module, as the canister's own sources are compiled."""
    result = zig(
        *("build-exe", "-fno-entry", "-rdynamic", "--stack", str(1 << 20)),
        *(*_TARGET, *_MODE, "--dep", "engine", f"-Mroot={_HARNESSES / root}"),
        *(*_TARGET, *_MODE, "-Mengine=engine/engine.zig", f"-femit-bin={target}"),
        cwd=build.SOURCES,
    )
    assert result.returncode == 0, result.stderr
    return target.read_bytes()


def compile_harness(target: Path) -> wasmtime.Module:
    """The metered module, to be instantiated as often as wanted; built where `target` does not hold it yet."""
    wasm = target.read_bytes() if target.exists() else build_harness(target)
    return wasmtime.Module(engine(), instrument(parse(wasm)).binary)


def compile_counting_harness(target: Path) -> wasmtime.Module:
    """As `compile_harness`, of an engine that counts what saturates; instructions are not the shipped engine's."""
    return wasmtime.Module(engine(), instrument(parse(build_harness(target, "counting_harness.zig"))).binary)


@dataclass(frozen=True)
class Saturations:
    """Sums of bytes so far, and how many of them saturated (simd.zig)."""

    added: int
    saturated: int

    @property
    def share(self) -> float | None:
        return self.saturated / self.added if self.added else None


class OpenRefused(Exception):
    """The engine did not open a program; `name` is its error's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class WasmProgram:
    """One instance with one program. `instructions` says what the last call took by the network's cost table."""

    def __init__(self, module: wasmtime.Module, program: bytes) -> None:
        self._store = wasmtime.Store(engine())
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self.instructions = 0
        address = self._allocate(len(program))
        self._memory.write(self._store, program, address)
        if self._call("open", address, len(program)):
            raise OpenRefused(self._error_name())
        self._call(
            "bind", self._allocate(self._call("arena_size_bytes")), self._allocate(self._call("state_size_bytes"))
        )

    @property
    def _memory(self) -> wasmtime.Memory:
        return cast("wasmtime.Memory", self._exports["memory"])

    def saturations(self) -> Saturations | None:
        """None from a module that does not count, as `compile_counting_harness` does."""
        if "saturations" not in self._exports:
            return None
        return Saturations(*struct.unpack("<2Q", self._variable("saturations", 16)))

    def _error_name(self) -> str:
        return self._variable("error_name", 64).partition(b"\0")[0].decode()

    def _variable(self, name: str, size_bytes: int) -> bytes:
        address = cast("wasmtime.Global", self._exports[name]).value(self._store)
        return bytes(self._memory.read(self._store, address, address + size_bytes))

    def _allocate(self, size_bytes: int) -> int:
        address: int = self._call("allocate", size_bytes)
        assert address, "out of memory"
        return address

    def _call(self, function: str, *arguments: int) -> Any:
        counter = cast("wasmtime.Global", self._exports[COUNTER_EXPORT])
        counter.set_value(self._store, wasmtime.Val.i64(_PLENTY))
        result = cast("wasmtime.Func", self._exports[function])(self._store, *arguments)
        self.instructions = _PLENTY - counter.value(self._store)
        return result


class WasmEngine(WasmProgram):
    """A decoder."""

    def __init__(self, module: wasmtime.Module, program: bytes) -> None:
        super().__init__(module, program)
        self.vocabulary_size: int = self._call("vocabulary_size")
        self.context_length_max: int = self._call("context_length_max")
        self.sequence_max: int = self._call("sequence_max")
        self._tokens = self._allocate(8 * self.sequence_max)

    def forward(self, tokens: Sequence[int], past: int) -> Logits:
        address = self._call("forward", *self._given(tokens), past)
        assert address, "refused"
        raw = self._memory.read(self._store, address, address + 4 * self.vocabulary_size)
        return np.frombuffer(bytes(raw), dtype=np.float32)

    def absorb(self, tokens: Sequence[int], past: int) -> str:
        """The name of the error, or nothing."""
        return self._error_name() if self._call("absorb", *self._given(tokens), past) else ""

    def run(self, tokens: Sequence[int], split: Sequence[int] | None = None) -> Logits:
        """The logits after `tokens`, given in pieces of the sizes in `split` (the longest that go by default)."""
        past, total = 0, 0
        pieces = list(split or [])
        while past < len(tokens):
            count = pieces.pop(0) if pieces else min(self.sequence_max, len(tokens) - past)
            logits = self.forward(tokens[past : past + count], past)
            total += self.instructions
            past += count
        self.instructions = total
        return logits

    def _given(self, tokens: Sequence[int]) -> tuple[int, int]:
        self._memory.write(self._store, np.asarray(tokens, dtype="<u4").tobytes(), self._tokens)
        return self._tokens, len(tokens)
