"""A decoder's ONNX graph whose attention sees keys and values as the canister keeps them: in 8 bits.

What onnxruntime computes of it differs from the engine by the engine's own rounding alone, so that tests of the engine
need not allow for that of the cache (docs/formats/program.md: attention on i8).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from personal_ai.compiler.format import KEPT_HEAD_SIZE_MAX, KEPT_HEAD_SIZE_STEP
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation

_LEVEL = 127
_TURNED_MAX = 64


def as_kept(path: Path, decoder: Decoder, weights: Quantisation) -> Path:
    """The graph at `path` with keys and values rounded, beside it; `path` itself where the canister keeps f32."""
    size = decoder.head_size
    if weights == "f32" or size % KEPT_HEAD_SIZE_STEP or size > KEPT_HEAD_SIZE_MAX:
        return path
    model = onnx.load(path, load_external_data=False)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "Attention":
            for index, turned in ((1, True), (2, False)):
                nodes += _rounded(model, node, index, decoder, turned=turned)
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    target = path.with_name(f"kept-{path.name}")
    onnx.save(model, target)
    return target


def turn(head_size: int) -> npt.NDArray[np.float32]:
    """Sylvester's matrices along the diagonal, each as large as the greatest power of two up to 64 in `head_size`."""
    span = min(_TURNED_MAX, head_size & -head_size)
    matrix = np.ones((1, 1))
    while len(matrix) < span:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return np.kron(np.eye(head_size // span), matrix / np.sqrt(span)).astype(np.float32)


def _rounded(model: ModelProto, attention: NodeProto, index: int, decoder: Decoder, *, turned: bool) -> list[NodeProto]:
    """Nodes that round the attention's input `index`, which is replaced by their result."""
    source = attention.input[index]
    heads, size = decoder.key_value_head_count, decoder.head_size

    def constant(name: str, value: npt.NDArray[np.generic]) -> str:
        model.graph.initializer.append(numpy_helper.from_array(value, f"{source}.{name}"))
        return f"{source}.{name}"

    def add(operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"{source}.{name}"], **attributes))
        return f"{source}.{name}"

    nodes: list[NodeProto] = []
    matrix = turn(size) if turned else np.eye(size, dtype=np.float32)
    in_heads = add("Reshape", [source, constant("heads_shape", np.array([0, 0, heads, size]))], "in_heads")
    turned_heads = add("MatMul", [in_heads, constant("turn", matrix)], "turned")
    size_of = add("Abs", [turned_heads], "magnitude")
    greatest = add("ReduceMax", [size_of, constant("axis", np.array([-1]))], "greatest", keepdims=1)
    scale = add("Div", [greatest, constant("level", np.array(_LEVEL, dtype=np.float32))], "scale")
    integers = add("Round", [add("Div", [turned_heads, scale], "in_steps")], "integers")
    kept = add("Mul", [integers, scale], "kept")
    back = add("MatMul", [kept, constant("turn_back", matrix.T.copy())], "turned_back")
    attention.input[index] = add("Reshape", [back, constant("whole_shape", np.array([0, 0, heads * size]))], "as_kept")
    return nodes
