"""Reads tensors from a safetensors file lazily: the header is checked once, numbers are read from disk on demand.

They are read and not mapped: pages of a mapped file count as memory of the program, and a large model has many.

Format: 8 bytes little-endian header length, a JSON object name -> {dtype, shape, data_offsets}, then the data that
the offsets count from.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError
from personal_ai.models.fields import parse_json
from personal_ai.models.tensor_file import read_at

_MAX_HEADER_SIZE_BYTES = 16 << 20
_MAX_TENSORS = 100_000
_MAX_RANK = 8
_STORED_AS: Final[dict[str, np.dtype[Any]]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_ITEM_SIZE_BYTES: Final = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies: `start` counts from the beginning of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int

    @property
    def readable(self) -> bool:
        """Whether its numbers are of a type that `SafetensorsFile.rows` reads."""
        return self.dtype in _STORED_AS


class SafetensorsFile:
    """An open file; `tensors` maps names to places. Raises FormatError on construction when the file is broken."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise FormatError(f"{path.name} cannot be read as a safetensors file.") from error
        try:
            self.tensors = _parse_header(self._file, path.name)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def rows(self, name: str, start: int, stop: int) -> npt.NDArray[np.float32]:
        """See `tensor_file.TensorFile`."""
        tensor = self.tensors[name]
        row_size = math.prod(tensor.shape[1:])
        stored_as = _STORED_AS[tensor.dtype]
        count = (stop - start) * row_size
        offset = tensor.start + start * row_size * stored_as.itemsize
        values = np.frombuffer(read_at(self._file, offset, count * stored_as.itemsize, self.name), stored_as)
        return _as_float32(values, tensor.dtype).reshape(stop - start, *tensor.shape[1:])


def _as_float32(values: npt.NDArray[np.generic], dtype: str) -> npt.NDArray[np.float32]:
    if dtype == "BF16":  # the upper half of an f32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32, copy=False)


def _parse_header(file: BinaryIO, name: str) -> dict[str, StoredTensor]:
    file_size = file.seek(0, os.SEEK_END)
    length = int.from_bytes(read_at(file, 0, min(8, file_size), name), "little")
    if not 2 <= length <= min(_MAX_HEADER_SIZE_BYTES, file_size - 8):
        raise FormatError(f"{name} is no safetensors file, or it is cut short.")
    header = parse_json(read_at(file, 8, length, name), f"The header of {name}")
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
        raise FormatError(f"The header of {name} lists no tensors, or too many.")
    header.pop("__metadata__", None)
    return {tensor: _parse_entry(entry, 8 + length, file_size, f"{name}: {tensor}") for tensor, entry in header.items()}


def _parse_entry(entry: object, data_start: int, file_size: int, where: str) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise FormatError(f"{where} has no proper dtype, shape and offsets.")
    if len(shape) > _MAX_RANK or not all(type(size) is int and 0 <= size <= file_size for size in shape):
        raise FormatError(f"{where} has an impossible shape.")
    if dtype not in _ITEM_SIZE_BYTES:
        raise FormatError(f"{where} is of the unknown type {dtype[:20]!r}.")
    size_bytes = math.prod(shape) * _ITEM_SIZE_BYTES[dtype]
    if not 0 <= begin <= end <= file_size - data_start or end - begin != size_bytes:
        raise FormatError(f"{where} reaches beyond the file or has the wrong length; the file may be cut short.")
    return StoredTensor(dtype, tuple(shape), data_start + begin, size_bytes)
