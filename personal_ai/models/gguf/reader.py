"""Reads a GGUF file: facts and the list of tensors at once, numbers on demand. Every length is checked before use.

Format (ggml's docs/gguf.md), little-endian: "GGUF", version u32, number of tensors u64, number of facts u64; the facts
(name, type u32, value); the tensors (name, number of dimensions u32, dimensions u64 with the innermost first, number
format u32, offset u64); then, aligned, the numbers that the offsets count from. A text is its length u64 and UTF-8.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.models.gguf.blocks import FORMATS, OTHER_FORMATS, BlockFormat, dequantise
from personal_ai.models.quantisation import Floats
from personal_ai.models.tensor_file import read_at

MAGIC: Final = b"GGUF"
_VERSIONS = (2, 3)
MAX_HEAD_SIZE_BYTES: Final = 64 << 20
_MAX_TENSORS = 100_000
_MAX_FACTS = 10_000
_MAX_RANK = 4
_MAX_NAME_LENGTH = 1000
_MAX_ALIGNMENT = 1 << 20
_MAX_VALUES_PER_BYTE = 8
_READ_AHEAD_BYTES = 1 << 20

_TEXT, _ARRAY, _BOOLEAN = 8, 9, 7
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", _BOOLEAN: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor lies; `shape` has the outermost dimension first. `form` None: a number format that is not read."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    form: BlockFormat | None

    @property
    def readable(self) -> bool:
        return self.form is not None


class GgufFile:
    """An open file. `facts` are numbers, booleans, texts and lists of them. Raises FormatError on construction."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise FormatError(f"{path.name} cannot be read.") from error
        try:
            self.facts, self.tensors = _parse(_Head(self._file, path.name, self._file.seek(0, os.SEEK_END)))
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """Rows start..stop along the first dimension, as f32. The tensor must be readable."""
        tensor = self.tensors[name]
        assert tensor.form is not None
        row_size = math.prod(tensor.shape[1:])
        form = tensor.form
        first, last = start * row_size // form.values, stop * row_size // form.values
        offset = tensor.start + first * form.size_bytes
        data = read_at(self._file, offset, (last - first) * form.size_bytes, self.name)
        return dequantise(form, data).reshape(stop - start, *tensor.shape[1:])


class GgufHead:
    """What a file's first bytes say, for a forecast before the rest is there. Raises FormatError, also for too few."""

    def __init__(self, content: bytes, file_size_bytes: int, name: str) -> None:
        self.name = name
        head = _Head(BytesIO(content), name, file_size_bytes)
        self.facts, self.tensors = _parse(head)
        self.size_bytes = head.position

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """Ones in the place of the numbers, which are not there: no forecast asks how positions are turned."""
        return np.ones((stop - start, *self.tensors[name].shape[1:]), dtype=np.float32)


