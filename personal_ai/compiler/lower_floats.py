"""Operators on activations and weights: most become one step of the program."""

from __future__ import annotations

import numpy as np

from personal_ai.compiler import lower_integers
from personal_ai.compiler.affine import PAST, SEQUENCE, Affine, axis, product
from personal_ai.compiler.builder import whole_vectors
from personal_ai.compiler.format import Code, RowSource
from personal_ai.compiler.ir import ONE, Activation
from personal_ai.compiler.lower_integers import normalised
from personal_ai.compiler.lowering import Handler, Site
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.onnx_graph import Array
from personal_ai.compiler.program import Dimension
from personal_ai.compiler.values import (
    BlockMatrix,
    Constant,
    Floats,
    GatheredRows,
    Int4Constant,
    Integers,
    Shape,
    Tokens,
    Value,
)

_POSITION = PAST + axis(1)  # of the element [0, i] of position_ids [1, sequence]
_COPY_DIMENSION = 0  # in the shape given to Reshape
_INFER_DIMENSION = -1


def activation(site: Site, index: int) -> Floats:
    """Input `index` as numbers that the program computes. Raises NodeRefused."""
    value = site.inputs[index] if site.has(index) else None
    if isinstance(value, GatheredRows) and value.table.dtype == np.float32:
        weight = site.builder.matrix(Constant(value.table, transposed=True))
        return Floats(value.shape, site.builder.look_up(weight, RowSource.TOKENS))
    return site.input(index, Floats, "computed in float32")


def constant_floats(site: Site, index: int) -> Array:
    """Input `index`, a constant of float32. Raises NodeRefused."""
    constant = site.input(index, Constant, "a constant")
    if constant.array.dtype != np.float32 or constant.transposed:
        raise NodeRefused(f"its input {index} is not a plain constant of float32")
    return constant.array


def matrix_of(shape: Shape) -> tuple[Dimension, int]:
    """Rows and columns of a tensor as a matrix: all axes but the last are its rows. Raises NodeRefused."""
    if not shape or not shape[-1].is_constant:
        raise NodeRefused("the last axis has no fixed length")
    return product(shape[:-1]).dimension(), shape[-1].constant


# --- tables and matrices


def gather(site: Site) -> tuple[Value, ...]:
    """Rows of a table, by token or by position; or some of a list of lengths."""
    table, index = site.inputs[0], site.inputs[1]
    if isinstance(table, Integers):
        return lower_integers.gather(site, table)
    constant = site.input(0, Constant, "a constant table")
    if site.attribute("axis", 0) != 0 or len(constant.shape) != 2 or constant.transposed:
        raise NodeRefused("only rows of a matrix are looked up")
    if isinstance(index, Tokens):
        return (GatheredRows(constant.array, (*index.shape, Affine(constant.shape[1]))),)
    positions = site.input(1, Integers, "token ids or positions")
    _expect_positions(positions)
    weight = site.builder.table(constant.array)
    looked_up = site.builder.look_up(weight, RowSource.POSITIONS)
    return (Floats((*positions.shape, Affine(weight.columns)), looked_up),)


def _expect_positions(positions: Integers) -> None:
    if positions.shape != (Affine(1), SEQUENCE) or positions.formula != _POSITION:
        raise NodeRefused("its indices are not the positions past, past + 1, ... of the call's tokens")


def dequantise(site: Site) -> tuple[Value, ...]:
    """Integer weights with one scale per block: a matrix, or (int8) rows of an embedding."""
    if site.has(2):
        raise NodeRefused("weights with a zero point")
    block_size, values, scales = site.attribute("block_size", 0), site.inputs[0], site.inputs[1]
    if isinstance(values, Constant | Int4Constant) and isinstance(scales, Constant):
        if normalised((site.attribute("axis", 1),), 2) != (0,) or scales.transposed:
            raise NodeRefused("blocks that do not run along the inputs (axis 0)")
        if isinstance(values, Int4Constant):
            return (BlockMatrix(values.matrix, scales.array, block_size),)
        if values.transposed:
            raise NodeRefused("transposed integers")
        return (BlockMatrix(values.array, scales.array, block_size),)
    if isinstance(values, GatheredRows) and isinstance(scales, GatheredRows):
        if normalised((site.attribute("axis", 1),), 3) != (2,):
            raise NodeRefused("blocks that do not run along the rows of the table")
        weight = site.builder.matrix(BlockMatrix(values.table.T, scales.table.T, block_size))
        return (Floats(values.shape, site.builder.look_up(weight, RowSource.TOKENS)),)
    raise NodeRefused("only constants and looked-up rows are dequantised")


