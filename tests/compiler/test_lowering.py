"""ONNX graphs that say the same in other words: compiled, they still compute what onnxruntime computes."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import wasmtime
from onnx import ModelProto, TensorProto, helper

from personal_ai.compiler import format as f
from personal_ai.compiler.compile import compile_onnx
from personal_ai.compiler.program import Program
from personal_ai.compiler.program_file import read_program
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine
from tests.compiler.onnx_models import (
    CONTEXT,
    HEAD_SIZE,
    HEADS,
    HIDDEN,
    VOCABULARY,
    Change,
    add_constant,
    changed_model,
    find,
    insert_before,
    node,
)
from tests.compiler.unpacking import read_unpacked


def _add_normal(model: ModelProto, name: str, *shape: int) -> None:
    """Random numbers that are the same whatever ran before."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    add_constant(model, name, random.standard_normal(shape), np.float32)


def _use_instead_of_x(model: ModelProto, name: str) -> None:
    """q, k and v are computed from `name` instead of x."""
    for product in ("q", "k", "v"):
        find(model, product).input[0] = name


def _one_matrix_for_q_k_v(model: ModelProto) -> None:
    _add_normal(model, "wqkv", HIDDEN, 3 * HIDDEN)
    add_constant(model, "parts", [HIDDEN] * 3)
    insert_before(model, "q", node("MatMul", ["x", "wqkv"], ["qkv"]))
    for product in ("q", "k", "v"):
        model.graph.node.remove(find(model, product))
    insert_before(model, "mixed", node("Split", ["qkv", "parts"], ["q", "k", "v"], axis=-1))


