"""Writes model.onnx and its data file: tensor after tensor, so that memory holds one at a time. Equal input gives
equal bytes.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from personal_ai.common.jobs import Cancel, Meter
from personal_ai.models.decoder import Decoder, Weight, weights
from personal_ai.models.graph import Graph, decoder_graph
from personal_ai.models.manifest import DATA_FILE, MODEL_FILE
from personal_ai.models.quantisation import BLOCK_SIZE, Quantisation, quantise
from personal_ai.models.rope import rope_tables

_OPSET = 24
_IR_VERSION = 11
_ALIGNMENT_BYTES = 64
_COLUMNS_AT_ONCE_SIZE_BYTES = 32 << 20  # of f32, so that a large head never lies in memory as f32

Floats = npt.NDArray[np.float32]


class WeightSource(Protocol):
    """Where the numbers come from. Both raise FormatError when the checkpoint breaks its format."""

    def vector(self, weight: Weight) -> Floats:
        """A whole vector or table, in the weight's shape."""

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        """A matrix's outputs start..stop as [inputs, stop - start]; an embedding's rows likewise, transposed."""


class _DataFile:
    """Large tensors, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, name: str, values: npt.NDArray[np.generic]) -> TensorProto:
        """Writes the tensor and returns the initialiser that refers to it."""
        offset = self._file.tell()
        padding = -offset % _ALIGNMENT_BYTES
        self._file.write(bytes(padding))
        self._file.write(np.ascontiguousarray(values).data)
        tensor = TensorProto(
            name=name,
            dims=values.shape,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": self._path.name, "offset": str(offset + padding), "length": str(values.nbytes)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)
        return tensor


def write_model(
    folder: Path, decoder: Decoder, source: WeightSource, *, quantisation: Quantisation, meter: Meter, cancel: Cancel
) -> None:
    """Writes MODEL_FILE and DATA_FILE into `folder`, advancing `meter` by each weight's number of values.

    Raises FormatError, Cancelled, OSError.
    """
    graph = decoder_graph(decoder, quantisation)
    initialisers = list(graph.constants)
    with _DataFile(folder / DATA_FILE) as data:
        if decoder.rope is not None:
            cosines, sines = rope_tables(decoder.rope, decoder.head_size, decoder.context_length)
            initialisers += [data.append("rope.cos", cosines), data.append("rope.sin", sines)]
        for weight in weights(decoder):
            cancel.raise_if_cancelled()
            if weight.kind == "vector":
                initialisers.append(numpy_helper.from_array(source.vector(weight), weight.name))
            elif weight.kind == "table":
                initialisers.append(data.append(weight.name, source.vector(weight)))
            elif quantisation == "f32":
                initialisers.append(_float_matrix(data, source, weight))
            else:
                initialisers += _int8_matrix(data, source, weight, decoder.tied_embedding, cancel)
            meter.advance(weight.size)
    (folder / MODEL_FILE).write_bytes(_model(graph, decoder, initialisers).SerializeToString(deterministic=True))


def _float_matrix(data: _DataFile, source: WeightSource, weight: Weight) -> TensorProto:
    if weight.kind == "embedding":
        return data.append(weight.name, source.columns(weight, 0, weight.shape[0]).T)
    return data.append(weight.name, source.columns(weight, 0, weight.shape[1]))


def _int8_matrix(
    data: _DataFile, source: WeightSource, weight: Weight, tied: bool, cancel: Cancel
) -> list[TensorProto]:
    """The integers and scales of a matrix; of an embedding, transposed, and where it is tied the head's besides."""
    integers, scales = _quantised(source, weight, cancel)
    if weight.kind == "matrix":
        return [data.append(weight.name, integers), data.append(f"{weight.name}.scale", scales)]
    tensors = [data.append(weight.name, integers.T), data.append(f"{weight.name}.scale", scales.T)]
    if tied:
        tensors += [data.append("head.weight", integers), data.append("head.weight.scale", scales)]
    return tensors


def _quantised(source: WeightSource, weight: Weight, cancel: Cancel) -> tuple[npt.NDArray[np.int8], Floats]:
    """The whole matrix as [inputs, outputs], quantised a few columns at a time."""
    inputs, outputs = weight.shape if weight.kind == "matrix" else weight.shape[::-1]
    integers = np.empty((inputs, outputs), dtype=np.int8)
    scales = np.empty((-(-inputs // BLOCK_SIZE), outputs), dtype=np.float32)
    step = max(1, _COLUMNS_AT_ONCE_SIZE_BYTES // (4 * inputs))
    for start in range(0, outputs, step):
        cancel.raise_if_cancelled()
        part = slice(start, min(start + step, outputs))
        integers[:, part], scales[:, part] = quantise(source.columns(weight, part.start, part.stop), BLOCK_SIZE)
    return integers, scales


def _model(graph: Graph, decoder: Decoder, initialisers: list[TensorProto]) -> ModelProto:
    body: GraphProto = helper.make_graph(graph.nodes, decoder.architecture, graph.inputs, graph.outputs, initialisers)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(body, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="personal-ai")