def multiply_matrix(site: Site) -> tuple[Value, ...]:
    """Activations times a constant matrix."""
    x, matrix = activation(site, 0), site.inputs[1]
    if not isinstance(matrix, Constant | BlockMatrix):
        raise NodeRefused("its second input is not a constant matrix")
    product_of = site.builder.multiply(x.activation, matrix)
    return (Floats((*x.shape[:-1], Affine(product_of.columns)), product_of),)


def transpose(site: Site) -> tuple[Value, ...]:
    constant = site.input(0, Constant, "a constant matrix")
    if len(constant.shape) != 2 or site.attribute("perm", (1, 0)) != (1, 0):
        raise NodeRefused("only matrices are transposed")
    return (Constant(constant.array, transposed=not constant.transposed),)


# --- element by element, and norms


def add(site: Site) -> tuple[Value, ...]:
    return _binary(site, Code.ADD)


def multiply(site: Site) -> tuple[Value, ...]:
    return _binary(site, Code.MULTIPLY)


def _binary(site: Site, code: Code) -> tuple[Value, ...]:
    if all(isinstance(value, Integers | Constant) for value in site.inputs):
        combine = lower_integers.add if code is Code.ADD else lower_integers.multiply
        return combine(site.integers(0), site.integers(1))
    left, right = (0, 1) if not isinstance(site.inputs[0], Constant) else (1, 0)
    x = activation(site, left)
    if isinstance(site.inputs[right], Constant):
        row = site.builder.row(_spread(constant_floats(site, right), x.activation.columns))
        return (Floats(x.shape, site.builder.same_shape(code, x.activation, row)),)
    y = activation(site, right)
    if x.shape != y.shape:
        raise NodeRefused("two computed tensors of different shapes")
    return (Floats(x.shape, site.builder.same_shape(code, x.activation, y.activation)),)


def _spread(constant: Array, columns: int) -> Array:
    """A constant that is the same for every row, as one row. Raises NodeRefused for any other."""
    if constant.size == 1:
        return np.broadcast_to(constant.reshape(1), (columns,)).copy()
    if constant.shape[-1] != columns or constant.size != columns:
        raise NodeRefused(f"a constant of shape {constant.shape} does not go with rows of {columns}")
    return constant.reshape(-1)


def unary(code: Code) -> Handler:
    def handler(site: Site) -> tuple[Value, ...]:
        x = activation(site, 0)
        return (Floats(x.shape, site.builder.same_shape(code, x.activation)),)

    return handler


def gelu(site: Site) -> tuple[Value, ...]:
    codes = {"none": Code.GELU_ERF, "tanh": Code.GELU_TANH}
    approximate = site.attribute("approximate", "none")
    if approximate not in codes:
        raise NodeRefused(f"the approximation {approximate[:40]!r}")
    return unary(codes[approximate])(site)


def norm(code: Code, constants: int) -> Handler:
    """A norm over the last axis with a gain, and for two constants a bias."""

    def handler(site: Site) -> tuple[Value, ...]:
        x = activation(site, 0)
        if normalised((site.attribute("axis", -1),), len(x.shape)) != (len(x.shape) - 1,):
            raise NodeRefused("a norm over more than the last axis")
        if site.attribute("stash_type", 1) != 1:
            raise NodeRefused("a norm that does not compute in float32")
        columns = x.activation.columns
        rows = [site.builder.row(_exact(constant_floats(site, index + 1), columns)) for index in range(constants)]
        epsilon = site.attribute("epsilon", 1e-5)
        return (Floats(x.shape, site.builder.same_shape(code, x.activation, *rows, epsilon=epsilon)),)

    return handler


