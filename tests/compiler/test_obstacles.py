"""What the engine cannot carry is refused with operator, node and reason; nothing is compiled wrongly instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from personal_ai.common.errors import UnsupportedModelError
from personal_ai.compiler.compile import HEAP_SIZE_BYTES_MAX, check, compile_onnx
from personal_ai.compiler.obstacles import ModelObstaclesError
from tests.compiler.onnx_models import (
    CONTEXT,
    Change,
    add_constant,
    changed_model,
    find,
    insert_before,
    model,
    node,
    save,
)


def _unknown_operator(model: ModelProto) -> None:
    insert_before(model, "q", node("Softplus", ["x"], ["y"]))
    find(model, "q").input[0] = "y"


def _foreign_operator(model: ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    insert_before(model, "q", node("Gelu", ["x"], ["y"], domain="com.microsoft"))


def _softcap(model: ModelProto) -> None:
    find(model, "mixed").attribute.append(helper.make_attribute("softcap", -30.0))


def _is_causal(model: ModelProto) -> None:
    find(model, "mixed").attribute.append(helper.make_attribute("is_causal", 1))


def _set_heads(value: float) -> Change:
    def change(model: ModelProto) -> None:
        attributes = find(model, "mixed").attribute
        heads = next(attribute for attribute in attributes if attribute.name == "q_num_heads")
        heads.CopyFrom(helper.make_attribute("q_num_heads", value))

    return change


def _all_positions(model: ModelProto) -> None:
    find(model, "logits").input[0] = "mixed"


def _first_position(model: ModelProto) -> None:
    find(model, "last").input[1] = "axis_0"
    find(model, "last").input[2] = "axis_1"


def _interleaved(model: ModelProto) -> None:
    for name in ("cos", "sin"):
        add_constant(model, name, np.ones((CONTEXT, 4)), np.float32)
    rotary = node("RotaryEmbedding", ["q", "cos", "sin", "position_ids"], ["turned"], num_heads=4, interleaved=1)
    insert_before(model, "mixed", rotary)


def _odd_positions(model: ModelProto) -> None:
    for name in ("cos", "sin"):
        add_constant(model, name, np.ones((CONTEXT, 4)), np.float32)
    insert_before(
        model,
        "mixed",
        node("Add", ["position_ids", "one"], ["shifted"]),
        node("RotaryEmbedding", ["q", "cos", "sin", "shifted"], ["turned"], num_heads=4),
    )


def _another_input(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 8, 8)))


def _computed_matrix(model: ModelProto) -> None:
    find(model, "q").input[1] = "x"


def _blocks_of_32(model: ModelProto) -> None:
    add_constant(model, "w8", np.ones((32, 32)), np.int8)
    add_constant(model, "s8", np.ones((1, 32)), np.float32)
    insert_before(model, "q", node("DequantizeLinear", ["w8", "s8"], ["wd"], axis=0, block_size=32))
    find(model, "q").input[1] = "wd"


def _zero_point(model: ModelProto) -> None:
    for name, kind in (("w8", np.int8), ("z8", np.int8)):
        add_constant(model, name, np.ones((32, 32) if name == "w8" else (1, 32)), kind)
    add_constant(model, "s8", np.ones((1, 32)), np.float32)
    insert_before(model, "q", node("DequantizeLinear", ["w8", "s8", "z8"], ["wd"], axis=0, block_size=64))
    find(model, "q").input[1] = "wd"


def _swapped_caches(model: ModelProto) -> None:
    model.graph.output[1].name, model.graph.output[2].name = "present_value", "present_key"


def _split_unevenly(model: ModelProto) -> None:
    add_constant(model, "parts", [10, 22])
    insert_before(model, "q", node("Split", ["x", "parts"], ["left", "right"], axis=2))


CASES: dict[str, tuple[Change, str, str, str]] = {
    "unknown operator": (_unknown_operator, "Softplus", "y", "does not have this operator"),
    "foreign operator": (_foreign_operator, "com.microsoft.Gelu", "y", "does not have this operator"),
    "softcap": (_softcap, "Attention", "mixed", "softcap"),
    "is_causal": (_is_causal, "Attention", "mixed", "not given as a mask"),
    "heads": (_set_heads(5), "Attention", "mixed", "heads"),
    "wrong type": (_set_heads(4.0), "Attention", "mixed", "q_num_heads is of the wrong type"),
    "all positions": (_all_positions, "Output", "logits", "last position"),
    "first position": (_first_position, "Slice", "last", "only the last"),
    "interleaved": (_interleaved, "RotaryEmbedding", "turned", "interleaved"),
    "odd positions": (_odd_positions, "RotaryEmbedding", "turned", "not the positions"),
    "another input": (_another_input, "Input", "image", "neither"),
    "computed matrix": (_computed_matrix, "MatMul", "q", "not a constant matrix"),
    "blocks of 32": (_blocks_of_32, "MatMul", "q", "32 weights share a scale"),
    "zero point": (_zero_point, "DequantizeLinear", "wd", "zero point"),
    "swapped caches": (_swapped_caches, "Output", "", "caches"),
    "uneven split": (_split_unevenly, "Split", "left", "multiple of 4"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_with_operator_node_and_reason(tmp_path: Path, name: str) -> None:
    change, operator, where, reason = CASES[name]
    path = changed_model(tmp_path, change)
    (obstacle,) = check(path)
    assert (obstacle.operator, obstacle.node) == (operator, where)
    assert reason in obstacle.reason
    with pytest.raises(UnsupportedModelError, match=operator) as error:
        compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=CONTEXT)
    assert any(reason in line for line in error.value.reasons)
    assert not (tmp_path / "program").exists()


def test_all_obstacles_are_found_and_what_follows_from_one_is_not_repeated(tmp_path: Path) -> None:
    changed = model()
    _unknown_operator(changed)  # q, the attention and the head depend on it
    insert_before(changed, "q", node("Softsign", ["x"], ["odd"]))
    assert [obstacle.operator for obstacle in check(save(tmp_path, changed))] == ["Softplus", "Softsign"]


def test_tokens_that_no_row_stands_for_are_refused(tmp_path: Path) -> None:
    def shorter(changed: ModelProto) -> None:
        find(changed, "x").input[0] = "short"
        add_constant(changed, "short", np.ones((39, 32)), np.float32)

    (obstacle,) = check(changed_model(tmp_path, shorter))
    assert "39 rows, fewer than the 40 tokens" in obstacle.reason
    with pytest.raises(ModelObstaclesError, match="end token"):
        compile_onnx(save(tmp_path, model()), tmp_path / "program", end_tokens=(40,), context_length=CONTEXT)


def test_a_model_that_does_not_fit_says_so_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personal_ai.compiler.compile.HEAP_SIZE_BYTES_MAX", (1 << 20) + 20_000)
    path = save(tmp_path, model())
    (obstacle,) = check(path)
    assert str((1 << 20) + 20_000) in obstacle.reason and "64 are the least" in obstacle.reason
    assert HEAP_SIZE_BYTES_MAX < 4 << 30


def test_a_context_that_does_not_fit_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, model())
    full = compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=10_000)
    assert full.context_length == 10_000
    monkeypatch.setattr("personal_ai.compiler.compile.HEAP_SIZE_BYTES_MAX", full.heap_bytes - 1000 * 256)
    tight = compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=10_000)
    assert 8_900 < tight.context_length < 9_001
    assert tight.heap_bytes <= full.heap_bytes - 1000 * 256
