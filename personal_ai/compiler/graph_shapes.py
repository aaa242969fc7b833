"""Operators of a graph that move numbers or multiply matrices: look-ups, shapes, parts, products, attention."""

from __future__ import annotations

import math

import numpy as np

from personal_ai.compiler.affine import Affine, axis, product
from personal_ai.compiler.builder import whole_vectors
from personal_ai.compiler.format import BinaryFunction, Code, Element
from personal_ai.compiler.graph_elements import operand
from personal_ai.compiler.graph_lowering import GraphHandler, GraphSite
from personal_ai.compiler.lower_floats import quotient
from personal_ai.compiler.lower_integers import normalised
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.values import (
    BlockMatrix,
    Constant,
    Int4Constant,
    Integers,
    LookedUp,
    Numbers,
    Shape,
    Value,
)

_COPY_DIMENSION = 0  # in the shape given to Reshape
_INFER_DIMENSION = -1
_VECTOR = 4


# --- tables


def gather(site: GraphSite) -> tuple[Value, ...]:
    """Rows of a table, by numbers that the graph is given, by position, or one place of an axis."""
    table, index = site.inputs[0], site.inputs[1]
    if isinstance(table, Constant) and isinstance(index, Numbers):
        if site.attribute("axis", 0) != 0 or len(table.shape) != 2 or table.transposed:
            raise NodeRefused("only rows of a constant matrix are looked up")
        if index.tensor.element is not Element.I64:
            raise NodeRefused("its indices are not whole numbers")
        return (LookedUp(table.array, index),)
    if isinstance(table, Constant):
        return (_positions(site, table, site.integers(1)),)
    return (_one_place(site, site.numbers(0), site.integers(1)),)


def _positions(site: GraphSite, table: Constant, index: Integers) -> Numbers:
    """Rows that follow each other, as those of positions do."""
    if site.attribute("axis", 0) != 0 or len(table.shape) != 2 or table.transposed or not index.shape:
        raise NodeRefused("only rows of a constant matrix are looked up")
    last = len(index.shape) - 1
    start = index.formula - axis(last)
    if any(name.startswith("axis") for name, _ in start.terms) or any(n != Affine(1) for n in index.shape[:-1]):
        raise NodeRefused("its indices are not positions that follow each other")
    whole = Numbers(tuple(map(Affine, table.shape)), site.graph.constant(table.array))
    rows = site.graph.cut_out(whole, 0, start, index.shape[-1])
    return site.graph.reshaped(rows, (*index.shape, Affine(table.shape[1])))


def _one_place(site: GraphSite, x: Numbers, index: Integers) -> Numbers:
    (along,) = normalised((site.attribute("axis", 0),), len(x.shape))
    if len(index.items) != 1:
        raise NodeRefused("several places of what is computed are looked up")
    (at,) = index.items
    start = x.shape[along] + at if at.is_constant and at.constant < 0 else at
    part = site.graph.part(x, along, start, Affine(1))
    shape = (*x.shape[:along], *index.shape, *x.shape[along + 1 :])
    return site.graph.reshaped(part, shape or (Affine(1),))


def dequantise(site: GraphSite) -> tuple[Value, ...]:
    """Integer weights with one scale per block: a matrix, or (int8) rows of an embedding."""
    if site.has(2):
        raise NodeRefused("weights with a zero point")
    block_size, values, scales = site.attribute("block_size", 0), site.inputs[0], site.inputs[1]
    along = site.attribute("axis", 1)
    if isinstance(values, LookedUp) and isinstance(scales, LookedUp) and values.indices is scales.indices:
        rank = len(values.indices.shape) + 1
        if normalised((along,), rank) != (rank - 1,):
            raise NodeRefused("blocks that do not run along the rows of the table")
        matrix = BlockMatrix(values.table.T, scales.table.T, block_size)
        return (site.graph.gathered(site.graph.weights.matrix(matrix), values.indices),)
    if not isinstance(values, Constant | Int4Constant) or not isinstance(scales, Constant):
        raise NodeRefused("only constants and looked-up rows are dequantised")
    if normalised((along,), 2) != (0,) or scales.transposed:
        raise NodeRefused("blocks that do not run along the inputs (axis 0)")
    if isinstance(values, Int4Constant):
        return (BlockMatrix(values.matrix, scales.array, block_size),)
    if values.transposed:
        raise NodeRefused("transposed integers")
    return (BlockMatrix(values.array, scales.array, block_size),)


