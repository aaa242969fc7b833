"""The session's matrices hold the package's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from personal_ai.compiler.onnx_graph import Int4Matrix
from personal_ai.models.local.weights import BlockMatrix, Tensors, block_matrix, joined
from personal_ai.models.quantisation import BLOCK_SIZE, dequantise, pack_int4


def unpacked(matrix: BlockMatrix) -> np.ndarray:
    """The values [inputs, outputs], as MatMulNBits' text defines them."""
    integers = matrix.integers.astype(np.int16).reshape(matrix.outputs, -1)
    if matrix.bits == 4:
        integers = np.stack((integers & 15, integers >> 4), axis=-1).reshape(matrix.outputs, -1)
    zero = 1 << (matrix.bits - 1)
    scales = np.repeat(matrix.scales, BLOCK_SIZE, axis=1)
    return ((integers - zero) * scales)[:, : matrix.inputs].T.astype(np.float32)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("inputs", [64, 130, 5])
def test_numbers_are_the_packages_side_by_side(bits: int, inputs: int) -> None:
    rng, expected = np.random.default_rng(bits), []
    tensors: dict[str, Any] = {}
    for name, outputs in (("a", 3), ("b", 4)):
        integers = rng.integers(-8 if bits == 4 else -127, 8 if bits == 4 else 128, (inputs, outputs)).astype(np.int8)
        scales = rng.standard_normal((-(-inputs // BLOCK_SIZE), outputs)).astype(np.float32)
        tensors[name] = integers if bits == 8 else Int4Matrix(pack_int4(integers), (inputs, outputs))
        tensors[f"{name}.scale"] = scales
        expected.append(dequantise(integers, scales, BLOCK_SIZE))
    matrix = block_matrix(tensors, ["a", "b"])
    assert (matrix.bits, matrix.inputs, matrix.outputs) == (bits, inputs, 7)
    assert np.array_equal(unpacked(matrix), np.concatenate(expected, axis=1))
    padding = matrix.integers.reshape(7, -1)[:, inputs * bits // 8 + 1 :]
    assert (padding == (0x88 if bits == 4 else 0x80)).all(), "nothing is added beyond the inputs"


def test_many_columns_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    integers = np.arange(64 * 10, dtype=np.int8).reshape(64, 10)
    tensors: Tensors = {"a": integers, "a.scale": np.ones((1, 10), dtype=np.float32)}
    whole = block_matrix(tensors, ["a"]).integers
    monkeypatch.setattr("personal_ai.models.local.weights._COLUMNS_AT_ONCE", 3)
    assert np.array_equal(block_matrix(tensors, ["a"]).integers, whole)


def test_vectors_are_joined() -> None:
    tensors: Tensors = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    assert joined(tensors, ["a", "b"]).tolist() == [1.0, 2.0, 3.0]
    assert joined(tensors, ["a"]) is tensors["a"]
