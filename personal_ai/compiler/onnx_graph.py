"""Reads an ONNX file that may be hostile: sizes are bounded, names and offsets checked, nothing is followed out of
its folder. Large tensors stay in their file and are mapped, not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from personal_ai.common.errors import FormatError
from personal_ai.compiler.affine import Affine

MODEL_SIZE_BYTES_MAX = 256 << 20  # of the ONNX file itself; its weights lie beside it
_COUNT_MAX = 200_000
_RANK_MAX = 8
_OPSETS = range(23, 25)  # the first with Attention, RotaryEmbedding and RMSNormalization; the last that is known here
_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)  # only If, Loop and Scan have them, and they are obstacles
_DEFAULT_DOMAINS = ("", "ai.onnx")

Array = npt.NDArray[np.generic]
Attribute = int | float | str | tuple[int, ...] | Array

_TYPES: dict[int, np.dtype[np.generic]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.INT8: np.dtype("i1"),
    TensorProto.INT32: np.dtype("<i4"),
    TensorProto.INT64: np.dtype("<i8"),
    TensorProto.BOOL: np.dtype("?"),
}


@dataclass(frozen=True, slots=True)
class Int4Matrix:
    """A matrix of 4-bit integers as ONNX stores it: two to a byte in C order, the first in the low half."""

    packed: npt.NDArray[np.uint8]
    shape: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of what `columns` gives."""
        return np.dtype(np.int8)

    def columns(self, start: int, stop: int) -> npt.NDArray[np.int8]:
        """The integers [rows, stop - start], in -8..7."""
        rows, columns = self.shape
        if columns % 2:  # rows begin in the middle of a byte
            return _halves(self.packed)[: rows * columns].reshape(rows, columns)[:, start:stop]
        first = start // 2
        part = self.packed.reshape(rows, columns // 2)[:, first : -(-stop // 2)]
        return _halves(part)[:, start - 2 * first : stop - 2 * first]


def _halves(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """The two numbers of each byte along the last axis."""
    both = np.stack((packed & np.uint8(0xF), packed >> np.uint8(4)), axis=-1)
    signed: npt.NDArray[np.int8] = (both ^ np.uint8(8)).view(np.int8) - np.int8(8)
    return signed.reshape(*packed.shape[:-1], 2 * packed.shape[-1])


@dataclass(frozen=True, slots=True)
class Node:
    """One ONNX node. A missing optional input is an empty name."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Attribute]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the graph. A length is a number or the name of a symbol."""

    name: str
    element: np.dtype[np.generic] | None
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A graph in which each node uses only what came before it."""

    nodes: tuple[Node, ...]
    constants: dict[str, Array | Int4Matrix]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def read_onnx(path: Path) -> OnnxGraph:
    """Raises FormatError for anything that is not a whole, ordered graph with data of the right size."""
    model = _parse(path)
    graph = model.graph
    if model.functions or graph.sparse_initializer:
        raise FormatError(f"{path.name} uses ONNX functions or sparse tensors, which are not read.")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    version = next((opsets[domain] for domain in _DEFAULT_DOMAINS if domain in opsets), 0)
    if version not in _OPSETS:
        raise FormatError(f"{path.name} is of ONNX opset {version}; opsets 23 and 24 are read.")
    if max(len(graph.node), len(graph.initializer), len(graph.input), len(graph.output)) > _COUNT_MAX:
        raise FormatError(f"{path.name} has more than {_COUNT_MAX} nodes or tensors.")
    constants = _unique((tensor.name, _constant(tensor, path.parent)) for tensor in graph.initializer)
    inputs = tuple(_port(info) for info in graph.input if info.name not in constants)
    nodes = tuple(_node(node) for node in graph.node)
    _check_order(nodes, {port.name for port in inputs} | set(constants), graph)
    return OnnxGraph(nodes, constants, inputs, tuple(_port(info) for info in graph.output))


def graph_of(
    nodes: Iterable[NodeProto],
    constants: Iterable[TensorProto],
    inputs: Iterable[ValueInfoProto],
    outputs: Iterable[ValueInfoProto],
    weights: dict[str, Array | Int4Matrix],
) -> OnnxGraph:
    """The graph of parts that this program made itself, as it would be read from a file."""
    small = {tensor.name: _inline(tensor) for tensor in constants}
    return OnnxGraph(
        tuple(map(_node, nodes)), {**small, **weights}, tuple(map(_port, inputs)), tuple(map(_port, outputs))
    )


def _parse(path: Path) -> ModelProto:
    try:
        with path.open("rb") as file:
            data = file.read(MODEL_SIZE_BYTES_MAX + 1)
    except OSError as error:
        raise FormatError(f"{path.name} cannot be read.") from error
    if len(data) > MODEL_SIZE_BYTES_MAX:
        raise FormatError(f"{path.name} is larger than {MODEL_SIZE_BYTES_MAX >> 20} MiB without its external data.")
    try:
        return onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise FormatError(f"{path.name} is not an ONNX file.") from error


def _unique(items: Iterable[tuple[str, Array | Int4Matrix]]) -> dict[str, Array | Int4Matrix]:
    found: dict[str, Array | Int4Matrix] = {}
    for name, value in items:
        if not name or name in found:
            raise FormatError(f"The ONNX file names the tensor {name[:80]!r} twice, or not at all.")
        found[name] = value
    return found


def _check_order(nodes: tuple[Node, ...], known: set[str], graph: GraphProto) -> None:
    """ONNX wants nodes in order; then there is no cycle. Every name is made once."""
    for node in nodes:
        for name in node.inputs:
            if name and name not in known:
                raise FormatError(
                    f"The ONNX node {node.name[:80]!r} uses {name[:80]!r}, which nothing before it makes."
                )
        for name in filter(None, node.outputs):
            if name in known:
                raise FormatError(f"The ONNX file makes {name[:80]!r} twice.")
            known.add(name)
    for info in graph.output:
        if info.name not in known:
            raise FormatError(f"The ONNX file has an output {info.name[:80]!r} that nothing makes.")


def _node(node: NodeProto) -> Node:
    operator = node.op_type if node.domain in _DEFAULT_DOMAINS else f"{node.domain}.{node.op_type}"
    plain = (attribute for attribute in node.attribute if attribute.type not in _GRAPHS)
    attributes = {attribute.name: _attribute(attribute) for attribute in plain}
    name = node.name or next(iter(node.output), "")
    return Node(operator[:200], name[:200], tuple(node.input), tuple(node.output), attributes)


def _attribute(attribute: AttributeProto) -> Attribute:
    if attribute.type == AttributeProto.TENSOR:
        return _inline(attribute.t)
    if attribute.type == AttributeProto.STRING:
        return attribute.s.decode("utf-8", "replace")
    if attribute.type == AttributeProto.INTS:
        return tuple(attribute.ints)
    if attribute.type == AttributeProto.INT:
        return int(attribute.i)
    if attribute.type == AttributeProto.FLOAT:
        return float(attribute.f)
    raise FormatError(f"The ONNX file has an attribute {attribute.name[:80]!r} of a kind that is not read.")


def _port(info: ValueInfoProto) -> Port:
    kind = info.type.tensor_type
    shape = tuple(
        length.dim_value if length.HasField("dim_value") else (length.dim_param or "?") for length in kind.shape.dim
    )
    if any(isinstance(length, int) and length < 0 for length in shape):
        raise FormatError(f"The ONNX file gives {info.name[:80]!r} a negative length.")
    return Port(info.name, _TYPES.get(kind.elem_type), shape)


def _constant(tensor: TensorProto, folder: Path) -> Array | Int4Matrix:
    external = tensor.data_location == TensorProto.EXTERNAL
    if tensor.data_type == TensorProto.INT4:
        return _int4(tensor, folder)
    return _external(tensor, folder, *_type_and_shape(tensor)) if external else _inline(tensor)


def _int4(tensor: TensorProto, folder: Path) -> Int4Matrix:
    shape = _shape(tensor)
    if len(shape) != 2:
        raise FormatError(f"The tensor {tensor.name[:80]!r} of 4-bit integers is no matrix.")
    size_bytes = -(-math.prod(shape) // 2)
    if tensor.data_location == TensorProto.EXTERNAL:
        packed: Array = _external(tensor, folder, np.dtype(np.uint8), (size_bytes,))
    else:
        packed = np.frombuffer(tensor.raw_data, np.uint8)
    if packed.size != size_bytes:
        raise FormatError(f"The tensor {tensor.name[:80]!r} does not hold what its shape says.")
    return Int4Matrix(packed.view(np.uint8), (shape[0], shape[1]))


def _type_and_shape(tensor: TensorProto) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    element = _TYPES.get(tensor.data_type)
    if element is None:
        raise FormatError(f"The tensor {tensor.name[:80]!r} is of a type that is not read.")
    return element, _shape(tensor)


def _shape(tensor: TensorProto) -> tuple[int, ...]:
    shape = tuple(tensor.dims)
    if len(shape) > _RANK_MAX or any(length < 0 for length in shape):
        raise FormatError(f"The tensor {tensor.name[:80]!r} has no meaningful shape.")
    return shape


def _inline(tensor: TensorProto) -> Array:
    element, shape = _type_and_shape(tensor)
    try:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ValueError
        array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise FormatError(f"The tensor {tensor.name[:80]!r} does not hold what its shape says.") from error
    if array.shape != shape or array.dtype != element:
        raise FormatError(f"The tensor {tensor.name[:80]!r} does not hold what its shape says.")
    return array


def _external(tensor: TensorProto, folder: Path, element: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
    place = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(place.get("location", ""))
    if len(location.parts) != 1 or location.is_absolute() or location.name in ("", ".", "..") or "\\" in location.name:
        raise FormatError(f"The tensor {tensor.name[:80]!r} lies outside the model's folder.")
    size_bytes = math.prod(shape) * element.itemsize
    offset = _number(place.get("offset", "0"))
    path = folder / location.name
    try:
        available = path.stat().st_size
    except OSError as error:
        raise FormatError(f"The model's data file {location.name[:80]!r} is missing.") from error
    if _number(place.get("length", str(size_bytes))) != size_bytes or offset + size_bytes > available:
        raise FormatError(f"The tensor {tensor.name[:80]!r} does not fit its data file.")
    if size_bytes == 0:
        return np.zeros(shape, element)
    return np.memmap(path, element, "r", offset, shape)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise FormatError("The ONNX file has an external tensor without a proper offset or length.")
    return int(text)


def lengths(port: Port, symbols: dict[str, Affine]) -> tuple[Affine, ...] | None:
    """The port's shape as numbers, or None where it uses a symbol that is not among `symbols`."""
    found = [Affine(length) if isinstance(length, int) else symbols.get(length) for length in port.shape]
    return None if None in found else tuple(length for length in found if length is not None)