# --- products


def multiply_matrices(site: GraphSite) -> tuple[Value, ...]:
    """By a constant matrix with the fast kernels, else row by row."""
    x, matrix = site.inputs[0], site.inputs[1]
    if isinstance(x, Numbers) and isinstance(matrix, BlockMatrix):
        return (site.graph.multiply(site.floats(0), matrix),)
    if isinstance(x, Numbers) and isinstance(matrix, Constant) and len(matrix.shape) == 2:
        return (_by_constant(site, site.floats(0), matrix),)
    operands = [operand(site, index) for index in (0, 1)]
    return (_batch_product(site, *(Numbers(shape, tensor) for tensor, shape in operands)),)


def _by_constant(site: GraphSite, x: Numbers, matrix: Constant) -> Numbers:
    if x.shape[-1] != Affine(matrix.shape[0]):
        raise NodeRefused("two shapes that do not go together")
    if matrix.shape[0] % _VECTOR == 0:
        return site.graph.multiply(x, matrix)
    plain = np.ascontiguousarray(matrix.array.T if matrix.transposed else matrix.array)
    rank = max(len(x.shape), 2)
    constant = site.graph.constant(plain.reshape(*([1] * (rank - 2)), *plain.shape))
    return _batch_product(site, x, Numbers(tuple(Affine(d.constant) for d in constant.shape), constant))


def _batch_product(site: GraphSite, a: Numbers, b: Numbers) -> Numbers:
    if len(a.shape) < 2 or len(b.shape) < 2:
        raise NodeRefused("a vector stands where a matrix was expected")
    rank = max(len(a.shape), len(b.shape))
    a, b = (_with_rank(site, x, rank) for x in (a, b))
    if a.shape[-1] != b.shape[-2]:
        raise NodeRefused("two shapes that do not go together")
    batches = [_longer(x, y) for x, y in zip(a.shape[:-2], b.shape[:-2], strict=True)]
    shape = (*batches, a.shape[-2], b.shape[-1])
    return site.graph.emit(Code.BATCH_MATMUL, [a.tensor, b.tensor], shape)


def _longer(a: Affine, b: Affine) -> Affine:
    if a != b and Affine(1) not in (a, b):
        raise NodeRefused("two shapes that do not go together")
    return b if a == Affine(1) else a


def _with_rank(site: GraphSite, x: Numbers, rank: int) -> Numbers:
    shape = (*([Affine(1)] * (rank - len(x.shape))), *x.shape)
    if x.tensor.weight is None:
        return site.graph.reshaped(x, shape)
    lengths = tuple(length.constant for length in shape)
    return Numbers(shape, site.graph.weight(x.tensor.weight, lengths))


def gemm(site: GraphSite) -> tuple[Value, ...]:
    """x times a constant matrix, perhaps transposed, plus a vector."""
    x, matrix = site.floats(0), site.input(1, Constant, "a constant matrix")
    if site.attribute("transA", 0) or len(x.shape) != 2 or len(matrix.shape) != 2:
        raise NodeRefused("only a computed matrix times a constant one is taken")
    if site.attribute("alpha", 1.0) != 1.0 or site.attribute("beta", 1.0) != 1.0:
        raise NodeRefused("factors other than 1 (alpha, beta)")
    turned = bool(site.attribute("transB", 0)) != matrix.transposed
    result = _by_constant(site, x, Constant(matrix.array, transposed=turned))
    if not site.has(2):
        return (result,)
    bias, shape = operand(site, 2)
    if bias.weight is not None and shape[-1] == result.shape[-1] and product(shape) == shape[-1]:
        return (site.graph.emit(Code.ADD, [result.tensor, site.graph.weight(bias.weight)], result.shape),)
    return (site.graph.emit(Code.BINARY, [result.tensor, bias], result.shape, function=BinaryFunction.ADD),)


