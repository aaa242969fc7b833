"""Finds the weights of a decoder in a foreign graph: by the module that a node belongs to, and its place in the node.

Known are what torch's two exporters, optimum and onnxruntime-genai write. Names of initialisers alone do not do:
exporters rename matrices that they transpose, and give one name to those that are equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from onnx import GraphProto, NodeProto

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.exports.arrays import StoredArray, stored_array
from personal_ai.models.exports.modules import canonical, module_of
from personal_ai.models.exports.tensors import Blocks, Plain, Readable

_NORM_WEIGHTS: Final = {  # which input of a node is its weight, and which its bias
    "LayerNormalization": (1, 2),
    "SimplifiedLayerNormalization": (1, 99),
    "RMSNormalization": (1, 99),
    "SkipLayerNormalization": (2, 3),
    "SkipSimplifiedLayerNormalization": (2, 99),
}
_SAME_NUMBERS: Final = ("Cast", "Identity", "Reshape")
_NOT_READ: Final = ("DequantizeLinear", "MatMulInteger", "QLinearMatMul", "DynamicQuantizeMatMul", "MatMulBnb4")
_MAX_STEPS = 8  # between a weight and the node that it is multiplied in


class Roles:
    """The weights of a graph. `tensors`: by transformers' names; what has no part that is known, by its own."""

    def __init__(self, graph: GraphProto, folder: Path) -> None:
        """Raises UnsupportedModelError, FormatError."""
        self._producers = {output: node for node in graph.node for output in node.output}
        self._arrays = {proto.name: stored_array(proto, folder) for proto in graph.initializer}
        self._used: set[str] = set()
        self.tensors: dict[str, Readable] = {}
        foreign = sorted({node.op_type for node in graph.node} & set(_NOT_READ))
        if foreign:
            raise UnsupportedModelError(
                "This model cannot be imported.",
                (f"Its weights are quantised in a way that is not read ({', '.join(foreign)}).",),
                next_step="Choose an export that is not quantised, or one with MatMulNBits.",
            )
        for node in graph.node:
            module = module_of(node)
            for kind, tensor in self._weights(node, module) if module else ():
                self._take(f"{module}.{kind}", tensor)
        self._take_by_name()
        self.tensors |= {name: Plain(self._arrays[name]) for name in self._left_over()}

    def array(self, name: str) -> StoredArray | None:
        """An initialiser by its name in the graph."""
        return self._arrays.get(name)

    def _take(self, name: str, tensor: Readable) -> None:
        if self.tensors.setdefault(name, tensor) != tensor:
            raise FormatError(f"The ONNX file has two weights for {name[:100]}.")

    def _weights(self, node: NodeProto, module: str) -> Iterator[tuple[str, Readable]]:
        """The weights that a node of the module reads, each with its kind."""
        matrices_as_used = module.startswith("h.")  # GPT-2 has its matrices as [inputs, outputs]
        match node.op_type:
            case "MatMul":
                yield from self._matrix(node, flipped=not matrices_as_used)
            case "Gemm":
                flipped = not integer_attribute(node, "transB", 0)
                yield from self._matrix(node, flipped=flipped != matrices_as_used)
                yield from self._vector("bias", node, 2)
            case "MatMulNBits":
                yield "weight", self._blocks(node, (1, 2, 3))
                yield from self._vector("bias", node, 5)
            case "GatherBlockQuantized":
                yield "weight", self._blocks(node, (0, 2, 3))
            case "Gather":
                found, transposed = self._source(node, 0)
                if found is not None and len(found.shape) == 2:
                    yield "weight", Plain(found, transposed)
            case "Mul" | "Add" as operator:
                kind = "weight" if operator == "Mul" else "bias"
                yield from self._vector(kind, node, 0)
                yield from self._vector(kind, node, 1)
            case norm if norm in _NORM_WEIGHTS:
                weight, bias = _NORM_WEIGHTS[norm]
                yield from self._vector("weight", node, weight)
                yield from self._vector("bias", node, bias)

    def _matrix(self, node: NodeProto, *, flipped: bool) -> Iterator[tuple[str, Readable]]:
        found, transposed = self._source(node, 1)
        if found is not None and len(found.shape) == 2:
            yield "weight", Plain(found, transposed != flipped)

    def _vector(self, kind: str, node: NodeProto, index: int) -> Iterator[tuple[str, Readable]]:
        found, _ = self._source(node, index)
        if found is not None and len(found.shape) == 1 and found.shape[0] > 1:
            yield kind, Plain(found)

    def _blocks(self, node: NodeProto, indices: tuple[int, int, int]) -> Blocks:
        """Of MatMulNBits, or of the same numbers where GatherBlockQuantized looks rows up in them."""
        integers, scales, points = (self._source(node, index)[0] for index in indices)
        if integers is None or scales is None or (node.op_type == "MatMulNBits" and self._source(node, 4)[0]):
            raise FormatError("The ONNX file has a quantised matrix without its numbers, or in another order.")
        bits, block_size = integer_attribute(node, "bits", 4), integer_attribute(node, "block_size", 128)
        if node.op_type == "MatMulNBits":
            outputs, inputs = integer_attribute(node, "N", 0), integer_attribute(node, "K", 0)
        else:
            outputs = integers.shape[0] if integers.shape else 0
            inputs = math.prod(integers.shape[1:]) * 8 // max(bits, 1)
        return Blocks(integers, scales, points, outputs, inputs, block_size, bits)

    def _source(self, node: NodeProto, index: int) -> tuple[StoredArray | None, bool]:
        """The initialiser that an input comes from, and whether it is transposed on its way."""
        name, transposed = node.input[index] if index < len(node.input) else "", False
        for _ in range(_MAX_STEPS):
            if name in self._arrays:
                self._used.add(name)
                return self._arrays[name], transposed
            producer = self._producers.get(name)
            if producer is None or not producer.input:
                break
            if producer.op_type == "Transpose" and _swaps(producer):
                transposed = not transposed
            elif producer.op_type not in _SAME_NUMBERS:
                break
            name = producer.input[0]
        return None, False

    def _take_by_name(self) -> None:
        """Weights that keep their names and that no node of their own module reads."""
        for name, array in self._arrays.items():
            path, _, kind = name.rpartition(".")
            module = canonical(path)
            if kind in ("weight", "bias") and module and f"{module}.{kind}" not in self.tensors and array.is_float:
                self.tensors[f"{module}.{kind}"] = Plain(array)
                self._used.add(name)

    def _left_over(self) -> Iterator[str]:
        """Matrices whose part is not known. What they do would be lost. Tables of positions are made anew."""
        for name, array in self._arrays.items():
            matrix = len(array.shape) == 2 and min(array.shape) > 1 and array.is_float
            if matrix and name not in self._used and not any(part in name for part in ("cos", "sin")):
                yield name


def _swaps(transpose: NodeProto) -> bool:
    """Whether it swaps two dimensions, which is what it does with a matrix where it says nothing."""
    orders = [list(attribute.ints) for attribute in transpose.attribute if attribute.name == "perm"]
    return orders in ([], [[1, 0]])


def integer_attribute(node: NodeProto, name: str, default: int) -> int:
    """An integer of a node."""
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)
