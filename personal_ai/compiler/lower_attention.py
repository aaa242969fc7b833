"""Attention with a cache: becomes one step that keeps keys and values in place, once its mask is proven causal.

A mask is the set of inequalities that its True elements satisfy, linear in the query's row, the key's position and the
call's sizes. It is causal when it is exactly "key position <= past + query row"; with "past + query row - key position
<= w - 1" beside it, each token sees the last w positions.
"""

from __future__ import annotations

import math

from personal_ai.compiler.affine import PAST, SEQUENCE, Affine, axis
from personal_ai.compiler.format import Code
from personal_ai.compiler.lower_floats import activation
from personal_ai.compiler.lowering import Handler, Site
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.values import Condition, Floats, Past, Present, Value


def attention(site: Site) -> tuple[Value, ...]:
    """q, k, v [1, sequence, heads * size], mask, past keys and values -> mixed values, and the longer cache."""
    q, k, v = (activation(site, index) for index in range(3))
    if any(len(x.shape) != 3 for x in (q, k, v)):
        raise NodeRefused("heads on an axis of their own; [batch, sequence, heads * size] is taken")
    heads, key_heads = site.attribute("q_num_heads", 0), site.attribute("kv_num_heads", 0)
    head_size = _head_size(q, k, v, heads, key_heads)
    _expect_plain(site)
    keys, values = (_kept(site, index, key_heads, head_size) for index in (4, 5))
    mixed = site.builder.same_shape(
        Code.ATTENTION,
        q.activation,
        k.activation,
        v.activation,
        keys.kept,
        values.kept,
        heads=heads,
        key_heads=key_heads,
        head_size=head_size,
        window=_window(site.input(3, Condition, "a mask over positions")),
        scale=site.attribute("scale", 1 / math.sqrt(head_size)),
        cap=site.attribute("softcap", 0.0),
    )
    return Floats(q.shape, mixed), Present(keys.slot), Present(values.slot)


def _head_size(q: Floats, k: Floats, v: Floats, heads: int, key_heads: int) -> int:
    columns = q.activation.columns
    if heads < 1 or key_heads < 1 or columns % heads or heads % key_heads:
        raise NodeRefused("numbers of heads that do not fit its input")
    head_size = columns // heads
    if k.shape != v.shape or k.activation.columns != key_heads * head_size:
        raise NodeRefused("keys or values of another size than the queries")
    if head_size % 4:
        raise NodeRefused(f"heads of {head_size}: multiples of 4 are taken")
    return head_size


def _expect_plain(site: Site) -> None:
    if site.attribute("is_causal", 0) or site.has(6):
        raise NodeRefused("causality that is not given as a mask")
    if not 0.0 <= site.attribute("softcap", 0.0) < math.inf:
        raise NodeRefused("a softcap that is no positive number")
    if site.attribute("softmax_precision", 1) != 1:
        raise NodeRefused("scores in another precision than float32")


def _kept(site: Site, index: int, key_heads: int, head_size: int) -> Past:
    past = site.input(index, Past, "a cache that comes into the graph")
    if past.shape != (Affine(1), Affine(key_heads), PAST, Affine(head_size)):
        raise NodeRefused("a cache of another shape than the keys")
    return past


def _window(mask: Condition) -> int:
    """How many positions a token sees (0: all before it and itself). Raises NodeRefused unless the mask is causal."""
    rank = len(mask.shape)
    if rank < 2 or mask.shape[-2:] != (SEQUENCE, PAST + SEQUENCE) or mask.shape[:-2] != (Affine(1),) * (rank - 2):
        raise NodeRefused("a mask that is not [sequence, past + sequence]")
    distance = PAST + axis(rank - 2) - axis(rank - 1)
    causal = distance * -1
    if causal not in mask.below_or_zero:
        raise NodeRefused("a mask that is not proven causal")
    others = [part - distance for part in mask.below_or_zero if part != causal]
    if any(not part.is_constant or part.constant > 0 for part in others):
        raise NodeRefused("a mask with conditions other than causality and a window")
    return min((1 - part.constant for part in others), default=0)


ATTENTION_HANDLERS: dict[str, Handler] = {"Attention": attention}
