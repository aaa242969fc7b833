"""Masks become nothing when they are proven causal, and stop the compiler when they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wasmtime
from onnx import ModelProto

from personal_ai.compiler import format as f
from personal_ai.compiler.compile import check, compile_onnx
from personal_ai.compiler.program_file import read_program
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine
from tests.compiler.onnx_models import (
    CONTEXT,
    HEAD_SIZE,
    HEADS,
    VOCABULARY,
    Change,
    add_constant,
    changed_model,
    find,
    insert_before,
    node,
)
from tests.compiler.unpacking import read_unpacked


def _nothing(_: ModelProto) -> None:
    return


def _greater_or_equal(model: ModelProto) -> None:
    mask = find(model, "mask")
    mask.op_type = "GreaterOrEqual"
    mask.input[:] = ["query_positions", "key_positions"]


def _less_than_next(model: ModelProto) -> None:
    insert_before(model, "mask", node("Add", ["query_positions", "one"], ["next"]))
    mask = find(model, "mask")
    mask.op_type = "Less"
    mask.input[:] = ["key_positions", "next"]


def _four_axes(model: ModelProto) -> None:
    """[1, 1, sequence, total], from positions with all axes in place."""
    add_constant(model, "axes_0_1_3", [0, 1, 3])
    find(model, "query_positions").input[1] = "axes_0_1_3"


def _window(size: int) -> Change:
    def change(model: ModelProto) -> None:
        add_constant(model, "window", size)
        insert_before(
            model,
            "x",
            node("Sub", ["query_positions", "window"], ["too_old"]),
            node("Greater", ["key_positions", "too_old"], ["recent"]),
            node("And", ["mask", "recent"], ["windowed"]),
        )
        find(model, "mixed").input[3] = "windowed"

    return change


PROVEN = {
    "as the importer writes it": (_nothing, 0),
    "greater or equal": (_greater_or_equal, 0),
    "less than the next": (_less_than_next, 0),
    "four axes": (_four_axes, 0),
    "a window of 5": (_window(5), 5),
    "a window of 1": (_window(1), 1),
}


@pytest.mark.parametrize("name", PROVEN)
def test_proven_masks_vanish_and_mean_the_same(
    tmp_path: Path,
    harness: wasmtime.Module,
    name: str,
) -> None:
    change, window = PROVEN[name]
    path = changed_model(tmp_path, change)
    compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=CONTEXT)
    program = read_program(tmp_path / "program")
    codes = [operator.code for operator in program.operators]
    assert codes == [
        f.Code.ROWS,
        *([f.Code.MATMUL] * 3),
        f.Code.ATTENTION,
        f.Code.LAST_ROW,
        f.Code.MATMUL,
    ]
    assert program.operators[4].attributes["window"] == window
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, 23)
    logits = WasmEngine(harness, read_unpacked(tmp_path / "program")).run(tokens.tolist(), [9, 1, 13])
    np.testing.assert_allclose(logits, _by_onnxruntime(path, tokens), rtol=0, atol=1e-4)


def _by_onnxruntime(path: Path, tokens: np.ndarray) -> np.ndarray:
    empty = np.zeros((1, HEADS, 0, HEAD_SIZE), dtype=np.float32)
    feed = {"input_ids": tokens[None].astype(np.int64), "past_key": empty, "past_value": empty}
    (logits,) = onnxruntime.InferenceSession(path).run(["logits"], feed)
    return np.asarray(logits).reshape(-1)


def _strict(model: ModelProto) -> None:
    find(model, "mask").op_type = "Less"


def _acausal(model: ModelProto) -> None:
    find(model, "mask").op_type = "GreaterOrEqual"


def _without_past(model: ModelProto) -> None:
    """Queries counted from 0: right only for the first call."""
    insert_before(
        model,
        "mask",
        node("Squeeze", ["sequence", "axis_0"], ["sequence_length"]),
        node("Range", ["zero", "sequence_length", "one"], ["rows"]),
        node("Unsqueeze", ["rows", "axis_1"], ["row_numbers"]),
    )
    find(model, "mask").input[1] = "row_numbers"


def _no_mask(model: ModelProto) -> None:
    find(model, "mixed").input[3] = ""


def _future_condition(model: ModelProto) -> None:
    insert_before(model, "x", node("And", ["mask", "other"], ["both"]))
    insert_before(model, "both", node("LessOrEqual", ["key_positions", "total_length"], ["other"]))
    find(model, "mixed").input[3] = "both"


UNPROVEN = {
    "strictly before": (_strict, "not proven causal"),
    "the future": (_acausal, "not proven causal"),
    "without the past": (_without_past, "not proven causal"),
    "no mask": (_no_mask, "not a mask over positions"),
    "another condition": (_future_condition, "other than causality"),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_unproven_masks_are_obstacles(tmp_path: Path, name: str) -> None:
    change, reason = UNPROVEN[name]
    obstacles = check(changed_model(tmp_path, change))
    assert [(obstacle.operator, obstacle.node) for obstacle in obstacles] == [("Attention", "mixed")]
    assert reason in obstacles[0].reason
