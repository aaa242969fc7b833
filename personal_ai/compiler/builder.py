"""Collects the steps of a program, and the weights they use, each once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from personal_ai.compiler.format import BLOCK, INTEGER_WEIGHTS, Code, Element, RowSource
from personal_ai.compiler.ir import TOKENS, Activation, Operand, Step, Weight, WeightSource
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.onnx_graph import Array, Int4Matrix
from personal_ai.compiler.packing import PackedF32, PackedI4, PackedI8, Rows
from personal_ai.compiler.program import Dimension
from personal_ai.compiler.values import BlockMatrix, Constant

_VECTOR = 4  # numbers in a vector of the engine


class Builder:
    """The program so far. Methods raise NodeRefused for what the engine's kernels do not take."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.node = ""  # the ONNX node that is being lowered
        self._weights: dict[tuple[object, ...], Weight] = {}
        self._kept_alive: list[Array] = []  # an id names an array only as long as it lives
        self._quantised: dict[int, Activation] = {}
        self._looked_up: dict[tuple[int, RowSource], Activation] = {}

    def emit(
        self,
        code: Code,
        inputs: list[Operand | None],
        rows: Dimension,
        columns: int,
        *,
        element: Element = Element.F32,
        attributes: Mapping[str, int | float] | None = None,
    ) -> Activation:
        """Adds a step and returns its output."""
        output = Activation(rows, columns, element)
        self.steps.append(Step(code, inputs, output, self.node, dict(attributes or {})))
        return output

    def look_up(self, table: Weight, source: RowSource) -> Activation:
        """The table's rows of the call's tokens or positions, [sequence, columns]; looked up once."""
        whole_vectors(table.columns)
        key = id(table), source
        if key not in self._looked_up:
            attributes = {"source": int(source)}
            self._looked_up[key] = self.emit(Code.ROWS, [table], TOKENS, table.columns, attributes=attributes)
        return self._looked_up[key]

    def same_shape(self, code: Code, x: Activation, *others: Operand, **attributes: float) -> Activation:
        """Adds a step whose output is as large as its first input."""
        whole_vectors(x.columns)
        return self.emit(code, [x, *others], x.rows, x.columns, attributes=attributes)

    def row(self, array: Array) -> Weight:
        """A vector of f32 among the weights."""
        vector = array.reshape(1, -1)
        return self._weight(("row", *_identity(array)), array, Element.F32, vector.shape, Rows(vector))

    def table(self, array: Array) -> Weight:
        """A table of f32 rows that are looked up by position."""
        if array.ndim != 2 or array.dtype != np.float32:
            raise NodeRefused("a table must be a matrix of float32")
        return self._weight(("table", *_identity(array)), array, Element.F32, array.shape, Rows(array))

    def matrix(self, matrix: Constant | BlockMatrix) -> Weight:
        """A matrix [inputs, outputs], as [outputs, inputs]."""
        if isinstance(matrix, Constant):
            _expect_matrix(matrix.shape, matrix.array.dtype, np.float32)
            key: tuple[object, ...] = ("f32", matrix.transposed, *_identity(matrix.array))
            shape = matrix.shape[::-1]
            return self._weight(key, matrix.array, Element.F32_PACKED, shape, PackedF32(matrix))
        _check_blocks(matrix)
        self._kept_alive.append(matrix.scales)
        shape = matrix.values.shape[::-1]
        scaling = (*_identity(matrix.scales), matrix.block_size)
        if isinstance(matrix.values, Int4Matrix):
            stored = matrix.values.packed
            key = ("i4", *_identity(stored), *scaling)
            return self._weight(key, stored, Element.I4_BLOCK_PACKED, shape, PackedI4(matrix))
        key = ("i8", *_identity(matrix.values), *scaling)
        return self._weight(key, matrix.values, Element.I8_BLOCK_PACKED, shape, PackedI8(matrix))

    def multiply(self, x: Activation, matrix: Constant | BlockMatrix) -> Activation:
        """x [rows, inputs] times the matrix [inputs, outputs]."""
        weight = self.matrix(matrix)
        if weight.columns != x.columns:
            raise NodeRefused(f"{x.columns} columns meet a matrix of {weight.columns} rows")
        source = self._quantise(x) if weight.element in INTEGER_WEIGHTS else x
        whole_vectors(x.columns)
        return self.emit(Code.MATMUL, [source, weight, None], x.rows, weight.rows)

    def _quantise(self, x: Activation) -> Activation:
        """Activations that several matrices take are quantised once."""
        if id(x) not in self._quantised:
            whole_vectors(x.columns)
            self._quantised[id(x)] = self.emit(Code.QUANTISE, [x], x.rows, x.columns, element=Element.I16_BLOCK)
        return self._quantised[id(x)]

    def _weight(
        self, key: tuple[object, ...], array: Array, element: Element, shape: tuple[int, ...], source: WeightSource
    ) -> Weight:
        if min(shape) < 1:
            raise NodeRefused("a weight is empty")
        if key not in self._weights:
            self._kept_alive.append(array)
            self._weights[key] = Weight(element, shape[0], shape[1], source)
        return self._weights[key]


def whole_vectors(columns: int) -> None:
    """Raises NodeRefused for a width that the engine's vectors do not fit."""
    if columns % _VECTOR:
        raise NodeRefused(f"a width of {columns} is not a multiple of {_VECTOR}")


def _identity(array: Array) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Equal for two views of the same numbers."""
    return array.__array_interface__["data"][0], array.shape, array.strides


def _expect_matrix(shape: tuple[int, ...], element: np.dtype[np.generic], want: type[np.generic]) -> None:
    if len(shape) != 2:
        raise NodeRefused(f"a weight of {len(shape)} axes stands where a matrix was expected")
    if element != want:
        raise NodeRefused(f"weights of type {element} stand where {np.dtype(want)} was expected")


def _check_blocks(matrix: BlockMatrix) -> None:
    _expect_matrix(matrix.values.shape, matrix.values.dtype, np.int8)
    _expect_matrix(matrix.scales.shape, matrix.scales.dtype, np.float32)
    if matrix.block_size < BLOCK or matrix.block_size % BLOCK:
        raise NodeRefused(
            f"blocks of {matrix.block_size} weights share a scale; this engine takes multiples of {BLOCK}"
        )
    inputs, outputs = matrix.values.shape
    if matrix.scales.shape != (-(-inputs // matrix.block_size), outputs):
        raise NodeRefused("the scales do not fit the weights")
