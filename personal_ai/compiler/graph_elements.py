"""Operators of a graph that work number by number or along rows: functions, comparisons, norms, reductions."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from personal_ai.compiler.affine import Affine
from personal_ai.compiler.builder import whole_vectors
from personal_ai.compiler.format import BinaryFunction, Code, Element, Reduction, UnaryFunction
from personal_ai.compiler.graph_ir import GraphTensor
from personal_ai.compiler.graph_lowering import GraphHandler, GraphSite
from personal_ai.compiler.lower_integers import normalised
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.onnx_graph import Array
from personal_ai.compiler.values import Constant, Numbers, Shape, Value

_FLOAT_EXACT_MAX = 1 << 24  # whole numbers beyond it have no place in float32


def unary(code: Code, **attributes: int) -> GraphHandler:
    def handler(site: GraphSite) -> tuple[Value, ...]:
        x = site.floats(0)
        return (site.graph.emit(code, [x.tensor], x.shape, **attributes),)

    return handler


def function(which: UnaryFunction) -> GraphHandler:
    return unary(Code.UNARY, function=which)


def gelu(site: GraphSite) -> tuple[Value, ...]:
    codes = {"none": Code.GELU_ERF, "tanh": Code.GELU_TANH}
    approximate = site.attribute("approximate", "none")
    if approximate not in codes:
        raise NodeRefused(f"the approximation {approximate[:40]!r}")
    return unary(codes[approximate])(site)


def power(site: GraphSite) -> tuple[Value, ...]:
    """To the powers that are a product or a root."""
    x = site.floats(0)
    exponent = site.input(1, Constant, "a constant").array
    if exponent.size != 1 or float(exponent.reshape(-1)[0]) not in (0.5, 1.0, 2.0):
        raise NodeRefused("only the powers 0.5, 1 and 2 are taken")
    match float(exponent.reshape(-1)[0]):
        case 2.0:
            return (site.graph.emit(Code.MULTIPLY, [x.tensor, x.tensor], x.shape),)
        case 1.0:
            return (x,)
    return function(UnaryFunction.SQUARE_ROOT)(site)


def binary(which: BinaryFunction) -> GraphHandler:
    """Two tensors, either of which may be a constant, with ONNX's broadcasting."""

    def handler(site: GraphSite) -> tuple[Value, ...]:
        if not any(isinstance(value, Numbers) for value in site.inputs):
            raise NodeRefused("neither of its inputs is computed by the graph")
        if len(site.inputs) != 2:
            raise NodeRefused("two inputs are taken")
        (a, a_shape), (b, b_shape) = (operand(site, index) for index in (0, 1))
        fast = {BinaryFunction.ADD: Code.ADD, BinaryFunction.MULTIPLY: Code.MULTIPLY}.get(which)
        if fast is not None:
            for one, one_shape, other, other_shape in ((a, a_shape, b, b_shape), (b, b_shape, a, a_shape)):
                if one.weight is None and one_shape == other_shape:
                    return (site.graph.emit(fast, [one, other], one_shape),)
                if one.weight is None and _is_row(other, one_shape):
                    return (site.graph.emit(fast, [one, _as_row(site, other)], one_shape),)
        shape = together(a_shape, b_shape)
        return (site.graph.emit(Code.BINARY, [a, b], shape, function=which),)

    return handler


def _is_row(constant: GraphTensor, shape: Shape) -> bool:
    """Whether a constant holds one number for each column."""
    if constant.weight is None or not shape[-1].is_constant:
        return False
    lengths = [dimension.constant for dimension in constant.shape]
    return (
        lengths[-1] == shape[-1].constant and all(length == 1 for length in lengths[:-1]) and len(lengths) <= len(shape)
    )


def _as_row(site: GraphSite, constant: GraphTensor) -> GraphTensor:
    assert constant.weight is not None
    return site.graph.weight(constant.weight)


