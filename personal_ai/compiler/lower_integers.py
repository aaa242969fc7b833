"""Operators on lengths, positions and masks: computed here, once, in terms of the call's sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from personal_ai.compiler.affine import Affine, axis
from personal_ai.compiler.lowering import Handler, Site
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.values import Condition, Constant, Integers, Present, Shape, Unknown, Value

_INTEGER_TYPES = (TensorProto.INT64, TensorProto.INT32)


def shape(site: Site) -> tuple[Value, ...]:
    value = site.inputs[0] if site.has(0) else None
    if isinstance(value, Constant):
        full: Shape = tuple(Affine(length) for length in value.shape)
    elif value is None or isinstance(value, Unknown | Present) or not hasattr(value, "shape"):
        raise NodeRefused("the shape of its input is not known")
    else:
        full = value.shape
    start, end = site.attribute("start", 0), site.attribute("end", len(full))
    items = full[slice(start, end)]
    return (Integers((Affine(len(items)),), items),)


def squeeze(site: Site) -> tuple[Value, ...]:
    x = site.integers(0)
    axes = _axes(site, len(x.shape))
    if isinstance(x.content, Affine):
        raise NodeRefused("only single numbers are squeezed")
    if axes not in ((), (0,)) or len(x.items) != 1:
        raise NodeRefused("an axis longer than one is squeezed")
    return (Integers((), x.items),)


def unsqueeze(site: Site) -> tuple[Value, ...]:
    x = site.integers(0)
    rank = len(x.shape) + len(site.integers(1).numbers)
    axes = _axes(site, rank)
    kept = [index for index in range(rank) if index not in axes]
    if len(kept) != len(x.shape):
        raise NodeRefused("an axis is named twice")
    lengths = iter(x.shape)
    longer = tuple(Affine(1) if index in axes else next(lengths) for index in range(rank))
    if not isinstance(x.content, Affine) and rank <= 1:
        return (Integers(longer, x.content),)
    return (Integers(longer, x.formula.renamed({f"axis{old}": f"axis{new}" for old, new in enumerate(kept)})),)


def value_range(site: Site) -> tuple[Value, ...]:
    start, limit, delta = (site.integers(index).formula for index in range(3))
    if delta != Affine(1):
        raise NodeRefused("a range with steps other than 1")
    length = limit - start
    if length == Affine(1):
        return (Integers((length,), (start,)),)
    return (Integers((length,), start + axis(0)),)


def gather(site: Site, x: Integers) -> tuple[Value, ...]:
    """Some of a list of lengths."""
    index = site.integers(1)
    try:
        items = tuple(x.items[number] for number in index.numbers)
    except IndexError as error:
        raise NodeRefused("an index lies outside") from error
    return (Integers(index.shape, items),)


def concat(site: Site) -> tuple[Value, ...]:
    items = tuple(item for index in range(len(site.inputs)) for item in site.integers(index).items)
    return (Integers((Affine(len(items)),), items),)


def arithmetic(combine: Callable[[Affine, Affine], Affine]) -> Callable[[Integers, Integers], tuple[Value, ...]]:
    """Element by element, with broadcasting."""

    def combined(a: Integers, b: Integers) -> tuple[Value, ...]:
        together, left, right = _broadcast(a, b)
        result = combine(left, right)
        listed = not isinstance(a.content, Affine) and not isinstance(b.content, Affine)
        return (Integers(together, (result,) if listed and len(together) <= 1 else result),)

    return combined


add = arithmetic(lambda a, b: a + b)
multiply = arithmetic(lambda a, b: a.times(b))


def subtract(site: Site) -> tuple[Value, ...]:
    return arithmetic(lambda a, b: a - b)(site.integers(0), site.integers(1))


def comparison(below_or_zero: Callable[[Affine, Affine], Affine]) -> Handler:
    """True where `below_or_zero` of both sides is <= 0."""

    def handler(site: Site) -> tuple[Value, ...]:
        together, left, right = _broadcast(site.integers(0), site.integers(1))
        return (Condition(together, frozenset((below_or_zero(left, right),))),)

    return handler


def both(site: Site) -> tuple[Value, ...]:
    a, b = (site.input(index, Condition, "a mask over positions") for index in range(2))
    rank = max(len(a.shape), len(b.shape))
    together = _together(_padded(a.shape, rank), _padded(b.shape, rank))
    parts = {_aligned(part, rank - len(mask.shape)) for mask in (a, b) for part in mask.below_or_zero}
    return (Condition(together, frozenset(parts)),)


def cast(site: Site) -> tuple[Value, ...]:
    if site.attribute("to", 0) not in _INTEGER_TYPES:
        raise NodeRefused("only casts between whole numbers are made")
    return (site.integers(0),)


def constant(site: Site) -> tuple[Value, ...]:
    value = site.node.attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise NodeRefused("only constants given as tensors are read")
    return (Constant(value),)


def normalised(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front. Raises NodeRefused when one does not exist."""
    if any(not -rank <= index < rank for index in axes):
        raise NodeRefused("an axis that its input does not have")
    return tuple(index % rank for index in axes)


def _axes(site: Site, rank: int) -> tuple[int, ...]:
    return normalised(site.integers(1).numbers, rank) if site.has(1) else ()


def _broadcast(a: Integers, b: Integers) -> tuple[Shape, Affine, Affine]:
    rank = max(len(a.shape), len(b.shape))
    together = _together(_padded(a.shape, rank), _padded(b.shape, rank))
    return together, _aligned(a.formula, rank - len(a.shape)), _aligned(b.formula, rank - len(b.shape))


def _padded(lengths: Shape, rank: int) -> Shape:
    return (Affine(1),) * (rank - len(lengths)) + lengths


def _together(a: Shape, b: Shape) -> Shape:
    """The broadcast shape. Raises NodeRefused when two lengths differ and neither is 1."""
    one = Affine(1)
    if any(one not in (x, y) and x != y for x, y in zip(a, b, strict=True)):
        raise NodeRefused("two shapes that do not go together")
    return tuple(y if x == one else x for x, y in zip(a, b, strict=True))


def _aligned(formula: Affine, shift: int) -> Affine:
    """The formula in the axes of a tensor with `shift` more axes in front."""
    names = {name: f"axis{int(name[4:]) + shift}" for name, _ in formula.terms if name.startswith("axis")}
    return formula.renamed(names)


INTEGER_HANDLERS: dict[str, Handler] = {
    "Shape": shape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Range": value_range,
    "Concat": concat,
    "Sub": subtract,
    "LessOrEqual": comparison(lambda a, b: a - b),
    "Less": comparison(lambda a, b: a - b + 1),
    "GreaterOrEqual": comparison(lambda a, b: b - a),
    "Greater": comparison(lambda a, b: b - a + 1),
    "And": both,
    "Cast": cast,
    "Constant": constant,
}
