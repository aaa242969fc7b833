"""An encoder as an ONNX graph of standard operators (opset 24), without its large numbers.

docs/formats/onnx-graph.md describes it. Every node is named after its first output.
"""

from __future__ import annotations

from onnx import TensorProto, helper

from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.graph import Graph
from personal_ai.models.quantisation import Quantisation

TOKENS, TOKEN_TYPES, EMBEDDING = "input_ids", "token_type_ids", "embedding"
_SHORTEST = 1e-12  # what a vector is divided by at least, as torch.nn.functional.normalize does


def encoder_graph(encoder: Encoder, quantisation: Quantisation) -> Graph:
    """The graph from the tokens of one text to its embedding."""
    graph = Graph(quantisation)
    for name in inputs(encoder):
        graph.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, (1, "sequence")))
    graph.outputs.append(helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, (1, encoder.hidden_size)))
    x = _embedded(graph, encoder)
    for layer in range(encoder.layer_count):
        x = _layer(graph, encoder, f"layers.{layer}", x)
    _pooled(graph, encoder, x)
    return graph


def inputs(encoder: Encoder) -> tuple[str, ...]:
    """The names of what the graph takes, each int64 [1, sequence]."""
    return (TOKENS, TOKEN_TYPES) if encoder.token_types else (TOKENS,)


def _embedded(graph: Graph, encoder: Encoder) -> str:
    """Words, positions and token types, added and normed."""
    axis_0, one = graph.integers("axis_0", [0]), graph.integers("one", 1)
    first = graph.integers("first_position", encoder.first_position)
    sequence = graph.add("Squeeze", "length", graph.add("Shape", "sequence", TOKENS, start=1, end=2), axis_0)
    positions = graph.add("Range", "positions", first, graph.add("Add", "end_position", sequence, first), one)
    position_ids = graph.add("Unsqueeze", "position_ids", positions, axis_0)
    position = graph.add("Gather", "position", "position.weight", position_ids)
    x = graph.add("Add", "embed.positioned", graph.look_up("embed", TOKENS), position)
    if encoder.token_types:
        x = graph.add("Add", "embed.typed", x, graph.add("Gather", "token_type", "token_type.weight", TOKEN_TYPES))
    return _norm(graph, encoder, "embed.norm", x)


def _layer(graph: Graph, encoder: Encoder, name: str, x: str) -> str:
    q, k, v = (graph.multiply(f"{name}.attention.{part}", x, bias=True) for part in "qkv")
    heads = encoder.head_count
    mixed = graph.add("Attention", f"{name}.attention.mixed", q, k, v, q_num_heads=heads, kv_num_heads=heads)
    attended = graph.add("Add", f"{name}.attended", x, graph.multiply(f"{name}.attention.o", mixed, bias=True))
    x = _norm(graph, encoder, f"{name}.attention.norm", attended)
    up = graph.multiply(f"{name}.mlp.up", x, bias=True)
    approximate = "tanh" if encoder.activation == "gelu_tanh" else "none"
    active = graph.add("Gelu", f"{name}.mlp.activated", up, approximate=approximate)
    thought = graph.add("Add", name, x, graph.multiply(f"{name}.mlp.down", active, bias=True))
    return _norm(graph, encoder, f"{name}.mlp.norm", thought)


def _norm(graph: Graph, encoder: Encoder, name: str, x: str) -> str:
    epsilon = encoder.norm_epsilon
    return graph.add("LayerNormalization", name, x, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=epsilon)


def _pooled(graph: Graph, encoder: Encoder, x: str) -> None:
    name = "pooled" if encoder.unit_length else EMBEDDING
    if encoder.pooling == "mean":
        graph.add("ReduceMean", name, x, graph.integers("axis_1", [1]), keepdims=0)
    else:
        graph.add("Gather", name, x, graph.integers("zero", 0), axis=1)
    if encoder.unit_length:
        size = graph.add("ReduceL2", "pooled.size", name, graph.integers("axis_last", [-1]), keepdims=1)
        size = graph.add("Max", "pooled.divisor", size, graph.number("shortest", _SHORTEST))
        graph.add("Div", EMBEDDING, name, size)