def operand(site: GraphSite, index: int) -> tuple[GraphTensor, Shape]:
    """Input `index` as f32 with its shape: computed, or a constant. Raises NodeRefused."""
    value = site.inputs[index] if site.has(index) else None
    if isinstance(value, Constant) and not value.transposed:
        constant = site.graph.constant(_as_floats(value.array))
        return constant, tuple(Affine(dimension.constant) for dimension in constant.shape)
    numbers = site.numbers(index)
    if numbers.tensor.element is Element.I64:
        numbers = to_float(site, numbers)
    return numbers.tensor, numbers.shape


def _as_floats(array: Array) -> Array:
    """Whole numbers and truths as float32, where that is exact."""
    if array.dtype.kind in "ib" and (array.size == 0 or np.abs(array).max() <= _FLOAT_EXACT_MAX):
        return np.asarray(array, dtype=np.float32)
    return array


def to_float(site: GraphSite, x: Numbers) -> Numbers:
    return site.graph.emit(Code.TO_FLOAT, [x.tensor], x.shape)


def together(*shapes: Shape) -> Shape:
    """The broadcast shape. Raises NodeRefused when two lengths differ and neither is 1."""
    rank = max(len(shape) for shape in shapes)
    one = Affine(1)
    result = [one] * rank
    for shape in shapes:
        for axis, length in enumerate(shape, rank - len(shape)):
            if length == one or length == result[axis]:
                continue
            if result[axis] != one:
                raise NodeRefused("two shapes that do not go together")
            result[axis] = length
    return tuple(result)


def where(site: GraphSite) -> tuple[Value, ...]:
    operands = [operand(site, index) for index in range(3)]
    shape = together(*(lengths for _, lengths in operands))
    return (site.graph.emit(Code.WHERE, [tensor for tensor, _ in operands], shape),)


def negation(site: GraphSite) -> tuple[Value, ...]:
    """Truths are 1 and 0: what is not 0 is true."""
    x = site.floats(0)
    zero = site.graph.constant(np.zeros(1, dtype=np.float32))
    return (site.graph.emit(Code.BINARY, [x.tensor, zero], x.shape, function=BinaryFunction.EQUAL),)


def greater(or_equal: bool) -> GraphHandler:
    """a > b is b < a."""
    which = BinaryFunction.LESS_OR_EQUAL if or_equal else BinaryFunction.LESS

    def handler(site: GraphSite) -> tuple[Value, ...]:
        (a, a_shape), (b, b_shape) = (operand(site, index) for index in (0, 1))
        return (site.graph.emit(Code.BINARY, [b, a], together(a_shape, b_shape), function=which),)

    return handler


def cast(site: GraphSite) -> tuple[Value, ...]:
    """Whole numbers to float32; truths are float32 already."""
    x, to = site.numbers(0), site.attribute("to", 0)
    if to == TensorProto.FLOAT:
        return (x if x.tensor.element is Element.F32 else to_float(site, x),)
    if to == TensorProto.INT64 and x.tensor.element is Element.I64:
        return (x,)
    raise NodeRefused("only casts to float32 are made")


def norm(code: Code) -> GraphHandler:
    """Over the last axis, with one or two constant vectors."""

    def handler(site: GraphSite) -> tuple[Value, ...]:
        x = site.floats(0)
        if normalised((site.attribute("axis", -1),), len(x.shape)) != (len(x.shape) - 1,):
            raise NodeRefused("a norm over other axes than the last")
        if not x.shape[-1].is_constant:
            raise NodeRefused("a norm over an axis without a fixed length")
        columns = x.shape[-1].constant
        whole_vectors(columns)
        arrays = [site.input(1, Constant, "a constant").array]
        arrays += [_shift(site, columns)] if code is Code.LAYER_NORM else []
        if any(array.shape != (columns,) for array in arrays):
            raise NodeRefused(f"a norm of {columns} columns has weights of another size")
        rows = [site.graph.row(array) for array in arrays]
        return (site.graph.emit(code, [x.tensor, *rows], x.shape, epsilon=site.attribute("epsilon", 1e-5)),)

    return handler


def _shift(site: GraphSite, columns: int) -> Array:
    if not site.has(2):
        return np.zeros(columns, dtype=np.float32)
    return site.input(2, Constant, "a constant").array


