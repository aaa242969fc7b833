"""Hand-made ONNX graphs around one attention, to be changed in one place at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

HIDDEN, VOCABULARY, HEADS, HEAD_SIZE, CONTEXT = 32, 40, 4, 8, 64

Change = Callable[[ModelProto], None]


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> NodeProto:
    return helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes)


def _mask() -> list[NodeProto]:
    return [
        node("Shape", ["past_key"], ["past"], start=2, end=3),
        node("Shape", ["input_ids"], ["sequence"], start=1, end=2),
        node("Squeeze", ["past", "axis_0"], ["past_length"]),
        node("Add", ["past", "sequence"], ["total"]),
        node("Squeeze", ["total", "axis_0"], ["total_length"]),
        node("Range", ["past_length", "total_length", "one"], ["positions"]),
        node("Unsqueeze", ["positions", "axis_0"], ["position_ids"]),
        node("Range", ["zero", "total_length", "one"], ["key_positions"]),
        node("Unsqueeze", ["positions", "axis_1"], ["query_positions"]),
        node("LessOrEqual", ["key_positions", "query_positions"], ["mask"]),
    ]


def _body() -> list[NodeProto]:
    attention = node(
        "Attention",
        ["q", "k", "v", "mask", "past_key", "past_value"],
        ["mixed", "present_key", "present_value"],
        q_num_heads=HEADS,
        kv_num_heads=HEADS,
    )
    return [
        node("Gather", ["embed", "input_ids"], ["x"]),
        node("MatMul", ["x", "wq"], ["q"]),
        node("MatMul", ["x", "wk"], ["k"]),
        node("MatMul", ["x", "wv"], ["v"]),
        attention,
        node("Slice", ["mixed", "minus_one", "end", "axis_1"], ["last"]),
        node("MatMul", ["last", "head"], ["logits"]),
    ]


def _initialisers() -> list[TensorProto]:
    random = np.random.default_rng(5)
    integers = {"zero": 0, "one": 1, "axis_0": [0], "axis_1": [1], "minus_one": [-1], "end": [2**63 - 1]}
    shapes = {"embed": (VOCABULARY, HIDDEN), "head": (HIDDEN, VOCABULARY)}
    shapes |= dict.fromkeys(("wq", "wk", "wv"), (HIDDEN, HIDDEN))
    arrays = {name: np.asarray(value, dtype=np.int64) for name, value in integers.items()}
    arrays |= {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def model() -> ModelProto:
    """One attention between an embedding and a head; it compiles as it is."""

    def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [
        value("input_ids", 1, "sequence", kind=TensorProto.INT64),
        value("past_key", 1, HEADS, "past", HEAD_SIZE),
        value("past_value", 1, HEADS, "past", HEAD_SIZE),
    ]
    outputs = [
        value("logits", 1, 1, VOCABULARY),
        value("present_key", 1, HEADS, "total", HEAD_SIZE),
        value("present_value", 1, HEADS, "total", HEAD_SIZE),
    ]
    graph: GraphProto = helper.make_graph(_mask() + _body(), "test", inputs, outputs, _initialisers())
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11)


def find(model: ModelProto, name: str) -> NodeProto:
    return next(found for found in model.graph.node if found.name == name)


def insert_before(model: ModelProto, name: str, *nodes: NodeProto) -> None:
    """Inserts nodes before the one of that name."""
    place = [found.name for found in model.graph.node].index(name)
    for offset, new in enumerate(nodes):
        model.graph.node.insert(place + offset, new)


def add_constant(model: ModelProto, name: str, value: object, kind: type[np.generic] = np.int64) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))


def save(folder: Path, changed: ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(changed.SerializeToString())
    return path


def changed_model(folder: Path, change: Change) -> Path:
    """The model after a change, written to `folder`."""
    changed = model()
    change(changed)
    return save(folder, changed)


def load(path: Path) -> ModelProto:
    return onnx.load_model_from_string(path.read_bytes())
