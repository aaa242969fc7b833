"""The operator gives the bits of its arithmetic for any shape, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from personal_ai.models.local import kernel
from personal_ai.models.quantisation import BLOCK_SIZE, pack_int4
from personal_ai.models.runtime import onnxruntime

Floats = npt.NDArray[np.float32]


@dataclass
class Matrix:
    """bits, integers int8 [inputs, outputs], scales [blocks, outputs], bias [outputs]."""

    bits: int
    integers: npt.NDArray[np.int8]
    scales: Floats
    bias: Floats

    @property
    def packed(self) -> npt.NDArray[Any]:
        return self.integers if self.bits == 8 else pack_int4(self.integers)


def random_matrix(bits: int, inputs: int, outputs: int, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    return Matrix(
        bits,
        rng.integers(-half, half, (inputs, outputs)).astype(np.int8),
        rng.standard_normal((-(-inputs // BLOCK_SIZE), outputs)).astype(np.float32),
        rng.standard_normal(outputs).astype(np.float32),
    )


def session_of(matrices: Sequence[Matrix], *, with_bias: bool = False, threads: int = 1, **changed: Any) -> Any:
    """changed: attributes and, by their names in the graph, tensors that are not as they must be."""
    tensors: dict[str, npt.NDArray[Any]] = {}
    for index, matrix in enumerate(matrices):
        tensors |= {f"integers_{index}": matrix.packed, f"scales_{index}": matrix.scales}
        if with_bias:
            tensors[f"bias_{index}"] = matrix.bias
    attributes: dict[str, Any] = {"input_size": len(matrices[0].integers), "biased": int(with_bias), "threads": threads}
    for name, value in changed.items():
        (tensors if name in tensors else attributes)[name] = value
    outputs = [f"y_{index}" for index in range(len(matrices))]
    node = helper.make_node(kernel.OPERATOR, ["x", *tensors], outputs, domain=kernel.DOMAIN, **attributes)
    body = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", 1, None)],
        [helper.make_tensor_value_info(name, 1, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 24), helper.make_opsetid(kernel.DOMAIN, 1)]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(kernel.library()))
    model = helper.make_model(body, opset_imports=opsets, ir_version=11).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def expected(x: Floats, matrix: Matrix, *, biased: bool = False) -> Floats:
    """The arithmetic of product.zig and activations.zig, step by step in the same order."""
    blocks = -(-x.shape[1] // BLOCK_SIZE)
    padding = blocks * BLOCK_SIZE - x.shape[1]
    values = np.pad(x, ((0, 0), (0, padding))).reshape(len(x), blocks, BLOCK_SIZE)
    weights = np.pad(matrix.integers, ((0, padding), (0, 0))).reshape(blocks, BLOCK_SIZE, -1).astype(np.int64)
    total = np.repeat((matrix.bias if biased else np.zeros_like(matrix.bias))[None], len(x), axis=0)
    for block in range(blocks):
        greatest = np.abs(values[:, block]).max(axis=1, keepdims=True)
        large = greatest > np.float32(1e-30)
        factor = np.where(large, np.float32(32767) / np.where(large, greatest, 1), np.float32(0))
        shifted = values[:, block] * factor + np.float32(12582912)
        integers = shifted.view(np.int32).astype(np.int16).astype(np.int64)
        scale = np.where(large, greatest / np.float32(32767), np.float32(0))
        total = total + (integers @ weights[block]).astype(np.float32) * (matrix.scales[block] * scale)
    return total


@settings(max_examples=40, deadline=None)
@given(
    bits=st.sampled_from([8, 4]),
    rows=st.sampled_from([1, 2, 3, 5, 7, 131, 257]),
    inputs=st.integers(1, 300),
    outputs=st.lists(st.integers(1, 150), min_size=1, max_size=3),
    biased=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_it_gives_the_bits_of_its_arithmetic(
    *, bits: int, rows: int, inputs: int, outputs: list[int], biased: bool, threads: int
) -> None:
    matrices = [random_matrix(bits, inputs, count, seed) for seed, count in enumerate(outputs)]
    x = np.random.default_rng(9).standard_normal((rows, inputs)).astype(np.float32)
    results = session_of(matrices, with_bias=biased, threads=threads).run(None, {"x": x})
    for matrix, result in zip(matrices, results, strict=True):
        assert np.array_equal(result, expected(x, matrix, biased=biased))


def test_a_row_does_not_depend_on_its_company() -> None:
    matrices = [random_matrix(bits, 576, 200, bits) for bits in (8, 4)]
    x = np.random.default_rng(1).standard_normal((1, 270, 576)).astype(np.float32)
    together = session_of(matrices, threads=2).run(None, {"x": x})
    for session in (session_of(matrices), session_of(matrices, threads=2)):
        for count in (1, 4, 133):
            some = session.run(None, {"x": x[:, 7 : 7 + count]})
            assert all(np.array_equal(few, many[:, 7 : 7 + count]) for few, many in zip(some, together, strict=True))


def test_any_number_of_rows_is_taken() -> None:
    session = session_of([random_matrix(8, 64, 32)])
    assert session.run(None, {"x": np.ones((2, 3, 64), np.float32)})[0].shape == (2, 3, 32)
    assert session.run(None, {"x": np.ones((1, 0, 64), np.float32)})[0].shape == (1, 0, 32)
    assert session.run(None, {"x": np.ones(64, np.float32)})[0].shape == (32,)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e-45, 3e38])
def test_what_is_no_usual_number_spoils_its_own_row_alone(value: float) -> None:
    session = session_of([random_matrix(8, 128, 40)], threads=2)
    x = np.random.default_rng(2).standard_normal((9, 128)).astype(np.float32)
    before = session.run(None, {"x": x})[0]
    x[4, 70] = value
    after = session.run(None, {"x": x})[0]
    assert np.array_equal(np.delete(after, 4, axis=0), np.delete(before, 4, axis=0))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"input_size": 129}, "scales do not fit"),
        ({"input_size": 127}, "integers do not fit"),
        ({"input_size": 0}, "there are no inputs"),
        ({"input_size": -1}, "out of range"),
        ({"input_size": 1 << 40}, "out of range"),
        ({"threads": -1}, "out of range"),
        ({"biased": 0}, "as many matrices as outputs"),
        ({"biased": 2}, "out of range"),
        ({"integers_0": np.zeros((128, 31), np.int8)}, "integers do not fit"),
        ({"integers_0": np.zeros((32, 128), np.int8)}, "integers do not fit"),
        ({"integers_0": np.zeros(128 * 32, np.int8)}, "integers do not fit"),
        ({"integers_0": np.zeros(128 * 16 - 1, np.uint8)}, "integers do not fit"),
        ({"integers_0": np.zeros((128, 32), np.float32)}, "integers do not fit"),
        ({"scales_0": np.zeros((1, 32), np.float32)}, "scales do not fit"),
        ({"scales_0": np.zeros((2, 32), np.float64)}, "scales do not fit"),
        ({"scales_0": np.zeros((2, 0), np.float32)}, "outputs are not possible"),
        ({"scales_0": np.zeros(64, np.float32)}, "outputs are not possible"),
        ({"bias_0": np.zeros(31, np.float32)}, "a bias does not fit"),
        ({"bias_0": np.zeros(32, np.float64)}, "a bias does not fit"),
        ({"bias_0": np.zeros((1,) * 9, np.float32)}, "too many dimensions"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Exception, match=reason):
        session_of([random_matrix(8, 128, 32)], with_bias=True, **changed)


def test_other_activations_are_refused() -> None:
    session = session_of([random_matrix(8, 128, 32)])
    for x in (np.zeros((1, 127), np.float32), np.zeros((128, 1), np.float32), np.zeros((), np.float32)):
        with pytest.raises(Exception, match="x does not fit"):
            session.run(None, {"x": x})
