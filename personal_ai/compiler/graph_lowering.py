"""From any ONNX graph to the steps of a graph program, node by node: named tensors in, named tensors out.

Lengths and positions are known before the graph runs, as for a decoder (lower_integers.py); nodes of constants are
computed here; everything else becomes steps (graph_handlers.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from onnx import TensorProto, helper

from personal_ai.compiler import lower_floats, lower_integers
from personal_ai.compiler.affine import SYMBOLS, Affine
from personal_ai.compiler.format import PORT_NAME_BYTES_MAX, Code, Element
from personal_ai.compiler.graph_builder import GraphBuilder
from personal_ai.compiler.graph_ir import GraphPort, GraphStep
from personal_ai.compiler.lowering import Handler, NodeInputs, Site, constant_value, lower_nodes
from personal_ai.compiler.obstacles import NodeRefused, Obstacle
from personal_ai.compiler.onnx_graph import Array, Node, OnnxGraph, Port, lengths
from personal_ai.compiler.program import Dimension
from personal_ai.compiler.values import Constant, Integers, LookedUp, Numbers, Unknown, Value

SYMBOL_MAXIMUM_MAX: Final = 1 << 20
_ELEMENTS = {np.dtype(np.float32): Element.F32, np.dtype(np.int64): Element.I64}
_FOLDED_ITEMS_MAX = 4096  # what is broadcast stays small, even if two inputs of this size span a matrix
_ALWAYS_FOLDED = frozenset(("Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity", "Cast"))
_NEVER_FOLDED = frozenset(("Constant", "DequantizeLinear", "RandomNormal", "RandomUniform"))
_ON_LENGTHS: Final[dict[str, Handler]] = lower_integers.INTEGER_HANDLERS | {
    "Gather": lambda site: lower_integers.gather(site, site.integers(0)),
    "Add": lambda site: lower_integers.add(site.integers(0), site.integers(1)),
    "Mul": lambda site: lower_integers.multiply(site.integers(0), site.integers(1)),
    "Slice": lower_floats.cut,
    "Identity": lower_floats.identity,
}


@dataclass(frozen=True, slots=True)
class GraphSite(Site):
    """A node of a graph at the moment it is lowered."""

    graph: GraphBuilder

    def numbers(self, index: int) -> Numbers:
        """Input `index` as something the graph computes. Raises NodeRefused."""
        return self.input(index, Numbers, "computed by the graph")

    def floats(self, index: int) -> Numbers:
        """Likewise, of float32. Raises NodeRefused."""
        numbers = self.numbers(index)
        if numbers.tensor.element is not Element.F32:
            raise NodeRefused(f"its input {index} is not of float32")
        return numbers


GraphHandler = Callable[[GraphSite], tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class LoweredGraph:
    """The steps and the named tensors. `symbols`: the graph's names for the lengths that a call chooses."""

    steps: list[GraphStep]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]
    symbols: tuple[str, ...]
    obstacles: tuple[Obstacle, ...]


def lower_graph(graph: OnnxGraph, handlers: Mapping[str, GraphHandler], maxima: Mapping[str, int]) -> LoweredGraph:
    """Lowers the whole graph. `maxima`: of each length that the graph names; one of 1 is no choice, but 1."""
    obstacles: list[Obstacle] = []
    symbols = _symbols(graph, maxima, obstacles)
    chosen = {symbol: Affine(0, ((name, 1),)) for symbol, name in zip(symbols, SYMBOLS, strict=False)}
    ones = {symbol: Affine(1) for symbol, most in maxima.items() if most == 1}
    builder = GraphBuilder({name: maxima.get(symbol, 1) for symbol, name in zip(symbols, SYMBOLS, strict=False)})
    values: dict[str, Value] = {name: constant_value(array) for name, array in graph.constants.items()}
    inputs = tuple(_input(port, chosen | ones, builder, values, obstacles) for port in graph.inputs)
    lower_nodes(graph, values, obstacles, lambda node, given: _lower_node(node, given, builder, handlers))
    outputs = tuple(_output(port, builder.resolved(values[port.name]), obstacles) for port in graph.outputs)
    ports_in, ports_out = (tuple(port for port in ports if port is not None) for ports in (inputs, outputs))
    steps = _fused(_without_unused(builder.steps, ports_out), ports_out)
    return LoweredGraph(steps, ports_in, ports_out, symbols, tuple(obstacles))


def _symbols(graph: OnnxGraph, maxima: Mapping[str, int], obstacles: list[Obstacle]) -> tuple[str, ...]:
    """The named lengths of the inputs, in the order of their appearance."""
    named = dict.fromkeys(length for port in graph.inputs for length in port.shape if isinstance(length, str))
    symbols = tuple(name for name in named if maxima.get(name) != 1)
    for name in symbols:
        if not 1 < maxima.get(name, 0) <= SYMBOL_MAXIMUM_MAX:
            reason = f"no maximum from 1 to {SYMBOL_MAXIMUM_MAX} is given for its length {name[:80]!r}"
            obstacles.append(Obstacle("Input", "", reason))
    if len(symbols) > len(SYMBOLS):
        reason = f"{len(symbols)} lengths are open; {len(SYMBOLS)} can be chosen by a call"
        obstacles.append(Obstacle("Input", "", reason))
    return symbols[: len(SYMBOLS)]