class _Head:
    """The file from its beginning, read piece by piece and never beyond its bounds."""

    def __init__(self, file: BinaryIO, name: str, file_size: int) -> None:
        """file_size: of the whole, of which `file` may have the first bytes only."""
        self._file, self.name = file, name
        self.file_size = file_size
        self._limit = min(file.seek(0, os.SEEK_END), MAX_HEAD_SIZE_BYTES)
        self._buffer, self._buffer_start, self.position = b"", 0, 0

    def take(self, size_bytes: int) -> bytes:
        """The next bytes. Raises FormatError where there are not so many."""
        if not 0 <= size_bytes <= self._limit - self.position:
            raise FormatError(f"{self.name} is cut short, or a length in it is wrong.")
        start = self.position - self._buffer_start
        if start + size_bytes > len(self._buffer):
            wanted = min(max(size_bytes, _READ_AHEAD_BYTES), self._limit - self.position)
            self._buffer, self._buffer_start = read_at(self._file, self.position, wanted, self.name), self.position
            start = 0
        self.position += size_bytes
        return self._buffer[start : start + size_bytes]

    def number(self, form: str) -> Any:
        """One number of a `struct` format."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def text(self, max_length: int = MAX_HEAD_SIZE_BYTES) -> str:
        size_bytes = self.number("Q")
        if size_bytes > max_length:
            raise FormatError(f"{self.name} has a name that is too long, or a length in it is wrong.")
        return self.take(size_bytes).decode(errors="replace")

    def value(self) -> object:
        kind = self.number("I")
        if kind != _ARRAY:
            return self._scalar(kind)
        kind, count = self.number("I"), self.number("Q")
        if kind == _TEXT:
            if count > (self._limit - self.position) // 8:
                raise FormatError(f"{self.name} has a list that is longer than the file.")
            return [self.text() for _ in range(count)]
        if kind not in _SCALARS:
            raise FormatError(f"{self.name} has a list of an unknown kind.")
        form = np.dtype(f"<{_SCALARS[kind]}")
        return np.frombuffer(self.take(min(count, 1 << 60) * form.itemsize), form).tolist()

    def _scalar(self, kind: int) -> object:
        if kind == _TEXT:
            return self.text()
        if kind not in _SCALARS:
            raise FormatError(f"{self.name} has a value of an unknown kind.")
        return self.number(_SCALARS[kind])


def _parse(head: _Head) -> tuple[dict[str, Any], dict[str, GgufTensor]]:
    if head.file_size < 24 or head.take(4) != MAGIC:
        raise FormatError(f"{head.name} is no GGUF file, or it is cut short.")
    version = head.number("I")
    if version not in _VERSIONS:
        raise UnknownVersionError(
            f"{head.name} is of GGUF version {version}; versions 2 and 3 are known, little-endian.",
            next_step="Convert the original model again with a newer llama.cpp.",
        )
    tensor_count, fact_count = head.number("Q"), head.number("Q")
    if tensor_count > _MAX_TENSORS or fact_count > _MAX_FACTS:
        raise FormatError(f"{head.name} has too many tensors or facts, or a length in it is wrong.")
    facts = {head.text(_MAX_NAME_LENGTH): head.value() for _ in range(fact_count)}
    listed = [_listed(head) for _ in range(tensor_count)]
    alignment = facts.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= _MAX_ALIGNMENT:
        raise FormatError(f"{head.name} has an impossible alignment.")
    data_start = head.position + -head.position % alignment
    tensors = {name: _placed(head, name, tensor, data_start) for name, tensor in listed}
    if len(facts) != fact_count or len(tensors) != tensor_count:
        raise FormatError(f"{head.name} has two tensors or facts of one name.")
    return facts, tensors


def _listed(head: _Head) -> tuple[str, GgufTensor]:
    """A tensor's name and place, which counts from where the numbers begin."""
    name, rank = head.text(_MAX_NAME_LENGTH), head.number("I")
    if not 1 <= rank <= _MAX_RANK:
        raise FormatError(f"{head.name}: {name[:100]} has an impossible shape.")
    shape = tuple(head.number("Q") for _ in range(rank))[::-1]
    kind, offset = head.number("I"), head.number("Q")
    form = FORMATS.get(kind)
    return name, GgufTensor(form.name if form else OTHER_FORMATS.get(kind, f"number {kind}"), shape, offset, form)


def _placed(head: _Head, name: str, tensor: GgufTensor, data_start: int) -> GgufTensor:
    """The tensor with its place in the file. Rows are whole blocks, and lie in the file."""
    if not all(1 <= size <= head.file_size * _MAX_VALUES_PER_BYTE for size in tensor.shape):
        raise FormatError(f"{head.name}: {name[:100]} has an impossible shape.")
    start = data_start + tensor.start
    if tensor.form is not None:
        blocks, rest = divmod(math.prod(tensor.shape), tensor.form.values)
        if rest or tensor.shape[-1] % tensor.form.values or start + blocks * tensor.form.size_bytes > head.file_size:
            raise FormatError(f"{head.name}: {name[:100]} reaches beyond the file; it may be cut short.")
    return GgufTensor(tensor.dtype, tensor.shape, start, tensor.form)
