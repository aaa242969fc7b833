"""A package's decoder in onnxruntime's own fused operators, layer by layer.

It computes what the package's graph (docs/formats/onnx-graph.md) computes, with the same integers and scales, but:
q, k and v are one product; GroupQueryAttention turns, appends to the cache in place and attends
in one step; residual additions and norms are one operator; the last layer goes on with the last positions alone.
docs/local-answers.md says what each is worth.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np
from onnx import TensorProto, helper

from personal_ai.models.decoder import Decoder
from personal_ai.models.local.devices import CPU, OWN_KERNEL, Device
from personal_ai.models.local.session_graph import OwnKernelGraph, SessionGraph, cached_head_size
from personal_ai.models.local.weights import Tensors, joined
from personal_ai.models.quantisation import BLOCK_SIZE

_END: Final = np.iinfo(np.int64).max


def session_graph(
    decoder: Decoder, tensors: Tensors, device: Device = CPU, *, threads: int | None = None
) -> SessionGraph:
    """The graph of a package's decoder over its tensors, in the operators that the device has.

    threads: that are going to run it; None for one for each core.

    Inputs: input_ids int64 [1, S]; last_position int32 [1] and total_length int32 []: P + S - 1 and P + S, where P
    positions are cached; first_row int64 [1]: the first of the R positions that the head is to follow for, counted from
    the end where it is negative; past_key_values.N.{key,value} [1, key/value heads, capacity, D] with
    capacity >= P + S, of the graph's cache type.
    Outputs: logits f32 [1, R, V]; present.N.{key,value}, to be bound to the past's memory.
    """
    if device is OWN_KERNEL:
        graph: SessionGraph = OwnKernelGraph(decoder, tensors, threads=threads or os.cpu_count() or 1)
    else:
        graph = SessionGraph(decoder, tensors, cuda=device.memory == "cuda")
    x, normed = _beginning(graph), ""
    for layer in range(decoder.layer_count):
        x, normed = _layer(graph, layer, x, normed)
    _head(graph, normed)
    graph.source = {}  # most of it was copied, and need not stay in memory
    return graph


def _beginning(graph: SessionGraph) -> str:
    """The embedded tokens, not yet normed."""
    decoder, tensors = graph.decoder, graph.source
    graph.integers("axis_1", 1)
    graph.integers("end_of_rows", int(_END))
    for name in ("rope.cos", "rope.sin", "window_rope.cos", "window_rope.sin"):
        if name in tensors:
            table = joined(tensors, [name])
            graph.tensor(name, table.astype(graph.cache_type, copy=False) if _turns(decoder) else table)
    return _embedding(graph)


def _embedding(graph: SessionGraph) -> str:
    decoder = graph.decoder
    x = graph.add("Gather", "embed", graph.tensor("embed.weight"), "input_ids")
    if "embed.weight.scale" in graph.source:
        scales = graph.add("Gather", "embed.scale", graph.tensor("embed.weight.scale"), "input_ids")
        x = _dequantised(graph, "embed.f32", x, scales)
    if decoder.embedding_scale != 1.0:
        x = graph.add("Mul", "embed.scaled", x, graph.tensor("embed.factor"))
    if decoder.rope is not None:
        return x
    learnt = graph.add("Gather", "position", graph.tensor("position.weight"), _positions(graph))
    return graph.add("Add", "embed.positioned", x, learnt)


def _dequantised(graph: SessionGraph, name: str, rows: str, scales: str) -> str:
    """Rows [1, S, hidden] of int8 times their scales [1, S, blocks]."""
    if not graph.cuda:
        return graph.add("DequantizeLinear", name, rows, scales, axis=2, block_size=BLOCK_SIZE)
    blocks = graph.integers(f"{name}.blocks", *(column // BLOCK_SIZE for column in range(graph.decoder.hidden_size)))
    spread = graph.add("Gather", f"{name}.scales", scales, blocks, axis=2)
    return graph.add("Mul", name, graph.add("Cast", f"{name}.numbers", rows, to=TensorProto.FLOAT), spread)


def _positions(graph: SessionGraph) -> str:
    """The numbers [S] of the positions from P on; made once."""
    if "axis_0" not in graph.tensors:
        graph.integers("axis_0", 0)
        graph.tensor("one", np.array(1, dtype=np.int64))
        end = graph.add("Cast", "end", "total_length", to=TensorProto.INT64)
        length = graph.add("Squeeze", "sequence", graph.add("Shape", "sequence_shape", "input_ids", start=1), "axis_0")
        graph.add("Range", "positions", graph.add("Sub", "start", end, length), end, "one")
    return "positions"


def _layer(graph: SessionGraph, layer: int, x: str, normed: str) -> tuple[str, str]:
    """The residual stream after the layer, and the same normed for what follows."""
    decoder, name = graph.decoder, f"layers.{layer}"
    normed = normed or _norm(graph, f"{name}.attention.norm", x)
    last = layer == decoder.layer_count - 1
    mixed = _attention(graph, layer, normed)
    if last:  # nothing else reaches the logits
        x, mixed = _last_rows(graph, "last", x), _last_rows(graph, "last_mixed", mixed)
    attended = graph.multiply(f"{name}.attention.o", mixed, bias=decoder.output_bias)
    x, normed = _add_and_norm(graph, f"{name}.attention", f"{name}.mlp.norm", x, attended)
    mlp = _gated_mlp if decoder.rope is not None else _plain_mlp
    following = "final_norm" if last else f"layers.{layer + 1}.attention.norm"
    return _add_and_norm(graph, f"{name}.mlp", following, x, mlp(graph, f"{name}.mlp", normed))


def _last_rows(graph: SessionGraph, name: str, x: str) -> str:
    return graph.add("Slice", name, x, "first_row", "end_of_rows", "axis_1")


def _add_and_norm(graph: SessionGraph, name: str, norm: str, x: str, added: str) -> tuple[str, str]:
    """x + added, and its norm by the weights `norm`."""
    if graph.decoder.post_norms:
        added = _norm(graph, f"{name}.post_norm", added)
    gain, total = graph.tensor(f"{norm}.weight"), f"{name}.sum"
    outputs = [norm, "", "", total]
    if graph.decoder.rope is not None:
        graph.add_fused("SkipSimplifiedLayerNormalization", outputs, x, added, gain, epsilon=graph.decoder.norm_epsilon)
    else:
        shift = graph.tensor(f"{norm}.bias")
        graph.add_fused("SkipLayerNormalization", outputs, x, added, gain, shift, epsilon=graph.decoder.norm_epsilon)
    return total, norm


def _norm(graph: SessionGraph, name: str, x: str) -> str:
    epsilon, gain = graph.decoder.norm_epsilon, graph.tensor(f"{name}.weight")
    if graph.decoder.rope is not None:
        return graph.add("RMSNormalization", name, x, gain, axis=-1, epsilon=epsilon)
    return graph.add("LayerNormalization", name, x, gain, graph.tensor(f"{name}.bias"), axis=-1, epsilon=epsilon)


def _attention(graph: SessionGraph, layer: int, x: str) -> str:
    decoder, name = graph.decoder, f"layers.{layer}.attention"
    windows = decoder.windows if decoder.windows is not None and layer in decoder.windows.layers else None
    tables = "window_rope" if windows is not None and windows.rope is not None else "rope"
    turned = (f"{tables}.cos", f"{tables}.sin") if decoder.rope is not None else ()
    query, key, value = graph.query_key_value(name, x)
    if decoder.qk_norm or (turned and not _turns(decoder)) or decoder.head_size != cached_head_size(decoder):
        query, key, value = _prepared_heads(graph, name, [query, key, value], tables=turned)
    inside = turned if turned and _turns(decoder) else ("", "")
    if graph.cuda:
        query, key, value = (
            x and graph.add("Cast", f"{x}.f16", x, to=TensorProto.FLOAT16) for x in (query, key, value)
        )
    cache = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
    graph.add_fused(
        "GroupQueryAttention",
        [f"{name}.mixed", f"present.{layer}.key", f"present.{layer}.value"],
        *(query, key, value, *cache, "last_position", "total_length", *inside),
        num_heads=decoder.head_count,
        kv_num_heads=decoder.key_value_head_count,
        do_rotary=int(inside != ("", "")),
        local_window_size=-1 if windows is None else windows.size,
        scale=decoder.attention_scale or decoder.head_size**-0.5,
    )
    mixed, sizes = f"{name}.mixed", (cached_head_size(decoder), decoder.head_size)
    if graph.cuda:
        mixed = graph.add("Cast", f"{mixed}.f32", mixed, to=TensorProto.FLOAT)
    return _resized(graph, mixed, decoder.head_count, sizes)


def _turns(decoder: Decoder) -> bool:
    """Whether GroupQueryAttention can turn heads of this size itself."""
    turned = decoder.rotary_size or decoder.head_size
    return decoder.head_size % 16 == 0 and turned % 16 == 0


def _prepared_heads(graph: SessionGraph, name: str, parts: list[str], *, tables: tuple[str, ...]) -> list[str]:
    """Query, key and value, with what GroupQueryAttention cannot do itself: norms of heads, turning odd sizes."""
    decoder = graph.decoder
    if not parts[1]:
        sizes = graph.integers("qkv_sizes", decoder.attention_size, decoder.key_value_size, decoder.key_value_size)
        together, parts = parts[0], [f"{name}.{part}" for part in "qkv"]
        graph.nodes.append(helper.make_node("Split", [together, sizes], parts, name=f"{name}.split", axis=2))
    for index, heads in enumerate((decoder.head_count, decoder.key_value_head_count)):
        if decoder.qk_norm:
            parts[index] = _normed_heads(graph, f"{parts[index]}_norm", parts[index], heads)
        if tables and not _turns(decoder):
            rows = graph.add("Unsqueeze", f"{parts[index]}.rows", _positions(graph), "axis_0")
            part = {"rotary_embedding_dim": decoder.rotary_size} if decoder.rotary_size else {}
            turned, inputs = f"{parts[index]}.turned", (parts[index], *tables, rows)
            parts[index] = graph.add("RotaryEmbedding", turned, *inputs, num_heads=heads, **part)
    counts = decoder.head_count, decoder.key_value_head_count, decoder.key_value_head_count
    padded = decoder.head_size, cached_head_size(decoder)
    return [_resized(graph, part, heads, padded) for part, heads in zip(parts, counts, strict=True)]


def _resized(graph: SessionGraph, x: str, heads: int, sizes: tuple[int, int]) -> str:
    """The heads of x [1, S, heads * first size] in the second size: each ends in zeros, or its end is cut off."""
    size, new_size = sizes
    if size == new_size:
        return x
    split = graph.add("Reshape", f"{x}.split", x, graph.integers(f"{x}.split_shape", 1, -1, heads, size))
    added = graph.integers(f"{x}.added", 0, new_size - size)
    resized = graph.add("Pad", f"{x}.resized", split, added, "", graph.integers("last_axis", -1))
    return graph.add("Reshape", f"{x}.joined", resized, graph.integers(f"{x}.joined_shape", 1, -1, heads * new_size))


def _normed_heads(graph: SessionGraph, name: str, x: str, heads: int) -> str:
    """RMS norm of each head of x [1, S, heads * head size] by itself."""
    size = graph.decoder.head_size
    split = graph.add("Reshape", f"{name}.split", x, graph.integers(f"{name}.split_shape", 1, -1, heads, size))
    joined_shape = graph.integers(f"{name}.joined_shape", 1, -1, heads * size)
    return graph.add("Reshape", f"{name}.joined", _norm(graph, name, split), joined_shape)


def _gated_mlp(graph: SessionGraph, name: str, x: str) -> str:
    bias = graph.decoder.mlp_bias
    gate, up = graph.multiply_each([f"{name}.gate", f"{name}.up"], x, bias=bias)
    gated = graph.add("Mul", f"{name}.gated", _activated(graph, f"{name}.activated", gate), up)
    return graph.multiply(f"{name}.down", gated, bias=bias)


def _plain_mlp(graph: SessionGraph, name: str, x: str) -> str:
    up = graph.multiply(f"{name}.up", x, bias=graph.decoder.mlp_bias)
    return graph.multiply(f"{name}.down", _activated(graph, f"{name}.activated", up), bias=graph.decoder.mlp_bias)


def _activated(graph: SessionGraph, name: str, x: str) -> str:
    activation = graph.decoder.activation
    if activation == "silu":
        graph.add_fused("QuickGelu", [name], x, alpha=1.0)
        return name
    return graph.add("Gelu", name, x, approximate="tanh" if activation == "gelu_tanh" else "none")


def _head(graph: SessionGraph, x: str) -> None:
    """x [1, rows, hidden] is normed. docs/formats/onnx-graph.md has the cap."""
    if not graph.decoder.logit_cap:
        graph.multiply("logits", x, "head")
        return
    logits = graph.multiply("logits.uncapped", x, "head")
    parts = graph.add("Mul", "logits.parts", logits, graph.tensor("logits.cap.inverse"))
    graph.add("Mul", "logits", graph.add("Tanh", "logits.bent", parts), graph.tensor("logits.cap"))