def _input(
    port: Port,
    symbols: dict[str, Affine],
    builder: GraphBuilder,
    values: dict[str, Value],
    obstacles: list[Obstacle],
) -> GraphPort | None:
    element = _ELEMENTS.get(port.element) if port.element is not None else None
    shape = lengths(port, symbols)
    values[port.name] = Unknown()
    if element is None or not shape or len(shape) > 8 or Affine(0) in shape or not _fits_name(port.name):
        reason = "only tensors of float32 or int64 with 1 to 8 axes and a name of at most 56 bytes come in"
        obstacles.append(Obstacle("Input", port.name[:80], reason))
        return None
    numbers = Numbers(shape, builder.tensor(shape, element))
    values[port.name] = numbers
    return GraphPort(port.name, numbers.tensor)


def _output(port: Port, value: Value | None, obstacles: list[Obstacle]) -> GraphPort | None:
    if isinstance(value, Numbers) and _fits_name(port.name):
        return GraphPort(port.name, value.tensor)
    if not isinstance(value, Unknown):
        reason = "only what the graph computes goes out, under a name of at most 56 bytes"
        obstacles.append(Obstacle("Output", port.name[:80], reason))
    return None


def _fits_name(name: str) -> bool:
    return 0 < len(name.encode()) <= PORT_NAME_BYTES_MAX


def _lower_node(
    node: Node, inputs: NodeInputs, builder: GraphBuilder, handlers: Mapping[str, GraphHandler]
) -> tuple[Value, ...]:
    builder.node = node.name
    if node.operator != "DequantizeLinear":
        inputs = tuple(builder.resolved(value) for value in inputs)
    given = [value for value in inputs if value is not None]
    if node.operator in _ON_LENGTHS and _is_on_lengths(node, given):
        return _ON_LENGTHS[node.operator](Site(node, inputs, builder.weights))
    if given and all(isinstance(value, Constant) for value in given) and node.operator not in _NEVER_FOLDED:
        folded = _folded(node, inputs)
        if folded is not None:
            return folded
    handler = handlers.get(node.operator)
    if handler is None:
        raise NodeRefused("the engine does not have this operator")
    site = GraphSite(node, inputs, builder.weights, builder)
    outputs = handler(site)
    site.expect_outputs(len(outputs))
    return outputs


def _is_on_lengths(node: Node, given: list[Value]) -> bool:
    """Whether a node asks for lengths or computes with them: all of that is known before the graph runs."""
    if node.operator in ("Shape", "Constant"):
        return True
    known = not any(isinstance(value, Numbers | LookedUp) for value in given)
    decisive = given[:1] if node.operator == "Gather" else given  # whose first input is what is looked up in
    return known and any(isinstance(value, Integers) for value in decisive)


def _folded(node: Node, inputs: NodeInputs) -> tuple[Value, ...] | None:
    """A node of constants, computed by ONNX's own reference; None where it is too large or unknown there."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 -- slow to load, and few graphs need it

    arrays = {
        name: value.array.T if value.transposed else value.array
        for name, value in zip(node.inputs, inputs, strict=True)
        if isinstance(value, Constant)
    }
    if node.operator not in _ALWAYS_FOLDED and sum(array.size for array in arrays.values()) > _FOLDED_ITEMS_MAX:
        return None
    try:
        results = ReferenceEvaluator(_model_of(node, arrays)).run(None, arrays)
    except Exception as error:  # of whatever kind the reference raises for this node
        raise NodeRefused(f"it cannot be computed from its constants ({type(error).__name__})") from error
    return tuple(Constant(np.asarray(result)) for result in results)


def _model_of(node: Node, arrays: dict[str, Array]) -> object:
    made = helper.make_node(node.operator, node.inputs, node.outputs)
    made.attribute.extend(helper.make_attribute(name, value) for name, value in node.attributes.items())
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in arrays.items()
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.outputs]
    graph = helper.make_graph([made], "constants", values, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)])


def _without_unused(steps: list[GraphStep], outputs: tuple[GraphPort, ...]) -> list[GraphStep]:
    used = {id(port.tensor.root) for port in outputs}
    kept: list[GraphStep] = []
    for step in reversed(steps):
        if id(step.output.root) in used:
            used.update(id(tensor) for tensor in step.reads())
            kept.append(step)
    return kept[::-1]


def _fused(steps: list[GraphStep], outputs: tuple[GraphPort, ...]) -> list[GraphStep]:
    """A row added to a product that nothing else uses becomes its bias."""
    makers = {id(step.output): step for step in steps}
    uses = Counter(id(tensor) for step in steps for tensor in step.reads())
    uses.update(id(port.tensor.root) for port in outputs)
    gone: set[int] = set()
    for step in steps:
        product = makers.get(id(step.inputs[0]))
        bias = step.inputs[1] if step.code is Code.ADD else None
        if bias is None or product is None or product.code is not Code.MATMUL or product.inputs[2] is not None:
            continue
        if bias.weight is not None and bias.shape[0] == Dimension(1) and uses[id(product.output)] == 1:
            step.code, step.inputs = Code.MATMUL, [*product.inputs[:2], bias]
            gone.add(id(product))
    return [step for step in steps if id(step) not in gone]
