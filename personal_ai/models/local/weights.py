"""A package's weights in the layout of onnxruntime's fast products: the same numbers in another order."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import Array, Int4Matrix
from personal_ai.models.quantisation import BLOCK_SIZE

Tensors = Mapping[str, Array | Int4Matrix]

_COLUMNS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class BlockMatrix:
    """A matrix [inputs, outputs] as MatMulNBits of onnxruntime's contributed operators takes it.

    integers: uint8 [outputs, blocks, block size * bits / 8]: the integers plus 2**(bits - 1), two 4-bit ones to a byte,
    the first in the low half; zeros fill the last block. scales: f32 [outputs, blocks].
    """

    bits: int
    inputs: int
    integers: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float32]

    @property
    def outputs(self) -> int:
        return len(self.scales)


def block_matrix(tensors: Tensors, names: Sequence[str]) -> BlockMatrix:
    """The matrices of these names side by side; all have the same inputs and kind of integers."""
    matrices = [tensors[name] for name in names]
    scales = np.concatenate([_array(tensors[f"{name}.scale"]).T for name in names])
    inputs = matrices[0].shape[0]
    bits = 4 if isinstance(matrices[0], Int4Matrix) else 8
    integers = _mapped((len(scales), scales.shape[1], BLOCK_SIZE * bits // 8))
    row = 0
    for matrix in matrices:
        for start in range(0, matrix.shape[1], _COLUMNS_AT_ONCE):
            part = _columns(matrix, start, min(start + _COLUMNS_AT_ONCE, matrix.shape[1]))
            integers[row : row + part.shape[1]] = _blocks(part, bits)
            row += part.shape[1]
    return BlockMatrix(bits, inputs, integers, np.ascontiguousarray(scales, dtype=np.float32))


def joined(tensors: Tensors, names: Sequence[str]) -> Array:
    """Tensors of these names along their last axis."""
    parts = [_array(tensors[name]) for name in names]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def _mapped(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Memory that the system gets back when the array is gone; what malloc gave, it would keep."""
    return np.frombuffer(mmap.mmap(-1, math.prod(shape)), dtype=np.uint8).reshape(shape)


def _array(tensor: Array | Int4Matrix) -> npt.NDArray[Any]:
    assert not isinstance(tensor, Int4Matrix)
    return tensor


def _columns(matrix: Array | Int4Matrix, start: int, stop: int) -> npt.NDArray[np.int8]:
    return matrix.columns(start, stop) if isinstance(matrix, Int4Matrix) else _array(matrix)[:, start:stop]


def _blocks(columns: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    """The integers of columns [inputs, outputs], as BlockMatrix holds them."""
    inputs, outputs = columns.shape
    zero = 1 << (bits - 1)
    rows = np.full((outputs, -(-inputs // BLOCK_SIZE) * BLOCK_SIZE), zero, dtype=np.uint8)
    rows[:, :inputs] = columns.T.view(np.uint8) + np.uint8(zero)  # modulo 256: two's complement becomes an offset
    if bits == 4:
        rows = rows[:, ::2] | (rows[:, 1::2] << np.uint8(4))
    return rows.reshape(outputs, -1, BLOCK_SIZE * bits // 8)
