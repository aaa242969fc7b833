"""Damaged programs: the engine refuses them or runs them harmlessly, and touches no byte outside of its memory."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from personal_ai.canister import build
from personal_ai.compiler import format as f
from personal_ai.models.quantisation import Quantisation
from tests.canister.engine.wasm_engine import OpenRefused, WasmEngine
from tests.compiler.unpacking import read_unpacked
from tests.faults.engine_fuzz import decoder_program

INPUTS = 4000
GOLDEN = Path(__file__).parent.parent.parent / "compiler" / "golden"


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = Path(tmp_path_factory.mktemp("fuzz")) / "fuzz"
    root = Path(__file__).parent / "fuzz.zig"
    modules = ("--dep", "shell", f"-Mroot={root}", "-Mshell=shell.zig")
    result = build.zig("build-exe", *modules, f"-femit-bin={binary}", cwd=build.SOURCES)
    assert result.returncode == 0, result.stderr
    return binary


def _program(folder: Path, name: str, quantisation: Quantisation) -> Path:
    unpacked = folder / "unpacked"
    unpacked.write_bytes(read_unpacked(decoder_program(folder, "program", name, quantisation)))
    return unpacked


def _fuzz(fuzzer: Path, program: Path) -> None:
    counts = _counts(fuzzer, program, INPUTS, 1)
    assert counts["inputs"] == INPUTS
    assert counts["past_header"] > INPUTS // 2, "the damage hardly gets past the header"
    assert INPUTS // 50 < counts["run"] < INPUTS, "the damage is too mild or too harsh to test anything"


def _counts(fuzzer: Path, program: Path, inputs: int, seed: int) -> dict[str, int]:
    result = subprocess.run([fuzzer, str(inputs), str(seed), program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    counts: dict[str, int] = json.loads(result.stderr)
    return counts


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
def test_damaged_graphs_touch_nothing_outside(fuzzer: Path, name: str) -> None:
    _fuzz(fuzzer, GOLDEN / name / "program")


def test_a_part_that_begins_at_a_symbol_which_the_graph_lacks_is_refused(fuzzer: Path) -> None:
    """Once it was taken for at least 1, as of symbols that there are."""
    assert _counts(fuzzer, GOLDEN / "graph-embeddings" / "program", 20_000, 21_000_097)["run"] > 0


Damage = Callable[[bytearray], None]


def _set_header(field: str, value: int) -> Damage:
    names = [name for name, _ in f.HEADER.fields]
    offset = 8 + 4 * (names.index(field) - 1)
    return lambda data: struct.pack_into("<I", data, offset, value)


def _set_operator_code(data: bytearray) -> None:
    (offset,) = struct.unpack_from("<I", data, 64 + 3 * 16 + 4)
    struct.pack_into("<H", data, offset, 999)


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


def test_calls_outside_the_maxima_are_refused(tmp_path: Path, harness: wasmtime.Module) -> None:
    engine = WasmEngine(harness, _program(tmp_path, "llama", "int8").read_bytes())
    assert engine.absorb([1] * 32, 32) == ""
    assert engine.absorb([1], 64) == "ContextFull"
    assert engine.absorb([1] * 2, 63) == "ContextFull"
    assert engine.absorb([1], 0xFFFF_FFFF) == "ContextFull"
    assert engine.absorb([30], 0) == "BadToken"
    assert engine.absorb([], 0) == "BadTokenCount"
    assert engine.absorb([1] * 33, 0) == "BadTokenCount"
