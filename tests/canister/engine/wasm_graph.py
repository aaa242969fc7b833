"""A graph in the engine's Wasm, without a canister around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import wasmtime

from personal_ai.compiler import format as f
from personal_ai.compiler.program import Port
from personal_ai.compiler.program_file import read_program
from tests.canister.engine.wasm_engine import WasmProgram

Array = npt.NDArray[Any]
_DTYPES: dict[f.Element, np.dtype[Any]] = {f.Element.F32: np.dtype("<f4"), f.Element.I64: np.dtype("<i8")}
_DONE = 2


class StepRefused(Exception):
    """The engine stopped in the middle of a graph; `name` is its error's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class WasmGraph(WasmProgram):
    """One instance with one graph."""

    def __init__(self, module: wasmtime.Module, path: Path) -> None:
        super().__init__(module, path.read_bytes())
        self.program = read_program(path)
        self.steps: list[tuple[f.Code, float, int]] = []  # of the last run: operator, foretold and used instructions

    def run(self, inputs: Mapping[str, Array], *, rows: int = 1 << 30) -> dict[str, Array]:
        """The outputs; each operator in tiles of `rows`. Raises StepRefused."""
        symbols = self._symbols(inputs)
        self._checked(self._call("begin", *symbols))
        for port, shape in self._ports(f.Direction.INPUT, symbols):
            self._write(port, shape, inputs[port.name])
        self.steps = []
        while (told := self._call("step", rows)) != _DONE:
            self._checked(told)
            foretold, code = (
                cast("wasmtime.Global", self._exports[name]).value(self._store) for name in ("foretold", "code")
            )
            words = bytes(self._memory.read(self._store, foretold, foretold + 8))
            number = int.from_bytes(self._memory.read(self._store, code, code + 4), "little")
            self.steps.append((f.Code(number), float(np.frombuffer(words, "<f8")[0]), self.instructions))
        return {port.name: self._read(port, shape) for port, shape in self._ports(f.Direction.OUTPUT, symbols)}

    def _checked(self, told: int) -> None:
        if told:
            raise StepRefused(self._error_name())

    def _symbols(self, inputs: Mapping[str, Array]) -> tuple[int, int, int]:
        """What the lengths of the inputs say. A symbol is found where it stands alone."""
        found = [1 if most else 0 for most in self.program.symbol_maxima]
        for port in self.program.ports:
            if port.direction is not f.Direction.INPUT:
                continue
            shape = self.program.tensors[port.tensor].dimensions
            for length, given in zip(shape, inputs[port.name].shape, strict=True):
                for index, factor in enumerate((length.sequence, length.past, length.third)):
                    if factor:
                        found[index] = (given - length.constant) // factor
        return found[0], found[1], found[2]

    def _ports(self, direction: f.Direction, symbols: tuple[int, int, int]) -> Iterator[tuple[Port, tuple[int, ...]]]:
        for port in self.program.ports:
            if port.direction is direction:
                lengths = self.program.tensors[port.tensor].dimensions
                yield port, tuple(length.at(*symbols) for length in lengths)

    def _write(self, port: Port, shape: tuple[int, ...], values: Array) -> None:
        assert values.shape == shape
        element = self.program.tensors[port.tensor].element
        for index, row in enumerate(values.reshape(-1, shape[-1])):
            address = self._call("row_address", port.tensor, index)
            self._memory.write(self._store, row.astype(_DTYPES[element]).tobytes(), address)

    def _read(self, port: Port, shape: tuple[int, ...]) -> Array:
        dtype = _DTYPES[self.program.tensors[port.tensor].element]
        result = np.empty((int(np.prod(shape[:-1])), shape[-1]), dtype)
        for index, row in enumerate(result):
            address = self._call("row_address", port.tensor, index)
            row[:] = np.frombuffer(bytes(self._memory.read(self._store, address, address + row.nbytes)), dtype)
        return result.reshape(shape)
