"""Collects the steps of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

import numpy as np

from personal_ai.compiler.affine import Affine
from personal_ai.compiler.builder import Builder, whole_vectors
from personal_ai.compiler.format import INTEGER_WEIGHTS, ROW_ALIGNMENT_BYTES, Code, Element
from personal_ai.compiler.graph_ir import GraphStep, GraphTensor
from personal_ai.compiler.ir import Weight
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.onnx_graph import Array
from personal_ai.compiler.program import Dimension
from personal_ai.compiler.values import BlockMatrix, Constant, LookedUp, Numbers, Shape, Value

_VECTOR = 4  # numbers in a vector of the engine
_ITEM_SIZE_BYTES = {Element.F32: 4, Element.I64: 8}


class GraphBuilder:
    """The graph so far. `maxima`: of each symbol, by its name in `Affine`. Methods raise NodeRefused."""

    def __init__(self, maxima: Mapping[str, int]) -> None:
        self.steps: list[GraphStep] = []
        self.weights = Builder()
        self.maxima = maxima
        self.node = ""  # the ONNX node that is being lowered
        self._quantised: dict[int, GraphTensor] = {}
        self._gathered: dict[tuple[int, int], Numbers] = {}

    def emit(self, code: Code, inputs: list[GraphTensor | None], shape: Shape, **attributes: float) -> Numbers:
        """Adds a step whose output is f32 of this shape."""
        output = self.tensor(shape)
        self.steps.append(GraphStep(code, inputs, output, self.node, dict(attributes)))
        return Numbers(shape, output)

    def emit_into(self, code: Code, inputs: list[GraphTensor | None], output: GraphTensor, **attributes: float) -> None:
        """Adds a step that writes an output which is there already, or holds something else than f32."""
        self.steps.append(GraphStep(code, inputs, output, self.node, dict(attributes)))

    def tensor(self, shape: Shape, element: Element = Element.F32) -> GraphTensor:
        """A new tensor in the arena. Raises NotAffineError for a length that may be negative."""
        return GraphTensor(_dimensions(shape), element)

    def greatest(self, length: Affine) -> int:
        """The most that a length may be."""
        return length.constant + sum(factor * self.maxima[name] for name, factor in length.terms if factor > 0)

    def weight(self, weight: Weight, shape: tuple[int, ...] | None = None) -> GraphTensor:
        """A weight as an operand; f32 rows may have further axes."""
        lengths = shape or (weight.rows, weight.columns)
        return GraphTensor(tuple(Dimension(length) for length in lengths), weight.element, weight=weight)

    def row(self, array: Array) -> GraphTensor:
        """A vector as an operand [1, columns]."""
        return self.weight(self.weights.row(array))

    def constant(self, array: Array) -> GraphTensor:
        """A float constant of any rank as an operand."""
        if array.dtype != np.float32:
            raise NodeRefused(f"a constant of type {array.dtype} stands where float32 was expected")
        shape = array.shape or (1,)
        rows = np.ascontiguousarray(array).reshape(-1, shape[-1])
        return self.weight(self.weights.table(rows), shape)

    def multiply(self, x: Numbers, matrix: Constant | BlockMatrix) -> Numbers:
        """x [..., inputs] times a constant matrix [inputs, outputs]."""
        weight = self.weights.matrix(matrix)
        if x.shape[-1] != Affine(weight.columns):
            raise NodeRefused(f"{x.shape[-1].constant} columns meet a matrix of {weight.columns} rows")
        whole_vectors(weight.columns)
        source = self._quantise(x) if weight.element in INTEGER_WEIGHTS else x.tensor
        shape = (*x.shape[:-1], Affine(weight.rows))
        return self.emit(Code.MATMUL, [source, self.weight(weight), None], shape)

    def _quantise(self, x: Numbers) -> GraphTensor:
        """What several matrices take is quantised once."""
        key = id(x.tensor)
        if key not in self._quantised:
            self._quantised[key] = self.tensor(x.shape, Element.I16_BLOCK)
            self.emit_into(Code.QUANTISE, [x.tensor], self._quantised[key])
        return self._quantised[key]

    def gathered(self, table: Weight, indices: Numbers) -> Numbers:
        """Rows of a table; looked up once."""
        key = id(table), id(indices.tensor)
        if key not in self._gathered:
            shape = (*indices.shape, Affine(table.columns))
            self._gathered[key] = self.emit(Code.GATHER, [self.weight(table), indices.tensor], shape)
        return self._gathered[key]

    def resolved(self, value: Value | None) -> Value | None:
        """Looked-up rows of float32 as what the graph computes; anything else as it is."""
        if not isinstance(value, LookedUp) or value.table.dtype != np.float32:
            return value
        if value.table.shape[1] % _VECTOR:
            return self.gathered(self.weights.table(value.table), value.indices)
        return self.gathered(self.weights.matrix(Constant(value.table, transposed=True)), value.indices)

    def part(self, x: Numbers, axis: int, start: Affine, length: Affine) -> Numbers:
        """`length` of an axis, from `start` on. Raises NodeRefused where that may reach beyond the axis."""
        return x if start == Affine(0) and length == x.shape[axis] else self.cut_out(x, axis, start, length)

    def cut_out(self, x: Numbers, axis: int, start: Affine, length: Affine) -> Numbers:
        """Likewise, always as a tensor of its own."""
        left = x.shape[axis] - start - length
        if left.constant + sum(min(factor, factor * self.maxima[name]) for name, factor in left.terms) < 0:
            raise NodeRefused("what is cut out may lie beyond the axis")
        shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        output = self.tensor(shape, x.tensor.element)
        self.emit_into(Code.SLICE, [x.tensor], output, axis=axis, **_start(start))
        return Numbers(shape, output)

    def joined(self, parts: list[Numbers], axis: int) -> Numbers:
        """Side by side along one axis."""
        total = sum((part.shape[axis] for part in parts[1:]), parts[0].shape[axis])
        shape = (*parts[0].shape[:axis], total, *parts[0].shape[axis + 1 :])
        output = self.tensor(shape, parts[0].tensor.element)
        start = Affine(0)
        for part in parts:
            self.emit_into(Code.PLACE, [part.tensor], output, axis=axis, **_start(start))
            start = start + part.shape[axis]
        return Numbers(shape, output)

    def reshaped(self, x: Numbers, shape: Shape) -> Numbers:
        """The same numbers in another shape: in place where rows keep their places."""
        if x.shape == shape:
            return x
        dense = all(_dense(columns, x.tensor.element) for columns in (x.shape[-1], shape[-1]))
        if dense or x.shape[-1] == shape[-1]:
            return Numbers(shape, GraphTensor(_dimensions(shape), x.tensor.element, alias_of=x.tensor))
        output = self.tensor(shape, x.tensor.element)
        self.emit_into(Code.RESHAPE, [x.tensor], output)
        return Numbers(shape, output)

    def transposed(self, x: Numbers, order: tuple[int, ...]) -> Numbers:
        """Axis i of the result is axis order[i] of x."""
        shape = tuple(x.shape[axis] for axis in order)
        moved = [axis for axis in order if x.shape[axis] != Affine(1)]
        if moved == sorted(moved):  # only axes of length 1 move
            return self.reshaped(x, shape)
        output = self.tensor(shape, x.tensor.element)
        code = sum(axis << 4 * index for index, axis in enumerate(order))
        self.emit_into(Code.TRANSPOSE, [x.tensor], output, order=code)
        return Numbers(shape, output)


def _dimensions(shape: Shape) -> tuple[Dimension, ...]:
    if not 1 <= len(shape) <= 8:
        raise NodeRefused(f"a tensor of {len(shape)} axes; 1 to 8 are taken")
    if any(length.constant + sum(factor for _, factor in length.terms) < 1 for length in shape):
        raise NodeRefused("an axis that may be empty")
    return tuple(length.dimension() for length in shape)


def _start(start: Affine) -> dict[str, int]:
    """The attributes of SLICE and PLACE; the constant may be below zero where a symbol makes up for it."""
    factors = (start - start.constant).dimension()
    names = ("start_sequence", "start_past", "start_third")
    return {"start_constant": start.constant % (1 << 32)} | dict(zip(names, astuple(factors)[1:], strict=True))


def _dense(columns: Affine, element: Element) -> bool:
    """Whether rows of this width lie one after the other without padding."""
    return columns.is_constant and columns.constant * _ITEM_SIZE_BYTES[element] % ROW_ALIGNMENT_BYTES == 0
