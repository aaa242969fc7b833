"""The smallest pieces of the Wasm binary format: LEB128 numbers, names, sections."""

from __future__ import annotations

from personal_ai.common.errors import FormatError
from personal_ai.ic.leb128 import unsigned

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F

_LEB_BYTES_MAX = 10


class WasmError(FormatError):
    """A module that is no valid Wasm or breaks the network's rules for canister modules."""


def vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def section(identifier: int, content: bytes) -> bytes:
    return bytes([identifier]) + unsigned(len(content)) + content


class Cursor:
    """Reads hostile bytes from `position` to `end`; every step past the end raises WasmError."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data, self.position = data, position
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        if self.position >= self.end:
            raise WasmError("The module ends in the middle.")
        self.position += 1
        return self.data[self.position - 1]

    def unsigned(self) -> int:
        value = 0
        for shift in range(0, 7 * _LEB_BYTES_MAX, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise WasmError("A number in the module is too long.")

    def take(self, size: int) -> bytes:
        return self.data[self.skip(size) : self.position]

    def skip(self, size: int) -> int:
        """Steps over `size` bytes and tells where they begin."""
        start = self.position
        if size > self.end - start:
            raise WasmError("The module ends in the middle.")
        self.position = start + size
        return start

    def name(self) -> str:
        try:
            return self.take(self.unsigned()).decode()
        except UnicodeDecodeError as error:
            raise WasmError("A name in the module is not UTF-8.") from error

    def count(self) -> int:
        """The length of a vector, of which every element takes at least one byte."""
        count = self.unsigned()
        if count > self.end - self.position:
            raise WasmError("A list in the module is longer than the module.")
        return count

    def inside(self, size: int) -> Cursor:
        """A cursor over the next `size` bytes; this one continues behind them."""
        start = self.skip(size)
        return Cursor(self.data, start, start + size)

    @property
    def at_end(self) -> bool:
        return self.position == self.end
