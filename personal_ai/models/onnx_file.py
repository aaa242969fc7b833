"""Writes model.onnx and its data file: tensor after tensor, so that memory holds one at a time. Equal input gives
equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from personal_ai.common.jobs import Cancel, Meter
from personal_ai.models.balancing import BalancedSource
from personal_ai.models.decoder import Decoder, Rope, Weight, weights
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.encoders.encoder import weights as encoder_weights
from personal_ai.models.encoders.graph import encoder_graph
from personal_ai.models.graph import Graph, decoder_graph
from personal_ai.models.manifest import DATA_FILE, MODEL_FILE
from personal_ai.models.quantisation import (
    BLOCK_SIZE,
    Floats,
    Integers8,
    Quantisation,
    pack_int4,
    quantise,
    quantise_int4,
)
from personal_ai.models.rope import rope_tables
from personal_ai.models.sources import WeightSource

_OPSET = 24
_IR_VERSION = 11
ALIGNMENT_BYTES = 64
_COLUMNS_AT_ONCE_SIZE_BYTES = 32 << 20  # of f32, so that a large head never lies in memory as f32

_Quantise = Callable[[Floats, int], tuple[Integers8, Floats]]


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
        return self._append(name, values.shape, helper.np_dtype_to_tensor_dtype(values.dtype), values)

    def append_int4(self, name: str, integers: Integers8) -> TensorProto:
        """Likewise, as INT4."""
        return self._append(name, integers.shape, TensorProto.INT4, pack_int4(integers))

    def _append(
        self, name: str, shape: tuple[int, ...], data_type: int, content: npt.NDArray[np.generic]
    ) -> TensorProto:
        offset = self._file.tell()
        padding = -offset % ALIGNMENT_BYTES
        self._file.write(bytes(padding))
        self._file.write(np.ascontiguousarray(content).data)
        tensor = TensorProto(name=name, dims=shape, data_type=data_type, data_location=TensorProto.EXTERNAL)
        place = {"location": self._path.name, "offset": str(offset + padding), "length": str(content.nbytes)}
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
    if quantisation != "f32":
        source = BalancedSource(source, decoder)
    initialisers = list(graph.constants)
    with _DataFile(folder / DATA_FILE) as data:
        for name, rope in ropes(decoder).items():
            cosines, sines = rope_tables(rope, decoder.rotary_size or decoder.head_size, decoder.context_length)
            initialisers += [data.append(f"{name}.cos", cosines), data.append(f"{name}.sin", sines)]
        matrices = _Matrices(data, source, quantisation, decoder.tied_embedding, cancel)
        initialisers += matrices.all(weights(decoder), meter)
    _write(folder, decoder.architecture, graph, initialisers)


def write_encoder(
    folder: Path, encoder: Encoder, source: WeightSource, *, quantisation: Quantisation, meter: Meter, cancel: Cancel
) -> None:
    """As `write_model`, of an encoder."""
    graph = encoder_graph(encoder, quantisation)
    with _DataFile(folder / DATA_FILE) as data:
        matrices = _Matrices(data, source, quantisation, False, cancel)
        initialisers = [*graph.constants, *matrices.all(encoder_weights(encoder), meter)]
    _write(folder, encoder.architecture, graph, initialisers)


def _write(folder: Path, name: str, graph: Graph, initialisers: list[TensorProto]) -> None:
    (folder / MODEL_FILE).write_bytes(_model(graph, name, initialisers).SerializeToString(deterministic=True))


def ropes(decoder: Decoder) -> dict[str, Rope]:
    """The tables that the graph needs, by name."""
    ropes = {"rope": decoder.rope, "window_rope": decoder.windows.rope if decoder.windows else None}
    return {name: rope for name, rope in ropes.items() if rope is not None}


def takes_int4(weight: Weight) -> bool:
    """Whether an int4 model keeps the weight in 4 bits. Its first layer, embedding and head are the most sensitive and
    stay int8: docs/formats/manifest.md has the figures.
    """
    return weight.name.startswith("layers.") and not weight.name.startswith("layers.0.")


@dataclass(frozen=True, slots=True)
class _Matrices:
    """Writes a model's weights; of matrices and the embedding, a few columns of f32 are in memory at a time."""

    data: _DataFile
    source: WeightSource
    quantisation: Quantisation
    tied: bool
    cancel: Cancel

    def all(self, wanted: Iterable[Weight], meter: Meter) -> list[TensorProto]:
        """The initialisers of these weights, in their order. Raises FormatError, Cancelled."""
        initialisers: list[TensorProto] = []
        for weight in wanted:
            self.cancel.raise_if_cancelled()
            if weight.kind == "vector":
                initialisers.append(numpy_helper.from_array(self.source.vector(weight), weight.name))
            elif weight.kind == "table":
                initialisers.append(self.data.append(weight.name, self.source.vector(weight)))
            else:
                initialisers += self.tensors(weight)
            meter.advance(weight.size)
        return initialisers

    def tensors(self, weight: Weight) -> list[TensorProto]:
        """The initialisers of one weight. Raises FormatError, Cancelled."""
        if self.quantisation == "f32":
            return [self._float(weight)]
        if self.quantisation == "int4" and takes_int4(weight):
            integers, scales = self._quantised(weight, quantise_int4)
            return [self.data.append_int4(weight.name, integers), self.data.append(f"{weight.name}.scale", scales)]
        return self._int8(weight)

    def _float(self, weight: Weight) -> TensorProto:
        if weight.kind == "embedding":
            return self.data.append(weight.name, self.source.columns(weight, 0, weight.shape[0]).T)
        return self.data.append(weight.name, self.source.columns(weight, 0, weight.shape[1]))

    def _int8(self, weight: Weight) -> list[TensorProto]:
        """The integers and scales of a matrix; of an embedding, transposed, and where it is tied the head's besides."""
        integers, scales = self._quantised(weight, quantise)
        if weight.kind == "matrix":
            return [self.data.append(weight.name, integers), self.data.append(f"{weight.name}.scale", scales)]
        tensors = [self.data.append(weight.name, integers.T), self.data.append(f"{weight.name}.scale", scales.T)]
        if self.tied:
            tensors += [self.data.append("head.weight", integers), self.data.append("head.weight.scale", scales)]
        return tensors

    def _quantised(self, weight: Weight, quantise_columns: _Quantise) -> tuple[Integers8, Floats]:
        """The whole matrix as [inputs, outputs]."""
        inputs, outputs = weight.shape if weight.kind == "matrix" else weight.shape[::-1]
        integers = np.empty((inputs, outputs), dtype=np.int8)
        scales = np.empty((-(-inputs // BLOCK_SIZE), outputs), dtype=np.float32)
        step = max(1, _COLUMNS_AT_ONCE_SIZE_BYTES // (4 * inputs))
        for start in range(0, outputs, step):
            self.cancel.raise_if_cancelled()
            part = slice(start, min(start + step, outputs))
            values = self.source.columns(weight, part.start, part.stop)
            integers[:, part], scales[:, part] = quantise_columns(values, BLOCK_SIZE)
        return integers, scales


def _model(graph: Graph, name: str, initialisers: list[TensorProto]) -> ModelProto:
    body: GraphProto = helper.make_graph(graph.nodes, name, graph.inputs, graph.outputs, initialisers)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(body, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="personal-ai")