def _exact(constant: Array, columns: int) -> Array:
    if constant.shape != (columns,):
        raise NodeRefused(f"a norm of {columns} columns has weights of shape {constant.shape}")
    return constant


# --- shapes


def reshape(site: Site) -> tuple[Value, ...]:
    """Another shape over the same numbers in the same order."""
    x = activation(site, 0)
    lengths = site.integers(1).items
    if site.attribute("allowzero", 0):
        raise NodeRefused("reshaping to empty axes")
    shape = _resolved(x.shape, lengths)
    rows, columns = matrix_of(shape)
    if product(shape) != product(x.shape):
        raise NodeRefused("reshaping to another size")
    if (rows, columns) == (x.activation.rows, x.activation.columns):
        return (Floats(shape, x.activation),)
    if x.activation.parent is not None and x.activation.parent.rows == x.activation.rows:
        raise NodeRefused("reshaping a part of a split")
    whole_vectors(columns)
    whole_vectors(x.activation.columns)
    return (Floats(shape, Activation(rows, columns, parent=x.activation.root)),)


def _resolved(old: Shape, lengths: tuple[Affine, ...]) -> Shape:
    """The new shape with copied and inferred axes filled in."""
    if any(length == Affine(_COPY_DIMENSION) and index >= len(old) for index, length in enumerate(lengths)):
        raise NodeRefused("an axis to copy that its input does not have")
    copied = tuple(old[i] if length == Affine(_COPY_DIMENSION) else length for i, length in enumerate(lengths))
    unknown = [index for index, length in enumerate(copied) if length == Affine(_INFER_DIMENSION)]
    if not unknown:
        return copied
    if len(unknown) > 1:
        raise NodeRefused("two axes to infer")
    others = product(length for index, length in enumerate(copied) if index != unknown[0])
    inferred = quotient(product(old), others)
    return tuple(inferred if index == unknown[0] else length for index, length in enumerate(copied))


