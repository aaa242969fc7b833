"""Blocks of MatMulNBits are read as onnxruntime reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from personal_ai.common.errors import FormatError
from personal_ai.models.exports.arrays import StoredArray, stored_array
from personal_ai.models.exports.tensors import Blocks, Part
from personal_ai.models.runtime import onnxruntime

INPUTS, OUTPUTS = 80, 24


def stored(name: str, values: np.ndarray) -> StoredArray:
    return stored_array(numpy_helper.from_array(values, name), Path())


def blocks(bits: int, block_size: int, *, zero_points: bool) -> tuple[Blocks, np.ndarray]:
    """Random blocks, and the matrix [outputs, inputs] that onnxruntime makes of them."""
    rng, count = np.random.default_rng(bits), -(-INPUTS // block_size)
    integers = rng.integers(0, 256, (OUTPUTS, count, block_size * bits // 8), dtype=np.uint8)
    scales = rng.uniform(0.5, 1.0, OUTPUTS * count).astype(np.float32)
    points = rng.integers(0, 256, OUTPUTS * -(-count * bits // 8), dtype=np.uint8) if zero_points else None
    sizes: dict[str, Any] = {"K": INPUTS, "N": OUTPUTS, "bits": bits, "block_size": block_size}
    names = ["x", "integers", "scales", *(["points"] if zero_points else [])]
    node = helper.make_node("MatMulNBits", names, ["y"], domain="com.microsoft", accuracy_level=1, **sizes)
    constants: dict[str, np.ndarray[Any, Any]] = {"integers": integers, "scales": scales}
    if points is not None:
        constants["points"] = points
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [INPUTS, INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [INPUTS, OUTPUTS])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    session = onnxruntime.InferenceSession(
        helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    )
    expected = session.run(None, {"x": np.eye(INPUTS, dtype=np.float32)})[0].T
    stored_points = None if points is None else stored("points", points)
    ours = Blocks(stored("i", integers), stored("s", scales), stored_points, OUTPUTS, INPUTS, block_size, bits)
    return ours, expected


@pytest.mark.parametrize("zero_points", [False, True])
@pytest.mark.parametrize(("bits", "block_size"), [(4, 32), (4, 16), (8, 32)])
def test_blocks_are_read_as_by_onnxruntime(bits: int, block_size: int, zero_points: bool) -> None:
    ours, expected = blocks(bits, block_size, zero_points=zero_points)
    assert (ours.shape, ours.readable) == ((OUTPUTS, INPUTS), True)
    assert np.allclose(ours.rows(0, OUTPUTS), expected, rtol=1e-5, atol=1e-5)
    assert np.array_equal(ours.rows(5, 9), ours.rows(0, OUTPUTS)[5:9])
    part = Part(ours, 4, 10)
    assert (part.shape, part.readable) == ((10, INPUTS), True)
    assert np.array_equal(part.rows(1, 3), ours.rows(5, 7))


@pytest.mark.parametrize("change", [{"bits": 3}, {"block_size": 0}, {"inputs": 300}, {"outputs": -1}, {"bits": 8}])
def test_sizes_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    good, _ = blocks(4, 32, zero_points=True)
    sizes = {"outputs": OUTPUTS, "inputs": INPUTS, "block_size": 32, "bits": 4} | change
    with pytest.raises(FormatError):
        Blocks(good.integers, good.scales, good.zero_points, **sizes)
