"""Whole compilations: the same bytes, each weight once, told, stopped and failed cleanly."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import wasmtime

from personal_ai.common.errors import Cancelled, StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.compiler import compile as compiling
from personal_ai.compiler import format as f
from personal_ai.compiler import program_writer
from personal_ai.compiler.compile import compile_onnx
from personal_ai.compiler.layouts import SCREENED_OUTPUTS_MIN
from personal_ai.compiler.program_file import read_program
from personal_ai.compiler.sizes import packed_size_bytes
from personal_ai.models.quantisation import Quantisation
from tests.canister.engine.wasm_engine import WasmEngine
from tests.compiler.decoders import GPT2, LLAMA, write_decoder
from tests.compiler.onnx_models import load
from tests.compiler.unpacking import read_unpacked


def _compile(path: Path, target: Path) -> compiling.ProgramInfo:
    return compile_onnx(path, target, end_tokens=(1, 2), context_length=256)


@pytest.mark.parametrize("quantisation", ["f32", "int8"])
def test_equal_input_gives_equal_bytes(tmp_path: Path, quantisation: Quantisation) -> None:
    targets = []
    for folder in ("one", "another place"):
        path = write_decoder(tmp_path / folder, LLAMA, quantisation)
        targets.append(_compile(path, tmp_path / folder / "program").path.read_bytes())
    assert targets[0] == targets[1]


@pytest.mark.parametrize("quantisation", ["f32", "int8"])
def test_a_tied_head_is_stored_once(tmp_path: Path, quantisation: Quantisation) -> None:
    sizes = {}
    for tied in (True, False):
        folder = tmp_path / str(tied)
        path = write_decoder(folder, replace(LLAMA, tied_embedding=tied), quantisation)
        sizes[tied] = _compile(path, folder / "program").size_bytes
    element = f.Element.F32_PACKED if quantisation == "f32" else f.Element.I8_BLOCK_PACKED
    head = packed_size_bytes(element, LLAMA.vocabulary_size, LLAMA.hidden_size)
    assert 0 <= sizes[False] - sizes[True] - head < 200
    program = read_program(tmp_path / "True" / "program")
    lookup, product = program.operators[0], program.operators[-1]
    assert program.tensors[lookup.inputs[0]].offset == program.tensors[product.inputs[1]].offset


def test_a_head_that_only_claims_to_be_tied_is_kept(tmp_path: Path) -> None:
    path = write_decoder(tmp_path, replace(LLAMA, tied_embedding=True), "int8")
    model = load(path)
    scales = next(tensor for tensor in model.graph.initializer if tensor.name == "head.weight.scale")
    place = {entry.key: entry.value for entry in scales.external_data}
    data = bytearray((path.parent / place["location"]).read_bytes())
    offset = int(place["offset"])
    data[offset : offset + 4] = np.float32(0.125).tobytes()
    (path.parent / place["location"]).write_bytes(data)
    program = read_program(_compile(path, tmp_path / "program").path)
    lookup, product = program.operators[0], program.operators[-1]
    assert program.tensors[lookup.inputs[0]].offset != program.tensors[product.inputs[1]].offset


def test_steps_are_fused(tmp_path: Path) -> None:
    llama = read_program(_compile(write_decoder(tmp_path / "llama", LLAMA, "int8"), tmp_path / "llama" / "p").path)
    codes = [operator.code for operator in llama.operators]
    assert codes.count(f.Code.SILU_MULTIPLY) == LLAMA.layer_count
    assert f.Code.SIGMOID not in codes and f.Code.SILU not in codes and f.Code.MULTIPLY not in codes
    assert codes.count(f.Code.QUANTISE) == 4 * LLAMA.layer_count + 1  # q, k, v share one; gate and up share one
    assert codes[llama.body_operator_count - 1] is f.Code.ATTENTION
    gpt2 = read_program(_compile(write_decoder(tmp_path / "gpt2", GPT2, "f32"), tmp_path / "gpt2" / "p").path)
    adds = [operator for operator in gpt2.operators if operator.code is f.Code.ADD]
    assert len(adds) == 2 * GPT2.layer_count + 1  # residuals and positions; every bias went into its product


def _int4_elements(path: Path) -> set[f.Element]:
    packed, in_bytes = f.Element.I4_BLOCK_PACKED, f.Element.I4_BLOCK_BYTES
    return {tensor.element for tensor in read_program(path).tensors} & {packed, in_bytes}


def test_weights_of_4_bits_are_two_to_a_byte_in_the_file_and_where_the_heap_is_small(
    tmp_path: Path,
    harness: wasmtime.Module,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_decoder(tmp_path, replace(LLAMA, layer_count=3), "int4")
    wide = _compile(path, tmp_path / "wide")
    assert _int4_elements(wide.path) == {f.Element.I4_BLOCK_BYTES}
    monkeypatch.setattr(compiling, "HEAP_SIZE_BYTES_MAX", wide.heap_bytes - 1)
    narrow = _compile(path, tmp_path / "narrow")
    assert _int4_elements(narrow.path) == {f.Element.I4_BLOCK_PACKED}
    assert narrow.context_length == wide.context_length
    assert narrow.program_bytes == narrow.size_bytes < wide.program_bytes
    assert 0 < wide.size_bytes - narrow.size_bytes < 1000, "frames are all that the file has more"
    of_wide, of_narrow = (WasmEngine(harness, read_unpacked(info.path)).run([3, 1, 4]) for info in (wide, narrow))
    np.testing.assert_array_equal(of_wide, of_narrow)


def test_a_head_is_screened_with_its_embedding_and_looks_up_the_same(
    tmp_path: Path,
    harness: wasmtime.Module,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_decoder(tmp_path, replace(LLAMA, vocabulary_size=SCREENED_OUTPUTS_MIN, tied_embedding=True), "int8")
    screened = _compile(path, tmp_path / "screened")
    program = read_program(screened.path)
    lookup, product = program.operators[0], program.operators[-1]
    table, head = program.tensors[lookup.inputs[0]], program.tensors[product.inputs[1]]
    assert table.element is head.element is f.Element.I8_SCREENED
    assert table.offset == head.offset
    again = packed_size_bytes(f.Element.I8_SCREENED, SCREENED_OUTPUTS_MIN, LLAMA.hidden_size)  # not known to be equal
    monkeypatch.setattr(compiling, "HEAP_SIZE_BYTES_MAX", screened.heap_bytes + again - 1)
    plain = _compile(path, tmp_path / "plain")
    assert f.Element.I8_SCREENED not in {tensor.element for tensor in read_program(plain.path).tensors}
    assert abs(screened.size_bytes - plain.size_bytes) < 1000
    rough, exact = (WasmEngine(harness, read_unpacked(info.path)).run([3, 1, 4]) for info in (screened, plain))
    same = rough == exact
    assert 32 * 16 <= same.sum() < 40 * 16, "the embedding is the same, and so are the greatest logits"
    assert exact[~same].max() < exact[same].max()
    assert rough.argmax() == exact.argmax()


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    seen: list[Progress] = []
    path = write_decoder(tmp_path, LLAMA, "int8")
    compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=64, on_progress=seen.append)
    assert seen[-1].done == seen[-1].total > 0
    assert {report.step for report in seen} == {"Compiling the model"} and {report.unit for report in seen} == {"bytes"}


def test_a_cancelled_compilation_leaves_nothing(tmp_path: Path) -> None:
    path = write_decoder(tmp_path / "model", LLAMA, "int8")
    cancel = Cancel()

    def stop(report: Progress) -> None:
        if report.done > report.total // 2:
            cancel.cancel()

    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "program"
    with pytest.raises(Cancelled):
        compile_onnx(path, target, end_tokens=(), context_length=64, on_progress=stop, cancel=cancel)
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_the_old_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_decoder(tmp_path / "model", LLAMA, "int8")
    target = tmp_path / "out" / "program"
    _compile(path, target)
    before = target.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(program_writer, "write_tables", full)
    with pytest.raises(StorageError, match="the disk is full"):
        _compile(path, target)
    assert target.read_bytes() == before
    assert [file.name for file in target.parent.iterdir()] == ["program"]


@pytest.mark.parametrize(("quantisation", "head_bytes"), [("f32", 4 * 16), ("int8", 4 + 16)])
def test_sizes_are_told(tmp_path: Path, quantisation: Quantisation, head_bytes: int) -> None:
    """Keys and values are f32 beside f32 weights, and 8 bits with a scale for each head beside int8 weights."""
    path = write_decoder(tmp_path, LLAMA, quantisation)
    info = _compile(path, tmp_path / "program")
    assert info.size_bytes == (tmp_path / "program").stat().st_size
    assert info.heap_bytes > info.size_bytes + info.arena_bytes + info.state_bytes
    assert info.state_bytes == 272 * 2 * LLAMA.layer_count * LLAMA.key_value_head_count * head_bytes
    matrices = 0
    for tensor in onnx.load(path, load_external_data=False).graph.initializer:
        if tensor.name.endswith("weight") and len(tensor.dims) == 2 and tensor.name != "embed.weight":
            matrices += int(np.prod(tensor.dims))
    assert info.weights_per_token == matrices
