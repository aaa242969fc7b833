"""Damaged programs: the engine refuses them or runs them harmlessly, and touches no byte outside of its memory."""

from __future__ import annotations

import json
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from personal_ai.canister import build
from personal_ai.common.zig import zig
from personal_ai.compiler import format as f
from personal_ai.models.quantisation import Quantisation
from tests.canister.engine import every_operator
from tests.canister.engine.wasm_engine import OpenRefused, WasmEngine
from tests.compiler.unpacking import read_unpacked
from tests.faults.engine_fuzz import decoder_program
from tests.support.harness import shared_file

INPUTS = 3000
GOLDEN = Path(__file__).parent.parent.parent / "compiler" / "golden"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(__file__).parent / "fuzz.zig"
    modules = ("--dep", "shell", f"-Mroot={root}", "-Mshell=shell.zig")
    with shared_file(tmp_path_factory, "engine-fuzz") as binary:
        if not binary.exists():
            result = zig("build-exe", *modules, f"-femit-bin={binary}", cwd=build.SOURCES)
            assert result.returncode == 0, result.stderr
        return binary


def _program(folder: Path, name: str, quantisation: Quantisation) -> Path:
    unpacked = folder / "unpacked"
    unpacked.write_bytes(read_unpacked(decoder_program(folder, "program", name, quantisation)))
    return unpacked


def _fuzz(fuzzer: Path, program: Path, inputs: int = INPUTS) -> dict[str, Any]:
    result = subprocess.run([fuzzer, str(inputs), "1", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stderr)
    assert told["inputs"] == inputs
    assert told["past_header"] > inputs // 2, "the damage hardly gets past the header"
    assert inputs // 50 < told["run"] < inputs, "the damage is too mild or too harsh to test anything"
    return told


@pytest.mark.parametrize("quantisation", ["f32", "int8", "int4"])
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_damaged_programs_touch_nothing_outside(
    tmp_path: Path, fuzzer: Path, name: str, quantisation: Quantisation
) -> None:
    _fuzz(fuzzer, _program(tmp_path, name, quantisation))


@pytest.mark.parametrize(("quantisation", "vocabulary"), [("int4", 30), ("int8", 4096)])
def test_damaged_packed_files_touch_nothing_outside(
    tmp_path: Path, fuzzer: Path, quantisation: Quantisation, vocabulary: int
) -> None:
    program = decoder_program(tmp_path, "program", "llama", quantisation, vocabulary)
    assert program.read_bytes().startswith(b"PAIPACK\0")
    _fuzz(fuzzer, program)


@pytest.mark.parametrize("name", ["graph-attention", "graph-embeddings"])
def test_damaged_graphs_touch_nothing_outside_however_many_ran_before(fuzzer: Path, name: str) -> None:
    """Graphs that look up what earlier ones left in the arena are refused: inputs must be drawn for each."""
    told = _fuzz(fuzzer, GOLDEN / name / "program", 5 * INPUTS)
    assert told["run"] > 0.8 * told["opened"]


def test_every_operator_of_the_format_is_run_and_touches_nothing_outside(tmp_path: Path, fuzzer: Path) -> None:
    times: dict[str, Counter[str]] = {"decoder": Counter(), "graph": Counter()}
    for name, write in every_operator.PROGRAMS.items():
        told = _fuzz(fuzzer, write(tmp_path / name))
        for kind, counts in times.items():
            counts.update(told["operators"][kind])
    assert len(times["decoder"]) > 20 and len(times["graph"]) > 40
    assert [name for counts in times.values() for name in counts if counts[name] < INPUTS // 50] == []


Damage = Callable[[bytearray], None]


def _set_header(field: str, value: int) -> Damage:
    names = [name for name, _ in f.HEADER.fields]
    offset = 8 + 4 * (names.index(field) - 1)
    return lambda data: struct.pack_into("<I", data, offset, value)


def _set_operator_code(data: bytearray) -> None:
    (offset,) = struct.unpack_from("<I", data, 64 + 3 * 16 + 4)
    struct.pack_into("<H", data, offset, 999)


def _begin_at_a_symbol_that_the_graph_lacks(data: bytearray) -> None:
    """A part that begins at the third symbol - 1. Once that was taken for at least 0, as of symbols that there are."""
    offset, size = struct.unpack_from("<II", data, 64 + 3 * 16 + 4)
    for operator in range(offset, offset + size, f.OPERATOR.layout.size):
        if struct.unpack_from("<H", data, operator) == (f.Code.SLICE,):
            struct.pack_into("<5I", data, operator + 8, 0, 0xFFFF_FFFF, 0, 0, 1)


def _shorten(data: bytearray) -> None:
    del data[-1]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (_set_header("version", f.VERSION + 1), "UnknownVersion"),
        (_set_header("magic", 0), "BadHeader"),
        (_set_header("sequence_max", 0), "BadProgram"),
        (_set_header("logits", 99_999), "BadProgram"),
        (_set_header("arena_size_bytes", 64), "BadProgram"),
        (_set_header("context_length_max", 1 << 30), "Unsupported"),
        (_set_operator_code, "Unsupported"),
        (_shorten, "BadHeader"),
    ],
)
def test_each_damage_has_its_error(tmp_path: Path, harness: wasmtime.Module, damage: Damage, error: str) -> None:
    path = _program(tmp_path, "llama", "int8")
    data = bytearray(path.read_bytes())
    WasmEngine(harness, bytes(data))
    damage(data)
    with pytest.raises(OpenRefused) as refused:
        WasmEngine(harness, bytes(data))
    assert refused.value.name == error


def test_a_part_that_begins_at_a_symbol_which_the_graph_lacks_is_refused(harness: wasmtime.Module) -> None:
    data = bytearray((GOLDEN / "graph-embeddings" / "program").read_bytes())
    _begin_at_a_symbol_that_the_graph_lacks(data)
    with pytest.raises(OpenRefused) as refused:
        WasmEngine(harness, bytes(data))
    assert refused.value.name == "BadProgram"


def test_calls_outside_the_maxima_are_refused(tmp_path: Path, harness: wasmtime.Module) -> None:
    engine = WasmEngine(harness, _program(tmp_path, "llama", "int8").read_bytes())
    assert engine.absorb([1] * 32, 32) == ""
    assert engine.absorb([1], 64) == "ContextFull"
    assert engine.absorb([1] * 2, 63) == "ContextFull"
    assert engine.absorb([1], 0xFFFF_FFFF) == "ContextFull"
    assert engine.absorb([30], 0) == "BadToken"
    assert engine.absorb([], 0) == "BadTokenCount"
    assert engine.absorb([1] * 33, 0) == "BadTokenCount"
