"""The committed programs: the compiler still writes these bytes, the engine still computes these bits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import wasmtime

from personal_ai.compiler import format as f
from personal_ai.compiler.compile import compile_graph, compile_onnx
from personal_ai.compiler.program_file import read_program
from personal_ai.compiler.sizes import kept_size_bytes
from tests.canister.engine.wasm_engine import WasmEngine
from tests.canister.engine.wasm_graph import WasmGraph
from tests.compiler.drawn_graphs import GRAPHS, MAXIMA, given
from tests.compiler.make_golden import CONTEXT_LENGTH, DECODERS, END_TOKENS, FOLDER, GRAPH_NAMES
from tests.compiler.unpacking import read_unpacked

NAMES = sorted(DECODERS)


@pytest.mark.parametrize("name", NAMES)
def test_the_compiler_writes_the_golden_bytes(tmp_path: Path, name: str) -> None:
    source = shutil.copytree(FOLDER / name, tmp_path / "some folder")
    target = tmp_path / "program"
    compile_onnx(source / "model.onnx", target, end_tokens=END_TOKENS, context_length=CONTEXT_LENGTH)
    assert target.read_bytes() == (FOLDER / name / "program").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_reader_reads_what_was_compiled(name: str) -> None:
    decoder, quantisation = DECODERS[name]
    program = read_program(FOLDER / name / "program")
    assert program.vocabulary_size == decoder.vocabulary_size
    assert program.context_length_max == CONTEXT_LENGTH
    assert program.end_tokens == END_TOKENS
    element = f.Element.F32 if quantisation == "f32" else f.Element.I8_KEPT
    kept = kept_size_bytes(element, decoder.key_value_head_count, decoder.head_size)
    assert program.state_row_size_bytes == 2 * decoder.layer_count * kept


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_computes_the_golden_bits(harness: wasmtime.Module, name: str) -> None:
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    logits = WasmEngine(harness, read_unpacked(FOLDER / name / "program")).run(expected["tokens"])
    assert [value.hex() for value in logits.astype(float).tolist()] == expected["logits"]
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", sorted(GRAPH_NAMES))
def test_a_golden_graph(tmp_path: Path, harness: wasmtime.Module, name: str) -> None:
    compile_graph(FOLDER / name / "model.onnx", tmp_path / "program", maxima=MAXIMA)
    assert (tmp_path / "program").read_bytes() == (FOLDER / name / "program").read_bytes()
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    result = WasmGraph(harness, FOLDER / name / "program").run(given(GRAPHS[GRAPH_NAMES[name]]))["y"]
    assert list(result.shape) == expected["shape"]
    assert [value.hex() for value in result.astype(float).reshape(-1).tolist()] == expected["y"]
