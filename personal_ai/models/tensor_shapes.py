"""Which tensors the importer will write for a decoder, told from its sizes alone: nothing is read or downloaded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from onnx import helper

from personal_ai.models.decoder import Decoder, Weight, weights
from personal_ai.models.graph import Graph, decoder_graph
from personal_ai.models.onnx_file import ALIGNMENT_BYTES, ropes, takes_int4
from personal_ai.models.quantisation import BLOCK_SIZE, Quantisation

Element = Literal["f32", "int8", "int4"]

_BITS = {"f32": 32, "int8": 8, "int4": 4}
_ENTRY_SIZE_BYTES = 128  # what a tensor's name, shape and place take in the ONNX file, about


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A tensor of the ONNX file. inline: it lies in the file itself, not in the data file beside it."""

    name: str
    element: Element
    shape: tuple[int, ...]
    inline: bool = False

    @property
    def size_bytes(self) -> int:
        return -(-math.prod(self.shape) * _BITS[self.element] // 8)


def tensor_shapes(decoder: Decoder, quantisation: Quantisation) -> Iterator[TensorShape]:
    """The tensors that `onnx_file.write_model` writes beside the graph's own small constants."""
    for name in ropes(decoder):
        angles = decoder.context_length, (decoder.rotary_size or decoder.head_size) // 2
        yield TensorShape(f"{name}.cos", "f32", angles)
        yield TensorShape(f"{name}.sin", "f32", angles)
    for weight in weights(decoder):
        if weight.kind in ("vector", "table"):
            yield TensorShape(weight.name, "f32", weight.shape, inline=weight.kind == "vector")
        elif quantisation == "f32":
            yield TensorShape(weight.name, "f32", weight.shape)
        else:
            element: Element = "int4" if quantisation == "int4" and takes_int4(weight) else "int8"
            yield from _blocks(weight, element)
            if weight.kind == "embedding" and decoder.tied_embedding:
                yield from _blocks(Weight("head.weight", "matrix", weight.shape[::-1]), element)


def package_size_bytes(decoder: Decoder, quantisation: Quantisation, words_size_bytes: int) -> int:
    """Bytes on this computer's disk: the data file exactly, the ONNX file to within some kilobytes.

    words_size_bytes: of tokenizer and template, which the decoder's sizes do not tell.
    """
    graph = decoder_graph(decoder, quantisation)
    tensors = list(tensor_shapes(decoder, quantisation))
    inline = sum(tensor.size_bytes for tensor in tensors if tensor.inline)
    return data_file_size_bytes(tensors) + inline + _graph_size_bytes(graph, len(tensors)) + words_size_bytes


def data_file_size_bytes(tensors: list[TensorShape]) -> int:
    """Of the tensors that are not inline, one after the other."""
    end = 0
    for tensor in tensors:
        if not tensor.inline:
            end = -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES + tensor.size_bytes
    return end


def _graph_size_bytes(graph: Graph, tensor_count: int) -> int:
    graph_proto = helper.make_graph(graph.nodes, "", graph.inputs, graph.outputs, graph.constants)
    return int(graph_proto.ByteSize()) + tensor_count * _ENTRY_SIZE_BYTES


def _blocks(weight: Weight, element: Element) -> Iterator[TensorShape]:
    """The integers and the scales of a matrix [inputs, outputs] or an embedding [rows, inputs]."""
    inputs_axis = 0 if weight.kind == "matrix" else 1
    scales = list(weight.shape)
    scales[inputs_axis] = -(-scales[inputs_axis] // BLOCK_SIZE)
    yield TensorShape(weight.name, element, weight.shape)
    yield TensorShape(f"{weight.name}.scale", "f32", tuple(scales))
