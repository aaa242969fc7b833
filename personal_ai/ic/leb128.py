"""LEB128 numbers, written in the shortest form."""

from __future__ import annotations

from personal_ai.common.errors import FormatError

_MAX_SIZE_BYTES = 10


def unsigned(value: int) -> bytes:
    """Unsigned LEB128 of a number that is not negative."""
    if value < 0:
        raise ValueError("unsigned LEB128 has no negative numbers")
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Signed LEB128 (two's complement)."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def read_unsigned(data: bytes) -> int:
    """The number that fills `data`, at most 64 bits. Raises FormatError."""
    if not 0 < len(data) <= _MAX_SIZE_BYTES or data[-1] >= 0x80 or any(byte < 0x80 for byte in data[:-1]):
        raise FormatError("A number is malformed.")
    value = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))
    if value >> 64:
        raise FormatError("A number has more than 64 bits.")
    return value