def softmax(site: GraphSite) -> tuple[Value, ...]:
    x = site.floats(0)
    if normalised((site.attribute("axis", -1),), len(x.shape)) != (len(x.shape) - 1,):
        raise NodeRefused("a softmax over another axis than the last")
    return (site.graph.emit(Code.SOFTMAX, [x.tensor], x.shape),)


def reduction(which: Reduction) -> GraphHandler:
    def handler(site: GraphSite) -> tuple[Value, ...]:
        x = site.floats(0)
        given = site.integers(1).numbers if site.has(1) else site.attribute("axes", ())
        if not given and site.attribute("noop_with_empty_axes", 0):
            return (x,)
        axes = normalised(given, len(x.shape)) or tuple(range(len(x.shape)))
        reduced = _reduced(site, which, x, axes)
        if site.attribute("keepdims", 1):
            return (reduced,)
        shape = tuple(length for axis, length in enumerate(x.shape) if axis not in axes)
        return (site.graph.reshaped(reduced, shape or (Affine(1),)),)

    return handler


def _reduced(site: GraphSite, which: Reduction, x: Numbers, axes: tuple[int, ...]) -> Numbers:
    shape = tuple(Affine(1) if axis in axes else length for axis, length in enumerate(x.shape))
    mask = sum(1 << axis for axis in axes)
    return site.graph.emit(Code.REDUCE, [x.tensor], shape, function=which, axes=mask)


def unit_length(site: GraphSite) -> tuple[Value, ...]:
    """x / its length along an axis, which must not be 0."""
    x = site.floats(0)
    if site.attribute("p", 2) != 2:
        raise NodeRefused("another norm than the root of the sum of squares")
    axes = normalised((site.attribute("axis", -1),), len(x.shape))
    size = _reduced(site, Reduction.LENGTH, x, axes)
    return (site.graph.emit(Code.BINARY, [x.tensor, size.tensor], x.shape, function=BinaryFunction.DIVIDE),)


ELEMENT_HANDLERS: dict[str, GraphHandler] = {
    "Abs": function(UnaryFunction.MAGNITUDE),
    "Add": binary(BinaryFunction.ADD),
    "And": binary(BinaryFunction.MULTIPLY),
    "Cast": cast,
    "Div": binary(BinaryFunction.DIVIDE),
    "Equal": binary(BinaryFunction.EQUAL),
    "Erf": function(UnaryFunction.ERF),
    "Exp": function(UnaryFunction.EXPONENTIAL),
    "Gelu": gelu,
    "Greater": greater(or_equal=False),
    "GreaterOrEqual": greater(or_equal=True),
    "LayerNormalization": norm(Code.LAYER_NORM),
    "Less": binary(BinaryFunction.LESS),
    "LessOrEqual": binary(BinaryFunction.LESS_OR_EQUAL),
    "LpNormalization": unit_length,
    "Max": binary(BinaryFunction.GREATER_OF),
    "Min": binary(BinaryFunction.LESSER_OF),
    "Mul": binary(BinaryFunction.MULTIPLY),
    "Neg": function(UnaryFunction.NEGATIVE),
    "Not": negation,
    "Or": binary(BinaryFunction.GREATER_OF),
    "Pow": power,
    "RMSNormalization": norm(Code.RMS_NORM),
    "Reciprocal": function(UnaryFunction.RECIPROCAL),
    "ReduceL2": reduction(Reduction.LENGTH),
    "ReduceMax": reduction(Reduction.GREATEST),
    "ReduceMean": reduction(Reduction.MEAN),
    "ReduceMin": reduction(Reduction.LEAST),
    "ReduceSum": reduction(Reduction.SUM),
    "Relu": function(UnaryFunction.RELU),
    "Sigmoid": unary(Code.SIGMOID),
    "Softmax": softmax,
    "Sqrt": function(UnaryFunction.SQUARE_ROOT),
    "Sub": binary(BinaryFunction.SUBTRACT),
    "Tanh": unary(Code.TANH),
    "Where": where,
}
