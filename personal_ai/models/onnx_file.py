"""Writes model.onnx and its data file: tensor after tensor, so that memory holds one at a time. Equal input gives
equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies in the data file: [rows, columns], written in pieces of either. int4: two to a byte."""

    file: BinaryIO
    start: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    int4: bool = False

    def write_columns(self, first: int, values: npt.NDArray[np.generic]) -> None:
        """Columns from `first` on, [rows, some columns]; of int4 an even number, but for the last."""
        content = pack_int4(values.astype(np.int8, copy=False)) if self.int4 else np.ascontiguousarray(values)
        offset = self.start + (first // 2 if self.int4 else first * self.dtype.itemsize)
        if content.nbytes == self.size_bytes:
            self._write(offset, content)
            return
        row_size_bytes = self.size_bytes // self.shape[0]
        for row, part in enumerate(content.reshape(self.shape[0], -1)):
            self._write(offset + row * row_size_bytes, part)

    def write_rows(self, first: int, values: npt.NDArray[np.generic]) -> None:
        """Rows from `first` on, [some rows, columns]."""
        row_size_bytes = self.shape[1] * self.dtype.itemsize
        self._write(self.start + first * row_size_bytes, np.ascontiguousarray(values))

    @property
    def size_bytes(self) -> int:
        count = math.prod(self.shape)
        return -(-count // 2) if self.int4 else count * self.dtype.itemsize

    def _write(self, offset: int, content: npt.NDArray[np.generic]) -> None:
        self.file.seek(offset)
        self.file.write(content.data)


class _DataFile:
    """Large tensors, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("xb")
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, name: str, values: npt.NDArray[np.generic]) -> TensorProto:
        """Writes the tensor, a matrix, and returns the initialiser that refers to it."""
        place, tensor = self.reserve(name, (len(values), values.shape[1]), values.dtype)
        place.write_rows(0, values)
        return tensor

    def reserve(
        self, name: str, shape: tuple[int, int], dtype: npt.DTypeLike, *, int4: bool = False
    ) -> tuple[_Place, TensorProto]:
        """Room for a tensor that is written in pieces, and the initialiser that refers to it."""
        stored_as = np.dtype(dtype)
        start = self._end + -self._end % ALIGNMENT_BYTES
        place = _Place(self._file, start, shape, stored_as, int4)
        data_type = TensorProto.INT4 if int4 else helper.np_dtype_to_tensor_dtype(stored_as)
        tensor = TensorProto(name=name, dims=shape, data_type=data_type, data_location=TensorProto.EXTERNAL)
        where = {"location": self._path.name, "offset": str(start), "length": str(place.size_bytes)}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=value)
        self._end = start + place.size_bytes
        return place, tensor


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
        matrices = _Matrices(data, source, quantisation, decoder.tied_embedding, meter, cancel)
        initialisers += matrices.all(weights(decoder))
    _write(folder, decoder.architecture, graph, initialisers)


def write_encoder(
    folder: Path, encoder: Encoder, source: WeightSource, *, quantisation: Quantisation, meter: Meter, cancel: Cancel
) -> None:
    """As `write_model`, of an encoder."""
    graph = encoder_graph(encoder, quantisation)
    with _DataFile(folder / DATA_FILE) as data:
        matrices = _Matrices(data, source, quantisation, False, meter, cancel)
        initialisers = [*graph.constants, *matrices.all(encoder_weights(encoder))]
    _write(folder, encoder.architecture, graph, initialisers)


def _write(folder: Path, name: str, graph: Graph, initialisers: list[TensorProto]) -> None:
    (folder / MODEL_FILE).write_bytes(_model(graph, name, initialisers).SerializeToString(deterministic=True))


def ropes(decoder: Decoder) -> dict[str, Rope]:
    """The tables that the graph needs, by name."""
    windows = decoder.windows
    windowed = windows.rope if windows is not None else None
    own_everywhere = windowed is not None and windows is not None and len(windows.layers) == decoder.layer_count
    tables = {"rope": None if own_everywhere else decoder.rope, "window_rope": windowed}
    return {name: rope for name, rope in tables.items() if rope is not None}


def takes_int4(weight: Weight) -> bool:
    """Whether an int4 model keeps the weight in 4 bits. Its first layer, embedding and head are the most sensitive and
    stay int8: docs/formats/manifest.md has the figures.
    """
    return weight.name.startswith("layers.") and not weight.name.startswith("layers.0.")


@dataclass(frozen=True, slots=True)
class _Matrices:
    """Writes a model's weights; of matrices and the embedding, a few columns are in memory at a time."""

    data: _DataFile
    source: WeightSource
    quantisation: Quantisation
    tied: bool
    meter: Meter
    cancel: Cancel

    def all(self, wanted: Iterable[Weight]) -> list[TensorProto]:
        """The initialisers of these weights, in their order. Raises FormatError, Cancelled."""
        initialisers: list[TensorProto] = []
        for weight in wanted:
            self.cancel.raise_if_cancelled()
            if weight.kind == "vector":
                initialisers.append(numpy_helper.from_array(self.source.vector(weight), weight.name))
                self.meter.advance(weight.size)
            elif weight.kind == "table":
                initialisers.append(self.data.append(weight.name, self.source.vector(weight)))
                self.meter.advance(weight.size)
            else:
                initialisers += self.tensors(weight)
        return initialisers

    def tensors(self, weight: Weight) -> list[TensorProto]:
        """The initialisers of one weight. Raises FormatError, Cancelled."""
        if self.quantisation == "f32":
            return self._float(weight)
        if self.quantisation == "int4" and takes_int4(weight):
            return self._quantised(weight, quantise_int4, int4=True)
        return self._quantised(weight, quantise)

    def _float(self, weight: Weight) -> list[TensorProto]:
        place, tensor = self.data.reserve(weight.name, (weight.shape[0], weight.shape[1]), np.float32)
        for start, values in self._pieces(weight):
            if weight.kind == "embedding":
                place.write_rows(start, values.T)
            else:
                place.write_columns(start, values)
        return [tensor]

    def _quantised(self, weight: Weight, quantise_columns: _Quantise, *, int4: bool = False) -> list[TensorProto]:
        """The integers and scales of a matrix; of an embedding, transposed, and where it is tied the head's besides."""
        inputs, outputs = _inputs_and_outputs(weight)
        blocks = -(-inputs // BLOCK_SIZE)
        rows: list[_Place] = []
        columns: list[_Place] = []
        tensors: list[TensorProto] = []
        if weight.kind == "embedding":
            rows, tensors = self._reserved(weight.name, (outputs, inputs), (outputs, blocks), int4=False)
        if weight.kind == "matrix" or self.tied:
            name = weight.name if weight.kind == "matrix" else "head.weight"
            columns, further = self._reserved(name, (inputs, outputs), (blocks, outputs), int4=int4)
            tensors += further
        for start, values in self._pieces(weight):
            parts: tuple[npt.NDArray[Any], npt.NDArray[Any]] = quantise_columns(values, BLOCK_SIZE)
            for place, part in zip(rows, parts, strict=False):
                place.write_rows(start, part.T)
            for place, part in zip(columns, parts, strict=False):
                place.write_columns(start, part)
        return tensors

    def _reserved(
        self, name: str, integers: tuple[int, int], scales: tuple[int, int], *, int4: bool
    ) -> tuple[list[_Place], list[TensorProto]]:
        """Room for integers and their scales."""
        first, first_tensor = self.data.reserve(name, integers, np.int8, int4=int4)
        second, second_tensor = self.data.reserve(f"{name}.scale", scales, np.float32)
        return [first, second], [first_tensor, second_tensor]

    def _pieces(self, weight: Weight) -> Iterator[tuple[int, Floats]]:
        """Columns [inputs, some outputs] with the number of the first. int4 rows of an odd length stay whole."""
        inputs, outputs = _inputs_and_outputs(weight)
        step = max(2, _COLUMNS_AT_ONCE_SIZE_BYTES // (4 * inputs) // 2 * 2) if outputs % 2 == 0 else outputs
        for start in range(0, outputs, step):
            self.cancel.raise_if_cancelled()
            values = self.source.columns(weight, start, min(start + step, outputs))
            yield start, values
            self.meter.advance(values.size)


def _inputs_and_outputs(weight: Weight) -> tuple[int, int]:
    """An embedding is quantised as the head that it may be: along the hidden size."""
    first, second = weight.shape
    return (first, second) if weight.kind == "matrix" else (second, first)


def _model(graph: Graph, name: str, initialisers: list[TensorProto]) -> ModelProto:
    body: GraphProto = helper.make_graph(graph.nodes, name, graph.inputs, graph.outputs, initialisers)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(body, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="personal-ai")
