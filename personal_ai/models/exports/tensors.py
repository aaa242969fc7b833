"""How the weights of a foreign graph are read as the tensors that transformers would have: [outputs, inputs]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError
from personal_ai.models.exports.arrays import StoredArray
from personal_ai.models.quantisation import Floats
from personal_ai.models.tensor_file import Tensor


class Readable(Tensor, Protocol):
    """A tensor that reads itself."""

    def rows(self, start: int, stop: int) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Numbers as they are. `transposed`: stored the other way round."""

    array: StoredArray
    transposed: bool = False

    @property
    def dtype(self) -> str:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[::-1] if self.transposed else self.array.shape

    @property
    def readable(self) -> bool:
        return self.array.is_float

    def rows(self, start: int, stop: int) -> Floats:
        view = self.array.view()
        return self.array.floats(view[:, start:stop].T if self.transposed else view[start:stop])


@dataclass(frozen=True, slots=True)
class Blocks:
    """MatMulNBits of onnxruntime: integers of 4 or 8 bits in blocks along the inputs, each block with a scale and, as
    the case may be, a zero point of as many bits; where there is none, it is in the middle.

    integers: [outputs, blocks, bytes of a block], the first integer in a byte's low half. scales: [outputs * blocks].
    """

    integers: StoredArray
    scales: StoredArray
    zero_points: StoredArray | None
    outputs: int
    inputs: int
    block_size: int
    bits: int

    def __post_init__(self) -> None:
        """Raises FormatError for sizes that do not fit."""
        blocks = self._blocks
        known = self.bits in (4, 8) and self.block_size >= 16 and min(self.outputs, self.inputs) > 0
        sizes = (
            (self.integers, self.outputs * blocks * (self.block_size * self.bits // 8)),
            (self.scales, self.outputs * blocks),
            (self.zero_points, self.outputs * -(-blocks * self.bits // 8)),
        )
        if not known or any(array is not None and math.prod(array.shape) != size for array, size in sizes):
            name = self.integers.proto.name[:100]
            raise FormatError(f"The ONNX file's {name} is quantised in a way that is not known.")

    @property
    def dtype(self) -> str:
        return f"{self.bits}-bit blocks with scales in {self.scales.dtype}"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.outputs, self.inputs

    @property
    def readable(self) -> bool:
        points = self.zero_points is None or self.zero_points.dtype == "UINT8"
        return self.integers.dtype in ("UINT8", "INT8") and self.scales.is_float and points

    def rows(self, start: int, stop: int) -> Floats:
        count = stop - start
        integers = self._part(self.integers, start, stop).view(np.uint8)
        q = self._unpacked(integers).reshape(count, self._blocks, self.block_size).astype(np.float32)
        q -= self._points(start, stop)[:, :, None]
        q *= self.scales.floats(self._part(self.scales, start, stop))[:, :, None]
        return np.ascontiguousarray(q.reshape(count, -1)[:, : self.inputs])

    @property
    def _blocks(self) -> int:
        return -(-self.inputs // max(self.block_size, 1))

    def _part(self, array: StoredArray, start: int, stop: int) -> npt.NDArray[np.generic]:
        return np.ascontiguousarray(array.view().reshape(self.outputs, -1)[start:stop])

    def _points(self, start: int, stop: int) -> Floats:
        """[rows, blocks]."""
        if self.zero_points is None:
            return np.full((stop - start, self._blocks), 1 << (self.bits - 1), dtype=np.float32)
        points = self._unpacked(self._part(self.zero_points, start, stop).view(np.uint8))
        return points[:, : self._blocks].astype(np.float32)

    def _unpacked(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """[rows, bytes] -> [rows, integers]."""
        if self.bits == 8:
            return data
        return np.stack((data & np.uint8(15), data >> np.uint8(4)), axis=-1).reshape(len(data), -1)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a tensor in which the outputs of several matrices lie side by side."""

    whole: Readable
    first: int
    count: int

    @property
    def dtype(self) -> str:
        return self.whole.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.count, *self.whole.shape[1:]

    @property
    def readable(self) -> bool:
        return self.whole.readable and self.first + self.count <= self.whole.shape[0]

    def rows(self, start: int, stop: int) -> Floats:
        return self.whole.rows(self.first + start, self.first + stop)