def attention(site: GraphSite) -> tuple[Value, ...]:
    """q, k, v [batch, rows, heads * size] without a mask: each row sees all others."""
    q, k, v = (site.floats(index) for index in range(3))
    if any(site.has(index) for index in range(3, 7)) or site.attribute("is_causal", 0):
        raise NodeRefused("a mask or a cache; attention among all rows is taken")
    if any(len(x.shape) != 3 for x in (q, k, v)):
        raise NodeRefused("heads on an axis of their own; [batch, sequence, heads * size] is taken")
    heads, key_heads = site.attribute("q_num_heads", 0), site.attribute("kv_num_heads", 0)
    width, key_width = q.shape[-1].constant, k.shape[-1].constant
    if heads < 1 or key_heads < 1 or width % heads or heads % key_heads or k.shape != v.shape:
        raise NodeRefused("numbers of heads that do not fit its input")
    head_size = width // heads
    if key_width != key_heads * head_size or q.shape[0] != k.shape[0] or site.attribute("softmax_precision", 1) != 1:
        raise NodeRefused("keys or values of another size than the queries")
    whole_vectors(head_size)
    mixed = site.graph.emit(
        Code.ATTEND,
        [q.tensor, k.tensor, v.tensor],
        q.shape,
        heads=heads,
        key_heads=key_heads,
        head_size=head_size,
        scale=site.attribute("scale", 1 / math.sqrt(head_size)),
        cap=site.attribute("softcap", 0.0),
    )
    return (mixed,)


# --- shapes


def reshape(site: GraphSite) -> tuple[Value, ...]:
    x = site.numbers(0)
    if site.attribute("allowzero", 0):
        raise NodeRefused("reshaping to empty axes")
    return (site.graph.reshaped(x, _resolved(x.shape, site.integers(1).items) or (Affine(1),)),)


def _resolved(old: Shape, lengths: Shape) -> Shape:
    """The new shape with copied and inferred axes filled in."""
    if any(length == Affine(_COPY_DIMENSION) and index >= len(old) for index, length in enumerate(lengths)):
        raise NodeRefused("an axis to copy that its input does not have")
    copied = tuple(old[i] if length == Affine(_COPY_DIMENSION) else length for i, length in enumerate(lengths))
    unknown = [index for index, length in enumerate(copied) if length == Affine(_INFER_DIMENSION)]
    if not unknown:
        return copied
    if len(unknown) > 1:
        raise NodeRefused("two axes to infer")
    known = [length for index, length in enumerate(copied) if index != unknown[0]]
    rest = list(old)
    for length in list(known):  # symbols that stay are not multiplied
        if length in rest and not length.is_constant:
            rest.remove(length)
            known.remove(length)
    inferred = quotient(product(rest), product(known))
    return tuple(inferred if index == unknown[0] else length for index, length in enumerate(copied))


def flatten(site: GraphSite) -> tuple[Value, ...]:
    x = site.numbers(0)
    at = site.attribute("axis", 1)
    split_at = at + len(x.shape) if at < 0 else at
    return (site.graph.reshaped(x, (product(x.shape[:split_at]), product(x.shape[split_at:]))),)


def unsqueeze(site: GraphSite) -> tuple[Value, ...]:
    x = site.numbers(0)
    given = site.integers(1).numbers
    axes = normalised(given, len(x.shape) + len(given))
    lengths = iter(x.shape)
    rank = len(x.shape) + len(set(axes))
    return (site.graph.reshaped(x, tuple(Affine(1) if i in axes else next(lengths) for i in range(rank))),)


def squeeze(site: GraphSite) -> tuple[Value, ...]:
    x = site.numbers(0)
    ones = tuple(index for index, length in enumerate(x.shape) if length == Affine(1))
    axes = normalised(site.integers(1).numbers, len(x.shape)) if site.has(1) else ones
    if not set(axes) <= set(ones):
        raise NodeRefused("an axis longer than one is squeezed")
    shape = tuple(length for index, length in enumerate(x.shape) if index not in axes)
    return (site.graph.reshaped(x, shape or (Affine(1),)),)


def transpose(site: GraphSite) -> tuple[Value, ...]:
    value = site.inputs[0]
    if isinstance(value, Constant):  # too large to be folded: a matrix that is read the other way
        if len(value.shape) != 2 or site.attribute("perm", (1, 0)) != (1, 0):
            raise NodeRefused("only constant matrices are transposed")
        return (Constant(value.array, transposed=not value.transposed),)
    x = site.numbers(0)
    order = site.attribute("perm", tuple(reversed(range(len(x.shape)))))
    if sorted(order) != list(range(len(x.shape))):
        raise NodeRefused("an order that does not name each axis once")
    return (site.graph.transposed(x, order),)


