"""From an ONNX graph to steps of the program, node by node.

Each tensor has a `Value`: what is known of it before the graph runs. An operator's handler looks at the values of its
inputs, adds steps where something must be computed on the call's activations, and says what its outputs are. Positions,
lengths and masks are thereby known exactly: they add no step, and Attention's handler sees whether its mask is causal.
Nothing here knows an architecture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from personal_ai.compiler.affine import PAST, SEQUENCE, Affine, NotAffineError
from personal_ai.compiler.builder import Builder
from personal_ai.compiler.ir import ONE, Activation, Kept, Step
from personal_ai.compiler.obstacles import NodeRefused, Obstacle
from personal_ai.compiler.onnx_graph import Array, Attribute, Int4Matrix, Node, OnnxGraph, Port, lengths
from personal_ai.compiler.values import (
    Constant,
    Floats,
    Int4Constant,
    Integers,
    Past,
    Present,
    Tokens,
    Unknown,
    Value,
)

_ITEMS_MAX = 64  # longer integer constants are not looked at one by one

T = TypeVar("T", bound=Value)
A = TypeVar("A", int, float, str, tuple[int, ...])


@dataclass(frozen=True, slots=True)
class Site:
    """A node at the moment it is lowered."""

    node: Node
    inputs: tuple[Value | None, ...]
    builder: Builder

    def attribute(self, name: str, default: A) -> A:
        """Raises NodeRefused when the attribute is of another type."""
        value: Attribute = self.node.attributes.get(name, default)
        if isinstance(value, np.ndarray) or type(value) is not type(default):
            raise NodeRefused(f"the attribute {name} is of the wrong type")
        return value

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int, kind: type[T], what: str) -> T:
        """Input `index`, which must be `what`. Raises NodeRefused."""
        value = self.inputs[index] if self.has(index) else None
        if not isinstance(value, kind):
            raise NodeRefused(f"its input {index} is not {what}")
        return value

    def integers(self, index: int) -> Integers:
        """A known integer tensor: computed from lengths, or a constant. Raises NodeRefused."""
        value = self.inputs[index] if self.has(index) else None
        if isinstance(value, Constant):
            return constant_integers(value.array)
        return self.input(index, Integers, "an integer that is known before the model runs")

    def expect_outputs(self, count: int) -> None:
        """Raises NodeRefused when an output beyond the first `count` is used."""
        if any(self.node.outputs[count:]):
            raise NodeRefused("one of its optional outputs is used")


Handler = Callable[[Site], tuple[Value, ...]]


def constant_integers(array: Array) -> Integers:
    """Raises NodeRefused for what is not a scalar or a short vector of integers."""
    if array.ndim > 1 or array.size > _ITEMS_MAX or array.dtype.kind != "i":
        raise NodeRefused("a constant stands where a few whole numbers were expected")
    shape = tuple(Affine(length) for length in array.shape)
    return Integers(shape, tuple(Affine(int(item)) for item in array.reshape(-1).tolist()))


@dataclass(frozen=True, slots=True)
class Lowered:
    """The steps, the logits [1, vocabulary], and the keys and values that are kept."""

    steps: list[Step]
    logits: Activation | None
    kept: tuple[Kept, ...]
    obstacles: tuple[Obstacle, ...]


def lower(graph: OnnxGraph, handlers: dict[str, Handler]) -> Lowered:
    """Lowers the whole graph; obstacles do not stop it, so that all of them are found."""
    builder = Builder()
    obstacles: list[Obstacle] = []
    values: dict[str, Value] = {name: constant_value(array) for name, array in graph.constants.items()}
    pasts = _bind_inputs(graph, values, obstacles)
    lower_nodes(graph, values, obstacles, lambda node, inputs: _lower_node(Site(node, inputs, builder), handlers))
    logits = _bind_outputs(graph, values, pasts, obstacles)
    return Lowered(builder.steps, logits, tuple(past.kept for past in pasts), tuple(obstacles))


NodeInputs = tuple[Value | None, ...]


def lower_nodes(
    graph: OnnxGraph,
    values: dict[str, Value],
    obstacles: list[Obstacle],
    lower_node: Callable[[Node, NodeInputs], tuple[Value, ...]],
) -> None:
    """Gives every tensor its value, and `obstacles` what was refused."""
    for node in graph.nodes:
        inputs = tuple(values[name] if name else None for name in node.inputs)
        outputs: tuple[Value, ...] = ()
        if not any(isinstance(value, Unknown) for value in inputs):
            try:
                outputs = lower_node(node, inputs)
            except (NodeRefused, NotAffineError) as refusal:
                reason = str(refusal) or "a length is not a simple multiple of the call's lengths"
                obstacles.append(Obstacle(node.operator, node.name, reason))
        for index, name in enumerate(node.outputs):
            values[name] = outputs[index] if index < len(outputs) else Unknown()


def constant_value(array: Array | Int4Matrix) -> Value:
    """What an initialiser is."""
    return Int4Constant(array) if isinstance(array, Int4Matrix) else Constant(array)


def _lower_node(site: Site, handlers: dict[str, Handler]) -> tuple[Value, ...]:
    handler = handlers.get(site.node.operator)
    if handler is None:
        raise NodeRefused("the engine does not have this operator")
    site.builder.node = site.node.name
    outputs = handler(site)
    site.expect_outputs(len(outputs))
    return outputs


def _bind_inputs(graph: OnnxGraph, values: dict[str, Value], obstacles: list[Obstacle]) -> list[Past]:
    """Finds the token ids [1, sequence] and the keys and values [1, heads, past, size] among the graph's inputs."""
    pasts: list[Past] = []
    for port in graph.inputs:
        value = _bound(port, len(pasts))
        if isinstance(value, Past):
            pasts.append(value)
        elif isinstance(value, Tokens) and any(isinstance(other, Tokens) for other in values.values()):
            value = Unknown()
        if isinstance(value, Unknown):
            obstacles.append(Obstacle("Input", port.name, "neither the token ids nor keys or values of a cache"))
        values[port.name] = value
    return pasts


def _bound(port: Port, slot: int) -> Value:
    symbol = next((length for length in port.shape if isinstance(length, str)), "")
    if port.element == np.int64 and len(port.shape) == 2:
        shape = lengths(port, {symbol: SEQUENCE})
        if shape == (Affine(1), SEQUENCE):
            return Tokens(shape)
    if port.element == np.float32 and len(port.shape) == 4:
        shape = lengths(port, {symbol: PAST})
        if shape is not None and shape[0] == Affine(1) and shape[1].is_constant and shape[3].is_constant:
            return Past(slot, shape) if shape[2] == PAST else Unknown()
    return Unknown()


def _bind_outputs(
    graph: OnnxGraph, values: dict[str, Value], pasts: list[Past], obstacles: list[Obstacle]
) -> Activation | None:
    """Finds the logits; the other outputs must be the longer caches, in the order of the inputs."""
    logits: Activation | None = None
    presents: list[int] = []
    for port in graph.outputs:
        value = values[port.name]
        if isinstance(value, Present):
            presents.append(value.slot)
        elif isinstance(value, Floats) and logits is None and value.activation.rows == ONE:
            logits = value.activation
        elif not isinstance(value, Unknown):
            reason = "neither the logits of the last position alone nor a cache"
            obstacles.append(Obstacle("Output", port.name, reason))
    if not obstacles and presents != list(range(len(pasts))):
        obstacles.append(Obstacle("Output", "", "the caches that go out are not those that come in"))
    if not obstacles and logits is None:
        obstacles.append(Obstacle("Output", "", "there are no logits"))
    return logits
