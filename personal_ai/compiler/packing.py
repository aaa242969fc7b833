"""Weights in the layouts of the engine's kernels (docs/formats/program.md). Repacks numbers, never changes them.

Weights are matrices [inputs, outputs] as in ONNX; packed they are [outputs, inputs], in groups of four outputs
(4-bit integers: of 16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.format import BLOCK, GROUP, ROW_ALIGNMENT_BYTES, WIDE_GROUP
from personal_ai.compiler.onnx_graph import Array, Int4Matrix
from personal_ai.compiler.sizes import round_up
from personal_ai.compiler.values import BlockMatrix, Constant

_PIECE_SIZE_BYTES = 8 << 20

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of f32 rows, each padded to whole vectors."""

    array: Array  # [rows, columns]

    def pieces(self) -> Iterator[bytes]:
        rows, columns = self.array.shape
        padded = round_up(columns, ROW_ALIGNMENT_BYTES // 4)
        step = max(1, _PIECE_SIZE_BYTES // (padded * 4))
        for start in range(0, rows, step):
            part = np.zeros((min(step, rows - start), padded), dtype="<f4")
            part[:, :columns] = self.array[start : start + step]
            yield part.tobytes()


@dataclass(frozen=True, slots=True)
class PackedF32:
    """A matrix [inputs, outputs] as F32_PACKED: per group and input, the weights of four outputs."""

    matrix: Constant

    def pieces(self) -> Iterator[bytes]:
        inputs, outputs = self.matrix.shape
        for start, stop in spans(outputs, inputs * 4):
            part = np.zeros((inputs, round_up(stop - start, GROUP)), dtype="<f4")
            part[:, : stop - start] = _columns(self.matrix, start, stop)
            yield part.reshape(inputs, -1, GROUP).transpose(1, 0, 2).tobytes()


@dataclass(frozen=True, slots=True)
class PackedI8:
    """A matrix as I8_BLOCK_PACKED: per group and block, four f32 scales, then 32 pairs of inputs of four outputs."""

    matrix: BlockMatrix

    def pieces(self) -> Iterator[bytes]:
        inputs, outputs = self.matrix.values.shape
        for start, stop in spans(outputs, inputs):
            yield self._packed(start, stop).tobytes()

    def _packed(self, start: int, stop: int) -> Bytes:
        inputs = self.matrix.values.shape[0]
        blocks, groups = round_up(inputs, BLOCK) // BLOCK, round_up(stop - start, GROUP) // GROUP
        values = np.zeros((blocks * BLOCK, groups * GROUP), dtype=np.int8)
        values[:inputs, : stop - start] = _integers(self.matrix, start, stop)
        packed = np.empty((groups, blocks, GROUP * (4 + BLOCK)), dtype=np.uint8)
        packed[:, :, : GROUP * 4] = _scales(self.matrix, start, stop, groups, GROUP)
        pairs = values.reshape(blocks, BLOCK // 2, 2, groups, GROUP).transpose(3, 0, 1, 4, 2)
        packed[:, :, GROUP * 4 :] = pairs.reshape(groups, blocks, -1).view(np.uint8)
        return packed


@dataclass(frozen=True, slots=True)
class PackedI4:
    """A matrix as I4_BLOCK_PACKED: per group and block, 16 f32 scales, then 32 pairs of inputs of 16 outputs."""

    matrix: BlockMatrix

    def pieces(self) -> Iterator[bytes]:
        inputs, outputs = self.matrix.values.shape
        for start, stop in spans(outputs, inputs, WIDE_GROUP):
            yield _in_halves(self.matrix, _integers(self.matrix, start, stop), start, stop).tobytes()


@dataclass(frozen=True, slots=True)
class ScreenedI8:
    """A matrix as I8_SCREENED: upper halves as I4_BLOCK_PACKED, then lower halves without scales."""

    matrix: BlockMatrix

    def pieces(self) -> Iterator[bytes]:
        inputs, outputs = self.matrix.values.shape
        for start, stop in spans(outputs, inputs, WIDE_GROUP):
            upper = np.right_shift(_integers(self.matrix, start, stop).view(np.int8), 4)
            yield _in_halves(self.matrix, upper, start, stop).tobytes()
        for start, stop in spans(outputs, inputs, WIDE_GROUP):
            yield _wide_pairs(_integers(self.matrix, start, stop)).tobytes()


def _in_halves(matrix: BlockMatrix, integers: Array, start: int, stop: int) -> Bytes:
    """Scales and lower halves of some outputs' integers, [groups, blocks, bytes of a group's block]."""
    pairs = _wide_pairs(integers)
    scales = _scales(matrix, start, stop, len(pairs), WIDE_GROUP)
    return np.concatenate([scales, pairs], axis=2)


def _wide_pairs(integers: Array) -> Bytes:
    """The lower halves of [inputs, outputs], two inputs to a byte: [groups, blocks, 16 bytes for each pair]."""
    inputs, outputs = integers.shape
    blocks, groups = round_up(inputs, BLOCK) // BLOCK, round_up(outputs, WIDE_GROUP) // WIDE_GROUP
    codes = np.zeros((blocks * BLOCK, groups * WIDE_GROUP), dtype=np.uint8)
    codes[:inputs, :outputs] = integers.view(np.uint8) & np.uint8(0xF)
    pairs = codes[::2] | codes[1::2] << np.uint8(4)
    ordered = pairs.reshape(blocks, BLOCK // 2, groups, WIDE_GROUP).transpose(2, 0, 1, 3)
    return ordered.reshape(groups, blocks, -1)


def _integers(matrix: BlockMatrix, start: int, stop: int) -> Array:
    """The numbers of some outputs, [inputs, stop - start] int8."""
    values = matrix.values
    return values.columns(start, stop) if isinstance(values, Int4Matrix) else values[:, start:stop]


def _scales(matrix: BlockMatrix, start: int, stop: int, groups: int, group: int) -> Bytes:
    """The scales of some outputs as bytes [groups, blocks, 4 * group]."""
    blocks = round_up(matrix.values.shape[0], BLOCK) // BLOCK
    scales = np.zeros((blocks, groups * group), dtype="<f4")
    repeats = matrix.block_size // BLOCK
    scales[:, : stop - start] = np.repeat(matrix.scales[:, start:stop], repeats, axis=0)[:blocks]
    return scales.reshape(blocks, groups, group).transpose(1, 0, 2).copy().view(np.uint8)


def spans(outputs: int, output_size_bytes: int, group: int = GROUP) -> Iterator[tuple[int, int]]:
    """Ranges of outputs, in whole groups, of a few megabytes each."""
    step = max(1, _PIECE_SIZE_BYTES // (output_size_bytes * group)) * group
    for start in range(0, outputs, step):
        yield start, min(start + step, outputs)


def _columns(matrix: Constant, start: int, stop: int) -> Array:
    return matrix.array[start:stop].T if matrix.transposed else matrix.array[:, start:stop]
