"""The numbers of a foreign ONNX file, inside of it or in a file beside it. Places are checked before they are read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, numpy_helper

from personal_ai.common.errors import FormatError
from personal_ai.models.quantisation import Floats

_MAX_RANK = 8
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_STORED_AS: Final[dict[int, np.dtype[Any]]] = {
    TensorProto.FLOAT: np.dtype("<f4"),
    TensorProto.FLOAT16: np.dtype("<f2"),
    TensorProto.BFLOAT16: np.dtype("<u2"),
    TensorProto.UINT8: np.dtype("u1"),
    TensorProto.INT8: np.dtype("i1"),
    TensorProto.INT64: np.dtype("<i8"),
}
_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """An initialiser, made by `stored_array`, which checks it. `data_file` None: its numbers lie in the ONNX file."""

    proto: TensorProto
    shape: tuple[int, ...]
    data_file: Path | None
    offset: int

    @property
    def dtype(self) -> str:
        return str(TensorProto.DataType.Name(self.proto.data_type))

    @property
    def is_float(self) -> bool:
        return self.proto.data_type in _FLOATS

    @property
    def readable(self) -> bool:
        return self.proto.data_type in _STORED_AS

    def view(self) -> npt.NDArray[Any]:
        """The numbers as they are stored, mapped where they lie in a file; let go of it soon."""
        stored_as = _STORED_AS[self.proto.data_type]
        if self.data_file is not None:
            return np.memmap(self.data_file, stored_as, "r", self.offset, self.shape)
        if self.proto.raw_data:
            return np.frombuffer(self.proto.raw_data, stored_as).reshape(self.shape)
        return np.asarray(numpy_helper.to_array(self.proto))

    def floats(self, numbers: npt.NDArray[Any]) -> Floats:
        """A part of `view`, as f32 and a copy of its own."""
        if self.proto.data_type == TensorProto.BFLOAT16 and numbers.dtype == np.uint16:
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return np.array(numbers, dtype=np.float32)


def stored_array(proto: TensorProto, folder: Path) -> StoredArray:
    """folder: where the files beside the ONNX file lie. Raises FormatError for what cannot be."""
    shape, name = tuple(proto.dims), proto.name[:100]
    if len(shape) > _MAX_RANK or not all(0 <= size < 1 << 40 for size in shape):
        raise FormatError(f"The ONNX file's {name} has an impossible shape.")
    stored_as = _STORED_AS.get(proto.data_type)
    if proto.data_location != TensorProto.EXTERNAL:
        if stored_as is not None and not _fits(proto, math.prod(shape), stored_as.itemsize):
            raise FormatError(f"The ONNX file's {name} has other numbers than its shape says.")
        return StoredArray(proto, shape, None, 0)
    place = {entry.key: entry.value for entry in proto.external_data}
    location, offset = place.get("location", ""), place.get("offset", "0")
    if not _PLAIN_NAME.fullmatch(location) or not re.fullmatch(r"\d{1,15}", offset):
        raise FormatError(f"The ONNX file's {name} lies in a place that is no plain file beside it.")
    path, size_bytes = folder / location, math.prod(shape) * (stored_as.itemsize if stored_as else 0)
    if not path.is_file() or int(offset) + size_bytes > path.stat().st_size:
        raise FormatError(f"The file {location} beside the ONNX file is missing or cut short.")
    return StoredArray(proto, shape, path, int(offset))


def _fits(proto: TensorProto, count: int, item_size_bytes: int) -> bool:
    """Whether there are as many numbers as there should be, in either of the places that ONNX has inside its file."""
    if proto.raw_data:
        return len(proto.raw_data) == count * item_size_bytes
    return count == max(len(proto.float_data), len(proto.int32_data), len(proto.int64_data))