def quotient(total: Affine, part: Affine) -> Affine:
    """Raises NodeRefused unless total is a multiple of part."""
    if part.is_constant and part.constant > 0:
        numbers = (total.constant, *(factor for _, factor in total.terms))
        if all(number % part.constant == 0 for number in numbers):
            return Affine.of(
                total.constant // part.constant, {name: factor // part.constant for name, factor in total.terms}
            )
    ratio = next((factor // dict(part.terms).get(name, factor + 1) for name, factor in total.terms), 0)
    if ratio > 0 and part * ratio == total:
        return Affine(ratio)
    raise NodeRefused("an axis that cannot be inferred")


def cut(site: Site) -> tuple[Value, ...]:
    """The last position, or some columns."""
    value = site.inputs[0]
    if isinstance(value, Integers):
        return _cut_list(site, value)
    x = activation(site, 0)
    starts, ends = (site.integers(index).items for index in (1, 2))
    axes = normalised(site.integers(3).numbers, len(x.shape)) if site.has(3) else tuple(range(len(starts)))
    if len(starts) != 1 or len(ends) != 1 or len(axes) != 1 or (site.has(4) and site.integers(4).numbers != (1,)):
        raise NodeRefused("only one axis is cut, in steps of 1")
    length = x.shape[axes[0]]
    start, end = (_from_front(number, length) for number in (starts[0], ends[0]))
    if axes[0] == len(x.shape) - 1:
        return (_columns(x, start, end),)
    if length != SEQUENCE or x.activation.rows != SEQUENCE.dimension() or start != SEQUENCE - 1 or end != SEQUENCE:
        raise NodeRefused("of the positions, only the last can be cut out")
    whole_vectors(x.activation.columns)
    last = site.builder.emit(Code.LAST_ROW, [x.activation], ONE, x.activation.columns)
    return (Floats(tuple(Affine(1) if index == axes[0] else item for index, item in enumerate(x.shape)), last),)


def _from_front(number: Affine, length: Affine) -> Affine:
    """An end of a slice: negative numbers count from the back, those beyond the longest call mean the end."""
    if number.is_constant and number.constant < 0:
        return length + number
    beyond = length.constant if length.is_constant else 1 << 31
    return length if number.is_constant and number.constant >= beyond else number


def _columns(x: Floats, start: Affine, end: Affine) -> Floats:
    if not start.is_constant or not end.is_constant or not 0 <= start.constant < end.constant:
        raise NodeRefused("columns that are not fixed")
    width = end.constant - start.constant
    return Floats((*x.shape[:-1], Affine(width)), _part(x.activation, start.constant, width))


def _part(x: Activation, first: int, width: int) -> Activation:
    """Some columns of a matrix, in place."""
    whole_vectors(first)
    whole_vectors(width)
    if x.parent is not None and x.parent.rows != x.rows:
        raise NodeRefused("splitting what was reshaped")
    return Activation(x.rows, width, parent=x.root, first_column=x.first_column + first)


def _cut_list(site: Site, value: Integers) -> tuple[Value, ...]:
    starts, ends = (site.integers(index).numbers for index in (1, 2))
    if len(starts) != 1 or (site.has(4) and site.integers(4).numbers != (1,)):
        raise NodeRefused("only one axis is cut, in steps of 1")
    items = value.items[starts[0] : ends[0]]
    return (Integers((Affine(len(items)),), items),)


def split(site: Site) -> tuple[Value, ...]:
    """Columns side by side."""
    x = activation(site, 0)
    if normalised((site.attribute("axis", 0),), len(x.shape)) != (len(x.shape) - 1,):
        raise NodeRefused("only columns are split")
    columns, count = x.activation.columns, len(site.node.outputs)
    sizes = site.integers(1).numbers if site.has(1) else (-(-columns // count),) * count
    if len(sizes) != count or sum(sizes) != columns or min(sizes) < 1:
        raise NodeRefused("parts that do not make up the whole")
    starts = [sum(sizes[:index]) for index in range(count)]
    return tuple(
        Floats((*x.shape[:-1], Affine(size)), _part(x.activation, start, size))
        for start, size in zip(starts, sizes, strict=True)
    )


def identity(site: Site) -> tuple[Value, ...]:
    value = site.inputs[0]
    if value is None:
        raise NodeRefused("its input is missing")
    return (value,)


# --- rotary positions


def rotary(site: Site) -> tuple[Value, ...]:
    """Pairs of halves turned by the angle of their position, in each head."""
    x = activation(site, 0)
    if len(x.shape) != 3:
        raise NodeRefused("heads on an axis of their own; [batch, sequence, heads * size] is taken")
    if site.attribute("interleaved", 0):
        raise NodeRefused("interleaved pairs; halves are taken")
    _expect_positions(site.input(3, Integers, "positions"))
    heads, columns = site.attribute("num_heads", 0), x.activation.columns
    tables = [site.builder.table(constant_floats(site, index)) for index in (1, 2)]
    if heads < 1 or columns % heads or tables[0].columns != tables[1].columns:
        raise NodeRefused("heads or tables that do not fit its input")
    head_size, turned = columns // heads, 2 * tables[0].columns
    if site.attribute("rotary_embedding_dim", 0) not in (0, turned) or turned > head_size:
        raise NodeRefused("tables of another width than what is turned")
    if head_size % 4 or turned % 8:
        raise NodeRefused(f"heads of {head_size} with {turned} turned: multiples of 4 and 8 are taken")
    turned_x = site.builder.same_shape(Code.ROTARY, x.activation, *tables, heads=heads, head_size=head_size)
    return (Floats(x.shape, turned_x),)


FLOAT_HANDLERS: dict[str, Handler] = {
    "Gather": gather,
    "DequantizeLinear": dequantise,
    "MatMul": multiply_matrix,
    "Transpose": transpose,
    "Add": add,
    "Mul": multiply,
    "Sigmoid": unary(Code.SIGMOID),
    "Gelu": gelu,
    "Tanh": unary(Code.TANH),
    "RMSNormalization": norm(Code.RMS_NORM, 1),
    "LayerNormalization": norm(Code.LAYER_NORM, 2),
    "Reshape": reshape,
    "Slice": cut,
    "Split": split,
    "Identity": identity,
    "RotaryEmbedding": rotary,
}