def cut(site: GraphSite) -> tuple[Value, ...]:
    """Parts of axes, in steps of 1."""
    x = site.numbers(0)
    starts, ends = (site.integers(index).items for index in (1, 2))
    axes = normalised(site.integers(3).numbers, len(x.shape)) if site.has(3) else tuple(range(len(starts)))
    if len(starts) != len(axes) or len(ends) != len(axes) or (site.has(4) and set(site.integers(4).numbers) != {1}):
        raise NodeRefused("axes are cut in steps of 1")
    for along, first, last in zip(axes, starts, ends, strict=True):
        start, end = (_from_front(site, number, x.shape[along]) for number in (first, last))
        x = site.graph.part(x, along, start, end - start)
    return (x,)


def _from_front(site: GraphSite, number: Affine, length: Affine) -> Affine:
    """An end of a slice: negative numbers count from the back, those beyond the longest axis mean its end."""
    if number.is_constant and number.constant < 0:
        return length + number
    beyond = number.is_constant and number.constant >= site.graph.greatest(length)
    return length if beyond else number


def concat(site: GraphSite) -> tuple[Value, ...]:
    parts = [_part(site, index) for index in range(len(site.inputs))]
    first = parts[0]
    (along,) = normalised((site.attribute("axis", 0),), len(first.shape))
    for part in parts:
        others = [index for index in range(len(first.shape)) if index != along]
        fits = len(part.shape) == len(first.shape) and part.tensor.element is first.tensor.element
        if not fits or any(part.shape[index] != first.shape[index] for index in others):
            raise NodeRefused("two shapes that do not go together")
    return (site.graph.joined(parts, along),)


def _part(site: GraphSite, index: int) -> Numbers:
    if isinstance(site.inputs[index], Constant):
        tensor, shape = operand(site, index)
        return Numbers(shape, tensor)
    return site.numbers(index)


def split(site: GraphSite) -> tuple[Value, ...]:
    x = site.numbers(0)
    (along,) = normalised((site.attribute("axis", 0),), len(x.shape))
    count = len(site.node.outputs)
    if site.has(1):
        sizes = site.integers(1).numbers
    elif x.shape[along].is_constant:
        size = -(-x.shape[along].constant // count)
        sizes = (*([size] * (count - 1)), x.shape[along].constant - size * (count - 1))
    else:
        raise NodeRefused("an axis without a fixed length is split evenly")
    if len(sizes) != count or min(sizes) < 1 or x.shape[along] != Affine(sum(sizes)):
        raise NodeRefused("parts that do not make up the whole")
    starts = [sum(sizes[:index]) for index in range(count)]
    return tuple(site.graph.part(x, along, Affine(s), Affine(n)) for s, n in zip(starts, sizes, strict=True))


def expand(site: GraphSite) -> tuple[Value, ...]:
    """Repeats axes of length 1."""
    x = site.floats(0)
    wanted = site.integers(1).items
    rank = max(len(x.shape), len(wanted))
    old = (*([Affine(1)] * (rank - len(x.shape))), *x.shape)
    new = (*([Affine(1)] * (rank - len(wanted))), *wanted)
    shape = tuple(_longer(a, b) for a, b in zip(old, new, strict=True))
    zero = site.graph.constant(np.zeros(1, dtype=np.float32))
    return (site.graph.emit(Code.BINARY, [x.tensor, zero], shape, function=BinaryFunction.ADD),)


def identity(site: GraphSite) -> tuple[Value, ...]:
    value = site.inputs[0]
    if value is None:
        raise NodeRefused("its input is missing")
    return (value,)


SHAPE_HANDLERS: dict[str, GraphHandler] = {
    "Attention": attention,
    "Concat": concat,
    "DequantizeLinear": dequantise,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Gemm": gemm,
    "Identity": identity,
    "MatMul": multiply_matrices,
    "Reshape": reshape,
    "Slice": cut,
    "Split": split,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
