"""A decoder as an ONNX graph of standard operators (opset 24), without its large numbers.

docs/formats/onnx-graph.md describes the graph exactly; the canister's compiler matches it. Every node is named after
its first output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from personal_ai.models.decoder import Decoder, Windows
from personal_ai.models.quantisation import BLOCK_SIZE, Quantisation

_END = np.iinfo(np.int64).max


class Graph:
    """Nodes in order, small constants, inputs and outputs; the weights are only named."""

    def __init__(self, quantisation: Quantisation) -> None:
        self.quantisation: Quantisation = quantisation
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.inputs: list[ValueInfoProto] = []
        self.outputs: list[ValueInfoProto] = []

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output."""
        return self.add_many(operator, (name,), inputs, **attributes)[0]

    def add_many(
        self, operator: str, outputs: tuple[str, ...], inputs: tuple[str, ...], **attributes: Any
    ) -> tuple[str, ...]:
        """Adds a node; an input that is left out is an empty name."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))
        return outputs

    def integers(self, name: str, value: int | list[int]) -> str:
        """An int64 constant, a scalar or a vector."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.int64), name))
        return name

    def number(self, name: str, value: float) -> str:
        """A float32 constant, a scalar."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def multiply(self, name: str, x: str, *, bias: bool = False, result: str = "") -> str:
        """x [1, rows, inputs] times the matrix `<name>.weight` [inputs, outputs], plus `<name>.bias`."""
        matrix, result = f"{name}.weight", result or name
        if self.quantisation != "f32":
            matrix = self.add(
                "DequantizeLinear", f"{matrix}.f32", matrix, f"{matrix}.scale", axis=0, block_size=BLOCK_SIZE
            )
        if not bias:
            return self.add("MatMul", result, x, matrix)
        return self.add("Add", result, self.add("MatMul", f"{name}.product", x, matrix), f"{name}.bias")

    def look_up(self, name: str, rows: str) -> str:
        """The rows [1, sequence, hidden] of the embedding `<name>.weight` [vocabulary, hidden]."""
        if self.quantisation == "f32":
            return self.add("Gather", name, f"{name}.weight", rows)
        values = self.add("Gather", f"{name}.int8", f"{name}.weight", rows)
        scales = self.add("Gather", f"{name}.scale", f"{name}.weight.scale", rows)
        return self.add("DequantizeLinear", name, values, scales, axis=2, block_size=BLOCK_SIZE)


def decoder_graph(decoder: Decoder, quantisation: Quantisation) -> Graph:
    """The graph from token ids and cache to the logits of the last position and the longer cache."""
    graph = Graph(quantisation)
    _inputs_and_outputs(graph, decoder)
    _positions(graph)
    if decoder.windows is not None:
        _window_mask(graph, decoder.windows)
    x = graph.look_up("embed", "input_ids")
    if decoder.embedding_scale != 1.0:
        x = graph.add("Mul", "embed.scaled", x, graph.number("embed.factor", decoder.embedding_scale))
    if decoder.rope is None:
        x = graph.add("Add", "embed.positioned", x, graph.add("Gather", "position", "position.weight", "position_ids"))
    for layer in range(decoder.layer_count):
        x = _layer(graph, decoder, layer, x)
    _head(graph, decoder, x)
    return graph


def _inputs_and_outputs(graph: Graph, decoder: Decoder) -> None:
    def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    heads, size = decoder.key_value_head_count, decoder.head_size
    graph.inputs.append(value("input_ids", 1, "sequence", kind=TensorProto.INT64))
    graph.outputs.append(value("logits", 1, 1, decoder.vocabulary_size))
    for layer in range(decoder.layer_count):
        for part in ("key", "value"):
            graph.inputs.append(value(f"past_key_values.{layer}.{part}", 1, heads, "past", size))
            graph.outputs.append(value(f"present.{layer}.{part}", 1, heads, "total", size))


def _positions(graph: Graph) -> None:
    """position_ids [1, sequence] and the mask [sequence, total]: a token sees itself and what came before."""
    zero, one, axis_0, axis_1 = (
        graph.integers("zero", 0),
        graph.integers("one", 1),
        graph.integers("axis_0", [0]),
        graph.integers("axis_1", [1]),
    )
    past = graph.add("Shape", "past", "past_key_values.0.key", start=2, end=3)
    sequence = graph.add("Shape", "sequence", "input_ids", start=1, end=2)
    past_length = graph.add("Squeeze", "past_length", past, axis_0)
    total_length = graph.add("Squeeze", "total_length", graph.add("Add", "total", past, sequence), axis_0)
    positions = graph.add("Range", "positions", past_length, total_length, one)
    graph.add("Unsqueeze", "position_ids", positions, axis_0)
    keys = graph.add("Range", "key_positions", zero, total_length, one)
    graph.add("LessOrEqual", "mask", keys, graph.add("Unsqueeze", "query_positions", positions, axis_1))


def _window_mask(graph: Graph, windows: Windows) -> None:
    """The mask [sequence, total] of layers in which a token sees the last positions alone."""
    before = graph.add("Sub", "before_window", "query_positions", graph.integers("window", windows.size))
    inside = graph.add("Greater", "inside_window", "key_positions", before)
    graph.add("And", "window_mask", "mask", inside)


def _layer(graph: Graph, decoder: Decoder, layer: int, x: str) -> str:
    name = f"layers.{layer}"
    attended = _attention(graph, decoder, layer, _norm(graph, decoder, f"{name}.attention.norm", x))
    if decoder.post_norms:
        attended = _norm(graph, decoder, f"{name}.attention.post_norm", attended)
    x = graph.add("Add", f"{name}.attended", x, attended)
    mlp = _gated_mlp if decoder.rope is not None else _plain_mlp
    thought = mlp(graph, decoder, f"{name}.mlp", _norm(graph, decoder, f"{name}.mlp.norm", x))
    if decoder.post_norms:
        thought = _norm(graph, decoder, f"{name}.mlp.post_norm", thought)
    return graph.add("Add", name, x, thought)


def _attention(graph: Graph, decoder: Decoder, layer: int, x: str) -> str:
    name = f"layers.{layer}.attention"
    q, k, v = (graph.multiply(f"{name}.{part}", x, bias=decoder.qkv_bias) for part in "qkv")
    if decoder.qk_norm:
        q = _norm_heads(graph, decoder, f"{name}.q_norm", q, decoder.head_count)
        k = _norm_heads(graph, decoder, f"{name}.k_norm", k, decoder.key_value_head_count)
    windows = decoder.windows if decoder.windows is not None and layer in decoder.windows.layers else None
    if decoder.rope is not None:
        tables = "rope" if windows is None or windows.rope is None else "window_rope"
        q = _rotate(graph, decoder, f"{name}.q.rotated", q, tables)
        k = _rotate(graph, decoder, f"{name}.k.rotated", k, tables)
    mixed, *_ = graph.add_many(
        "Attention",
        (f"{name}.mixed", f"present.{layer}.key", f"present.{layer}.value"),
        (
            q,
            k,
            v,
            "mask" if windows is None else "window_mask",
            f"past_key_values.{layer}.key",
            f"past_key_values.{layer}.value",
        ),
        q_num_heads=decoder.head_count,
        kv_num_heads=decoder.key_value_head_count,
        **({} if decoder.attention_scale is None else {"scale": decoder.attention_scale}),
    )
    return graph.multiply(f"{name}.o", mixed, bias=decoder.output_bias)


def _rotate(graph: Graph, decoder: Decoder, name: str, x: str, tables: str) -> str:
    heads = decoder.head_count if name.endswith(".q.rotated") else decoder.key_value_head_count
    part = {"rotary_embedding_dim": decoder.rotary_size} if decoder.rotary_size else {}
    inputs = (x, f"{tables}.cos", f"{tables}.sin", "position_ids")
    return graph.add("RotaryEmbedding", name, *inputs, num_heads=heads, **part)


def _norm_heads(graph: Graph, decoder: Decoder, name: str, x: str, heads: int) -> str:
    """RMS norm of each head of x [1, sequence, heads * head_size] by itself."""
    size = decoder.head_size
    split = graph.add("Reshape", f"{name}.split", x, graph.integers(f"{name}.split_shape", [1, -1, heads, size]))
    normed = graph.add(
        "RMSNormalization", f"{name}.normed", split, f"{name}.weight", axis=-1, epsilon=decoder.norm_epsilon
    )
    return graph.add("Reshape", name, normed, graph.integers(f"{name}.joined_shape", [1, -1, heads * size]))


def _gated_mlp(graph: Graph, decoder: Decoder, name: str, x: str) -> str:
    gate = graph.multiply(f"{name}.gate", x, bias=decoder.mlp_bias)
    activated = _activate(graph, decoder, f"{name}.activated", gate)
    up = graph.multiply(f"{name}.up", x, bias=decoder.mlp_bias)
    return graph.multiply(f"{name}.down", graph.add("Mul", f"{name}.gated", activated, up), bias=decoder.mlp_bias)


def _plain_mlp(graph: Graph, decoder: Decoder, name: str, x: str) -> str:
    up = graph.multiply(f"{name}.up", x, bias=decoder.mlp_bias)
    return graph.multiply(f"{name}.down", _activate(graph, decoder, f"{name}.activated", up), bias=decoder.mlp_bias)


def _activate(graph: Graph, decoder: Decoder, name: str, x: str) -> str:
    if decoder.activation == "silu":
        return graph.add("Mul", name, x, graph.add("Sigmoid", f"{name}.sigmoid", x))
    return graph.add("Gelu", name, x, approximate="tanh" if decoder.activation == "gelu_tanh" else "none")


def _norm(graph: Graph, decoder: Decoder, name: str, x: str) -> str:
    if decoder.rope is not None:
        return graph.add("RMSNormalization", name, x, f"{name}.weight", axis=-1, epsilon=decoder.norm_epsilon)
    return graph.add(
        "LayerNormalization", name, x, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=decoder.norm_epsilon
    )


def _head(graph: Graph, decoder: Decoder, x: str) -> None:
    """Logits of the last position alone: the rest of the head's work would be thrown away."""
    last = graph.add(
        "Slice", "last", x, graph.integers("last_start", [-1]), graph.integers("last_end", [_END]), "axis_1"
    )
    normed = _norm(graph, decoder, "final_norm", last)
    result = "logits.uncapped" if decoder.logit_cap else "logits"
    if decoder.tied_embedding and graph.quantisation == "f32":
        graph.add("MatMul", result, normed, graph.add("Transpose", "head.weight", "embed.weight", perm=[1, 0]))
    else:
        graph.multiply("head", normed, result=result)
    if decoder.logit_cap:
        parts = graph.add("Mul", "logits.parts", result, graph.number("logits.cap.inverse", 1.0 / decoder.logit_cap))
        graph.add(
            "Mul", "logits", graph.add("Tanh", "logits.bent", parts), graph.number("logits.cap", decoder.logit_cap)
        )
