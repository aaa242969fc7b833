"""What every file with tensors looks like to the import, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, Protocol

from personal_ai.common.errors import FormatError
from personal_ai.models.quantisation import Floats


class Tensor(Protocol):
    """What is known of a tensor before its numbers are read. `dtype` is for messages."""

    @property
    def dtype(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def readable(self) -> bool:
        """Whether `TensorFile.rows` reads its type."""


class TensorFile(Protocol):
    """An open file; its tensors are named and laid out as Hugging Face's transformers does."""

    @property
    def tensors(self) -> Mapping[str, Tensor]: ...

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """Rows start..stop along the first dimension as f32, a copy of its own; no more than they is read.

        Raises FormatError.
        """

    def close(self) -> None: ...


def read_at(file: BinaryIO, offset: int, size_bytes: int, name: str) -> bytes:
    """A piece of an open file that is called `name`. Raises FormatError where the file ends or fails before."""
    try:
        file.seek(offset)
        data = file.read(size_bytes)
    except OSError as error:
        raise FormatError(f"{name} cannot be read: {(error.strerror or 'unknown reason').lower()}.") from error
    if len(data) != size_bytes:
        raise FormatError(f"{name} ended too soon; it may be cut short or still be written.")
    return data