def _slices_of_columns(model: ModelProto) -> None:
    """x with its halves exchanged, the second scaled."""
    for name, value in (("zero_1", [0]), ("half", [HIDDEN // 2]), ("all", [HIDDEN]), ("axis_2", [2])):
        add_constant(model, name, value)
    add_constant(model, "two", 2.0, np.float32)
    _add_normal(model, "w_left", HIDDEN // 2, HIDDEN)
    _add_normal(model, "w_right", HIDDEN // 2, HIDDEN)
    insert_before(
        model,
        "q",
        node("Slice", ["x", "zero_1", "half", "axis_2"], ["left"]),
        node("Slice", ["x", "half", "all", "axis_2"], ["right"]),
        node("Mul", ["two", "right"], ["doubled"]),
        node("MatMul", ["left", "w_left"], ["from_left"]),
        node("MatMul", ["doubled", "w_right"], ["from_right"]),
        node("Add", ["from_left", "from_right"], ["both"]),
    )
    _use_instead_of_x(model, "both")


def _bias_and_gate(model: ModelProto) -> None:
    _add_normal(model, "w_gate", HIDDEN, HIDDEN)
    _add_normal(model, "bias", HIDDEN)
    insert_before(
        model,
        "q",
        node("MatMul", ["x", "w_gate"], ["product"]),
        node("Add", ["bias", "product"], ["gate"]),
        node("Sigmoid", ["gate"], ["open"]),
        node("Mul", ["open", "gate"], ["activated"]),
        node("Mul", ["x", "activated"], ["gated"]),
    )
    _use_instead_of_x(model, "gated")


def _a_sigmoid_used_twice(model: ModelProto) -> None:
    insert_before(
        model,
        "q",
        node("Sigmoid", ["x"], ["open"]),
        node("Mul", ["x", "open"], ["activated"]),
        node("Add", ["activated", "open"], ["sum"]),
    )
    _use_instead_of_x(model, "sum")


def _norm_of_heads(model: ModelProto) -> None:
    add_constant(model, "split_shape", [0, -1, HEADS, HEAD_SIZE])
    add_constant(model, "joined_shape", [1, -1, HIDDEN])
    _add_normal(model, "gain", HEAD_SIZE)
    insert_before(
        model,
        "q",
        node("Reshape", ["x", "split_shape"], ["heads"]),
        node("RMSNormalization", ["heads", "gain"], ["normed_heads"], axis=3, epsilon=1e-3),
        node("Reshape", ["normed_heads", "joined_shape"], ["normed"]),
    )
    _use_instead_of_x(model, "normed")


def _shape_from_lengths(model: ModelProto) -> None:
    """Reshape to a shape that is put together from the call's own lengths."""
    for name, value in (
        ("one_1", [1]),
        ("heads_1", [HEADS]),
        ("size_1", [HEAD_SIZE]),
        ("first", 1),
        ("width", [HIDDEN]),
    ):
        add_constant(model, name, value)
    insert_before(
        model,
        "q",
        node("Shape", ["x"], ["x_shape"]),
        node("Gather", ["x_shape", "first"], ["x_length"]),
        node("Unsqueeze", ["x_length", "axis_0"], ["x_length_1"]),
        node("Cast", ["x_length_1"], ["x_length_64"], to=TensorProto.INT64),
        node("Concat", ["one_1", "x_length_64", "heads_1", "size_1"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["heads"]),
        node("Sigmoid", ["heads"], ["opened"]),
        node("Concat", ["one_1", "x_length_64", "width"], ["back"], axis=0),
        node("Reshape", ["opened", "back"], ["joined"]),
        node("Identity", ["joined"], ["same"]),
    )
    _use_instead_of_x(model, "same")


def _rotary_of_a_part(model: ModelProto) -> None:
    """Heads of 16 of which 8 turn; positions go in through Identity."""
    angles = np.arange(CONTEXT)[:, None] * np.asarray([1.0, 0.3, 0.1, 0.03])
    add_constant(model, "cos", np.cos(angles), np.float32)
    add_constant(model, "sin", np.sin(angles), np.float32)
    insert_before(
        model,
        "mixed",
        node("Identity", ["position_ids"], ["places"]),
        node("RotaryEmbedding", ["q", "cos", "sin", "places"], ["turned"], num_heads=2, rotary_embedding_dim=8),
    )
    find(model, "mixed").input[0] = "turned"


def _scale(model: ModelProto) -> None:
    find(model, "mixed").attribute.append(helper.make_attribute("scale", 0.7))


def _capped_scores(model: ModelProto) -> None:
    find(model, "mixed").attribute.append(helper.make_attribute("softcap", 1.5))


def _tanh(model: ModelProto) -> None:
    insert_before(model, "q", node("Tanh", ["x"], ["bent"]))
    _use_instead_of_x(model, "bent")


def _tied_head(model: ModelProto) -> None:
    insert_before(model, "logits", node("Transpose", ["embed"], ["head_of_embed"], perm=[1, 0]))
    find(model, "logits").input[1] = "head_of_embed"


def _layer_norm_and_gelus(model: ModelProto) -> None:
    _add_normal(model, "gain", HIDDEN)
    _add_normal(model, "shift", HIDDEN)
    insert_before(
        model,
        "q",
        node("LayerNormalization", ["x", "gain", "shift"], ["normed"], axis=-1, epsilon=1e-4),
        node("Gelu", ["normed"], ["exact"]),
        node("Gelu", ["normed"], ["near"], approximate="tanh"),
        node("Add", ["exact", "near"], ["sum"]),
    )
    _use_instead_of_x(model, "sum")


def _learned_positions(model: ModelProto) -> None:
    _add_normal(model, "places", CONTEXT, HIDDEN)
    insert_before(
        model,
        "q",
        node("Gather", ["places", "position_ids"], ["place"]),
        node("Add", ["x", "place"], ["placed"]),
    )
    _use_instead_of_x(model, "placed")


CHANGES: dict[str, Change] = {
    change.__name__.strip("_").replace("_", " "): change
    for change in (
        *(_one_matrix_for_q_k_v, _slices_of_columns, _bias_and_gate, _a_sigmoid_used_twice, _norm_of_heads),
        *(_capped_scores, _tanh),
        *(_shape_from_lengths, _rotary_of_a_part, _scale, _tied_head, _layer_norm_and_gelus, _learned_positions),
    )
}


def _compiled(folder: Path, change: Change) -> tuple[Path, Program]:
    path = changed_model(folder, change)
    compile_onnx(path, folder / "program", end_tokens=(), context_length=CONTEXT)
    return path, read_program(folder / "program")


@pytest.mark.parametrize("name", CHANGES)
def test_the_numbers_are_those_of_onnxruntime(
    tmp_path: Path,
    harness: wasmtime.Module,
    name: str,
) -> None:
    path, _ = _compiled(tmp_path, CHANGES[name])
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, 23)
    engine = WasmEngine(harness, read_unpacked(tmp_path / "program"))
    logits = engine.run(tokens.tolist(), [9, 1, 13])
    empty = np.zeros((1, HEADS, 0, HEAD_SIZE), dtype=np.float32)
    feed = {"input_ids": tokens[None].astype(np.int64), "past_key": empty, "past_value": empty}
    (expected,) = onnxruntime.InferenceSession(path).run(["logits"], feed)
    np.testing.assert_allclose(logits, np.asarray(expected).reshape(-1), rtol=1e-4, atol=2e-4)


def test_a_bias_and_a_gate_cost_no_step_of_their_own(tmp_path: Path) -> None:
    codes = [operator.code for operator in _compiled(tmp_path, _bias_and_gate)[1].operators]
    assert codes[:3] == [f.Code.ROWS, f.Code.MATMUL, f.Code.SILU_MULTIPLY]


def test_what_is_used_elsewhere_is_not_fused_away(tmp_path: Path) -> None:
    codes = [operator.code for operator in _compiled(tmp_path, _a_sigmoid_used_twice)[1].operators]
    assert codes[:4] == [f.Code.ROWS, f.Code.SIGMOID, f.Code.MULTIPLY, f.Code.ADD]


def test_parts_of_a_split_stay_where_they_are(tmp_path: Path) -> None:
    _, program = _compiled(tmp_path, _one_matrix_for_q_k_v)
    attention = next(operator for operator in program.operators if operator.code is f.Code.ATTENTION)
    q, k, v = (program.tensors[index] for index in attention.inputs[:3])
    assert q.row_stride_bytes == k.row_stride_bytes == v.row_stride_bytes == 3 * HIDDEN * 4
    assert (k.offset - q.offset, v.offset - q.offset) == (HIDDEN * 4, 2 * HIDDEN * 4)


def test_a_tied_head_needs_no_second_matrix(tmp_path: Path) -> None:
    _, program = _compiled(tmp_path, _tied_head)
    assert program.operators[0].inputs[0] == program.operators[-1].inputs[1]
