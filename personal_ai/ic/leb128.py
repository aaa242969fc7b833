"""LEB128 numbers, written in the shortest form."""

from __future__ import annotations


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
