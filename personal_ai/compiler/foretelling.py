"""What a model's program will be, from the sizes in its config.json alone.

The graph that the importer would write goes through the compiler's own planning with weights that have a shape and no
memory. So sizes are those that the compiler will find, to within the alignment of one table.
"""

from __future__ import annotations

import numpy as np

from personal_ai.compiler.compile import CONTEXT_LENGTH_DEFAULT, Foretold, foretell_program
from personal_ai.compiler.onnx_graph import Array, Int4Matrix, OnnxGraph, graph_of
from personal_ai.models.decoder import Decoder
from personal_ai.models.graph import decoder_graph
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.tensor_shapes import TensorShape, tensor_shapes

_TYPES: dict[str, np.dtype[np.generic]] = {"f32": np.dtype("<f4"), "int8": np.dtype("i1"), "int4": np.dtype("u1")}


def foretell(decoder: Decoder, quantisation: Quantisation, *, context_length: int = CONTEXT_LENGTH_DEFAULT) -> Foretold:
    """Raises ModelObstaclesError with every reason why the model cannot run in a canister."""
    graph = _hollow_graph(decoder, quantisation)
    return foretell_program(graph, min(context_length, decoder.context_length))


def _hollow_graph(decoder: Decoder, quantisation: Quantisation) -> OnnxGraph:
    graph = decoder_graph(decoder, quantisation)
    tensors = {tensor.name: tensor for tensor in tensor_shapes(decoder, quantisation)}
    constants = {name: _hollow(tensor) for name, tensor in tensors.items()}
    for name in ("weight", "weight.scale"):  # a tied head is the embedding: the compiler stores equal numbers once
        embedding = constants[f"embed.{name}"] if f"head.{name}" in constants and decoder.tied_embedding else None
        if isinstance(embedding, np.ndarray):
            constants[f"head.{name}"] = embedding.T
    return graph_of(graph.nodes, graph.constants, graph.inputs, graph.outputs, constants)


def _hollow(tensor: TensorShape) -> Array | Int4Matrix:
    """An array whose elements are all the same one: it takes no memory, and has an address of its own."""
    shape = (tensor.size_bytes,) if tensor.element == "int4" else tensor.shape
    array = np.broadcast_to(np.zeros((), _TYPES[tensor.element]), shape)
    return Int4Matrix(array, (tensor.shape[0], tensor.shape[1])) if tensor.element == "int4" else array
