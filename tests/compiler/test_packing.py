"""Weights in the kernels' layouts, against plain loops over the documented order."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from personal_ai.compiler import packing
from personal_ai.compiler.format import BLOCK, GROUP, WIDE_GROUP, Element
from personal_ai.compiler.onnx_graph import Int4Matrix
from personal_ai.compiler.packing import PackedF32, PackedI4, PackedI8, Rows, ScreenedI8
from personal_ai.compiler.sizes import packed_size_bytes
from personal_ai.compiler.values import BlockMatrix, Constant
from personal_ai.models.quantisation import pack_int4

SHAPES = [(64, 4), (64, 1), (100, 7), (1, 9), (192, 30)]


@pytest.fixture(params=[1 << 23, 600], ids=["in one piece", "in many pieces"])
def _piece_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_PIECE_SIZE_BYTES", request.param)


@pytest.mark.usefixtures("_piece_size")
@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_f32_lies_in_groups_of_four_outputs(inputs: int, outputs: int, transposed: bool) -> None:
    matrix = np.random.default_rng(1).standard_normal((inputs, outputs)).astype(np.float32)
    source = Constant(np.ascontiguousarray(matrix.T) if transposed else matrix, transposed)
    data = b"".join(PackedF32(source).pieces())
    assert len(data) == packed_size_bytes(Element.F32_PACKED, outputs, inputs)
    numbers = struct.unpack(f"<{len(data) // 4}f", data)
    for place, number in enumerate(numbers):
        group, within = divmod(place, inputs * GROUP)
        i, lane = divmod(within, GROUP)
        output = group * GROUP + lane
        assert number == (matrix[i, output] if output < outputs else 0.0)


@pytest.mark.usefixtures("_piece_size")
@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
@pytest.mark.parametrize("block_size", [64, 128])
def test_int8_lies_in_blocks_of_scales_and_pairs(inputs: int, outputs: int, block_size: int) -> None:
    random = np.random.default_rng(2)
    values = random.integers(-127, 128, (inputs, outputs)).astype(np.int8)
    scales = random.standard_normal((-(-inputs // block_size), outputs)).astype(np.float32)
    data = b"".join(PackedI8(BlockMatrix(values, scales, block_size)).pieces())
    assert len(data) == packed_size_bytes(Element.I8_BLOCK_PACKED, outputs, inputs)
    blocks, size = -(-inputs // BLOCK), GROUP * (4 + BLOCK)
    for unit in range(len(data) // size):
        group, block = divmod(unit, blocks)
        record = data[unit * size : (unit + 1) * size]
        for lane in range(GROUP):
            output = group * GROUP + lane
            (scale,) = struct.unpack_from("<f", record, 4 * lane)
            assert scale == (scales[block * BLOCK // block_size, output] if output < outputs else 0.0)
            for within in range(BLOCK):
                i = block * BLOCK + within
                place = GROUP * 4 + within // 2 * 8 + lane * 2 + within % 2
                (number,) = struct.unpack_from("<b", record, place)
                assert number == (values[i, output] if i < inputs and output < outputs else 0)


@pytest.mark.usefixtures("_piece_size")
@pytest.mark.parametrize(("inputs", "outputs"), [*SHAPES, (65, 3), (3, 5)])
@pytest.mark.parametrize("block_size", [64, 128])
def test_int4_lies_in_blocks_of_scales_and_pairs_of_16_outputs(inputs: int, outputs: int, block_size: int) -> None:
    random = np.random.default_rng(3)
    values = random.integers(-8, 8, (inputs, outputs)).astype(np.int8)
    scales = random.standard_normal((-(-inputs // block_size), outputs)).astype(np.float32)
    matrix = Int4Matrix(pack_int4(values), (inputs, outputs))
    data = b"".join(PackedI4(BlockMatrix(matrix, scales, block_size)).pieces())
    assert len(data) == packed_size_bytes(Element.I4_BLOCK_PACKED, outputs, inputs)
    blocks, size = -(-inputs // BLOCK), WIDE_GROUP * (4 + BLOCK // 2)
    for unit in range(len(data) // size):
        group, block = divmod(unit, blocks)
        record = data[unit * size : (unit + 1) * size]
        for lane in range(WIDE_GROUP):
            output = group * WIDE_GROUP + lane
            (scale,) = struct.unpack_from("<f", record, 4 * lane)
            assert scale == (scales[block * BLOCK // block_size, output] if output < outputs else 0.0)
            for within in range(BLOCK):
                i = block * BLOCK + within
                code = record[WIDE_GROUP * (4 + within // 2) + lane] >> (4 * (within % 2)) & 0xF
                number = (code ^ 8) - 8
                assert number == (values[i, output] if i < inputs and output < outputs else 0)
    np.testing.assert_array_equal(matrix.columns(outputs // 2, outputs), values[:, outputs // 2 :])


def test_rows_are_padded_to_whole_vectors() -> None:
    rows = np.arange(15, dtype=np.float32).reshape(3, 5)
    data = b"".join(Rows(rows).pieces())
    padded = np.frombuffer(data, dtype="<f4").reshape(3, 8)
    np.testing.assert_array_equal(padded[:, :5], rows)
    assert not padded[:, 5:].any()


@pytest.mark.usefixtures("_piece_size")
@pytest.mark.parametrize(("inputs", "outputs"), [*SHAPES, (65, 3)])
def test_screened_int8_is_upper_halves_with_scales_then_lower_halves(inputs: int, outputs: int) -> None:
    random = np.random.default_rng(4)
    values = random.integers(-127, 128, (inputs, outputs)).astype(np.int8)
    scales = random.standard_normal((-(-inputs // BLOCK), outputs)).astype(np.float32)
    data = b"".join(ScreenedI8(BlockMatrix(values, scales, BLOCK)).pieces())
    upper = pack_int4(np.right_shift(values, 4))
    uppers = b"".join(PackedI4(BlockMatrix(Int4Matrix(upper, (inputs, outputs)), scales, BLOCK)).pieces())
    assert data.startswith(uppers)
    lower = pack_int4((values & 15).astype(np.int8))
    lowers = b"".join(PackedI4(BlockMatrix(Int4Matrix(lower, (inputs, outputs)), scales, BLOCK)).pieces())
    blocks = np.frombuffer(lowers, dtype=np.uint8).reshape(-1, WIDE_GROUP * (4 + BLOCK // 2))
    assert data[len(uppers) :] == blocks[:, WIDE_GROUP * 4 :].tobytes()
