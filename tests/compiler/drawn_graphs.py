"""Small graphs of ordinary operators, written down by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]
MAXIMA = {"batch": 5, "sequence": 9}
BATCH, SEQUENCE = 3, 7


@dataclass
class Drawn:
    """A small graph: nodes as (operator, inputs, output, attributes), constants, inputs with their shapes."""

    nodes: Sequence[tuple[str, list[str], str, dict[str, Any]]]
    inputs: Mapping[str, tuple[int | str, ...]]
    constants: Mapping[str, Array | np.generic] = field(default_factory=dict)
    integers: dict[str, int] = field(default_factory=dict)  # inputs of int64, below this number


def _random(*shape: int) -> Array:
    return np.random.default_rng(sum(shape) + 1).standard_normal(shape).astype(np.float32)


def _int(*values: int) -> Array:
    return np.asarray(values, dtype=np.int64)


X = {"x": ("batch", "sequence", 12)}

GRAPHS: dict[str, Drawn] = {
    "functions": Drawn(
        [
            ("Relu", ["x"], "relu", {}),
            ("Neg", ["relu"], "neg", {}),
            ("Exp", ["neg"], "exp", {}),
            ("Sqrt", ["exp"], "sqrt", {}),
            ("Reciprocal", ["sqrt"], "reciprocal", {}),
            ("Erf", ["reciprocal"], "erf", {}),
            ("Tanh", ["x"], "tanh", {}),
            ("Abs", ["tanh"], "abs", {}),
            ("Sigmoid", ["abs"], "sigmoid", {}),
            ("Gelu", ["sigmoid"], "gelu", {}),
            ("Pow", ["gelu", "two"], "square", {}),
            ("Sub", ["erf", "square"], "y", {}),
        ],
        {"x": ("batch", "sequence", 11)},
        {"two": np.float32(2.0)},
    ),
    "broadcasts": Drawn(
        [
            ("Add", ["x", "row"], "a", {}),
            ("Mul", ["a", "column"], "b", {}),
            ("Div", ["b", "number"], "c", {}),
            ("Sub", ["number", "c"], "d", {}),
            ("Mul", ["d", "z"], "e", {}),
            ("Max", ["e", "x"], "f", {}),
            ("Min", ["f", "number"], "g", {}),
            ("Less", ["g", "x"], "smaller", {}),
            ("Not", ["smaller"], "not", {}),
            ("GreaterOrEqual", ["x", "zero"], "positive", {}),
            ("And", ["not", "positive"], "both", {}),
            ("Where", ["both", "g", "row"], "y", {}),
        ],
        {**X, "z": (1, "sequence", 1)},
        {"row": _random(12), "column": _random(4, 1)[:1], "number": np.float32(1.5), "zero": np.float32(0)},
    ),
    "reductions": Drawn(
        [
            ("ReduceMean", ["x", "last"], "mean", {"keepdims": 1}),
            ("Sub", ["x", "mean"], "centred", {}),
            ("ReduceSum", ["centred", "middle"], "sum", {"keepdims": 0}),
            ("ReduceMax", ["x", "middle"], "most", {"keepdims": 0}),
            ("ReduceMin", ["x", "outer"], "least", {"keepdims": 1}),
            ("ReduceL2", ["x", "last"], "length", {"keepdims": 1}),
            ("Add", ["sum", "most"], "a", {}),
            ("Unsqueeze", ["a", "middle"], "b", {}),
            ("Add", ["b", "least"], "c", {}),
            ("Mul", ["c", "length"], "y", {}),
        ],
        {"x": ("batch", "sequence", 10)},
        {"last": _int(-1), "middle": _int(1), "outer": _int(0, 2)},
    ),
    "a small classifier": Drawn(
        [
            ("Gemm", ["x", "w1", "b1"], "hidden", {"transB": 1}),
            ("Relu", ["hidden"], "active", {}),
            ("MatMul", ["active", "w2"], "scores", {}),
            ("Add", ["scores", "b2"], "logits", {}),
            ("Softmax", ["logits"], "y", {"axis": -1}),
        ],
        {"x": ("batch", 6)},
        {"w1": _random(20, 6), "b1": _random(20), "w2": _random(20, 5), "b2": _random(5)},
    ),
    "attention taken apart": Drawn(
        [
            ("MatMul", ["x", "wq"], "q", {}),
            ("MatMul", ["x", "wk"], "k", {}),
            ("Reshape", ["q", "heads"], "q4", {}),
            ("Reshape", ["k", "heads"], "k4", {}),
            ("Transpose", ["q4"], "qt", {"perm": [0, 2, 1, 3]}),
            ("Transpose", ["k4"], "kt", {"perm": [0, 2, 3, 1]}),
            ("Transpose", ["k4"], "vt", {"perm": [0, 2, 1, 3]}),
            ("MatMul", ["qt", "kt"], "scores", {}),
            ("Softmax", ["scores"], "weights", {"axis": -1}),
            ("MatMul", ["weights", "vt"], "mixed", {}),
            ("Transpose", ["mixed"], "back", {"perm": [0, 2, 1, 3]}),
            ("Reshape", ["back", "joined"], "flat", {}),
            ("LayerNormalization", ["flat", "gain", "shift"], "y", {"axis": -1}),
        ],
        X,
        {
            "wq": _random(12, 12),
            "wk": _random(12, 12) / 2,
            "gain": _random(12),
            "shift": _random(12) + 1,
            "heads": _int(0, 0, 3, 4),
            "joined": _int(0, 0, -1),
        },
    ),
    "odd heads": Drawn(
        [
            ("Reshape", ["x", "heads"], "split", {}),
            ("Transpose", ["split"], "turned", {"perm": [2, 0, 1, 3]}),
            ("Flatten", ["turned"], "flat", {"axis": 3}),
            ("Reshape", ["flat", "there"], "y", {}),
        ],
        {"x": (1, "sequence", 10)},
        {"heads": _int(0, 0, 2, 5), "there": _int(2, -1, 1, 5)},
    ),
    "parts": Drawn(
        [
            ("Slice", ["x", "minus_one", "end", "axes"], "tail", {}),
            ("Slice", ["x", "zero", "one", "axes"], "front", {}),
            ("Concat", ["tail", "front", "x"], "long", {"axis": 1}),
            ("Split", ["long", "sizes"], "left,right", {"axis": 2}),
            ("Concat", ["right", "left"], "swapped", {"axis": -1}),
            ("Gather", ["swapped", "first"], "token", {"axis": 1}),
            ("Squeeze", ["token", "axes"], "picked", {}),
            ("Expand", ["picked", "wide"], "y", {}),
        ],
        X,
        {
            "one": _int(1),
            "zero": _int(0),
            "end": _int(2**63 - 1),
            "minus_one": _int(-1),
            "axes": _int(1),
            "sizes": _int(5, 7),
            "first": _int(-1),
            "wide": _int(2, 1, 12),
        },
    ),
    "shapes from shapes": Drawn(
        [
            ("Shape", ["x"], "shape", {}),
            ("Gather", ["shape", "one_index"], "length", {}),
            ("Concat", ["minus", "length", "parts"], "target", {"axis": 0}),
            ("Reshape", ["x", "target"], "y", {}),
        ],
        X,
        {"one_index": _int(1), "minus": _int(-1), "parts": _int(2, 6)},
    ),
    "embeddings": Drawn(
        [
            ("Gather", ["table", "ids"], "words", {}),
            ("Gather", ["odd_table", "ids"], "odd_words", {}),
            ("Shape", ["ids"], "length", {"start": 1, "end": 2}),
            ("Squeeze", ["length"], "count", {}),
            ("Add", ["count", "two"], "stop", {}),
            ("Range", ["two", "stop", "one"], "places", {}),
            ("Gather", ["positions", "places"], "placed", {}),
            ("Add", ["words", "placed"], "sum", {}),
            ("ReduceSum", ["odd_words", "last"], "odd", {}),
            ("Cast", ["ids"], "as_floats", {"to": TensorProto.FLOAT}),
            ("Unsqueeze", ["as_floats", "last"], "column", {}),
            ("Add", ["sum", "column"], "shifted", {}),
            ("Mul", ["shifted", "odd"], "y", {}),
        ],
        {"ids": ("batch", "sequence")},
        {
            "table": _random(40, 8),
            "odd_table": _random(40, 3),
            "positions": _random(11, 8),
            "last": _int(-1),
            "one": np.asarray(1),
            "two": np.asarray(2),
        },
        {"ids": 40},
    ),
    "a padded batch": Drawn(  # as BERT's exports mask: tokens that do not count are 3.4e38 away
        [
            ("Gather", ["table", "ids"], "x", {}),
            ("Cast", ["mask"], "counts", {"to": TensorProto.FLOAT}),
            ("Unsqueeze", ["counts", "middle"], "row", {}),
            ("Sub", ["one", "row"], "padding", {}),
            ("Mul", ["padding", "lowest"], "distance", {}),
            ("MatMul", ["x", "wq"], "q", {}),
            ("Transpose", ["x"], "keys", {"perm": [0, 2, 1]}),
            ("MatMul", ["q", "keys"], "scores", {}),
            ("Add", ["scores", "distance"], "masked", {}),
            ("Softmax", ["masked"], "weights", {"axis": -1}),
            ("MatMul", ["weights", "x"], "mixed", {}),
            ("Unsqueeze", ["counts", "last"], "column", {}),
            ("Mul", ["mixed", "column"], "counted", {}),
            ("ReduceSum", ["counted", "middle"], "sum", {"keepdims": 0}),
            ("ReduceSum", ["counts", "middle"], "count", {}),
            ("Max", ["count", "one"], "divisor", {}),
            ("Div", ["sum", "divisor"], "y", {}),
        ],
        {"ids": ("batch", "sequence"), "mask": ("batch", "sequence")},
        {
            "table": _random(40, 8),
            "wq": _random(8, 8) / 3,
            "one": np.float32(1.0),
            "lowest": np.finfo(np.float32).min,
            "middle": _int(1),
            "last": _int(-1),
        },
        {"ids": 40, "mask": 2},
    ),
    "attention": Drawn(
        [
            ("MatMul", ["x", "wq"], "q", {}),
            ("Attention", ["q", "x", "x"], "y", {"q_num_heads": 2, "kv_num_heads": 1, "scale": 0.4, "softcap": 3.0}),
        ],
        {"x": ("batch", "sequence", 8)},
        {"wq": _random(8, 16)},
    ),
}


def save(path: Path, drawn: Drawn) -> Path:
    """The graph as an ONNX file, with the output y."""
    nodes = [
        helper.make_node(operator, inputs, outputs.split(","), name=outputs, **attributes)
        for operator, inputs, outputs, attributes in drawn.nodes
    ]
    kinds = {name: TensorProto.INT64 if name in drawn.integers else TensorProto.FLOAT for name in drawn.inputs}
    inputs = [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in drawn.inputs.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in drawn.constants.items()]
    graph = helper.make_graph(nodes, "drawn", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11), path)
    return path


def given(drawn: Drawn, batch: int = BATCH, sequence: int = SEQUENCE) -> dict[str, Array]:
    """Values for the inputs."""
    sizes = {"batch": batch, "sequence": sequence}
    chance = np.random.default_rng(3)
    values: dict[str, Array] = {}
    for name, shape in drawn.inputs.items():
        lengths = tuple(length if isinstance(length, int) else sizes[length] for length in shape)
        if name in drawn.integers:
            values[name] = chance.integers(0, drawn.integers[name], lengths)
        else:
            values[name] = chance.standard_normal(lengths).astype(np.float32)
    return values
