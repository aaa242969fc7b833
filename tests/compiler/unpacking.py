"""Packed program files as the engine has them in its heap (docs/formats/program.md): unpacking.zig in plain words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from personal_ai.compiler import format as f
from personal_ai.compiler.sizes import packed_size_bytes

_SCALES = 4 * f.WIDE_GROUP
_BLOCK_IN_PROGRAM = packed_size_bytes(f.Element.I4_BLOCK_BYTES, f.WIDE_GROUP, f.BLOCK)
_BLOCK_IN_FILE = packed_size_bytes(f.Element.I4_BLOCK_PACKED, f.WIDE_GROUP, f.BLOCK)


def read_unpacked(path: Path) -> bytes:
    """The program in the file at `path`."""
    data = path.read_bytes()
    if data[:8] != f.PACKED_MAGIC:
        return data
    program = bytearray()
    place = f.PACKED_HEADER.layout.size
    while place < len(data):
        packing, size = f.FRAME.layout.unpack_from(data, place)
        place += f.FRAME.layout.size
        stored = size // _BLOCK_IN_PROGRAM * _BLOCK_IN_FILE if packing == f.Packing.I4_BLOCKS else size
        piece = data[place : place + stored]
        program += _in_bytes(piece) if packing == f.Packing.I4_BLOCKS else piece
        place += stored
    assert f.PACKED_HEADER.layout.unpack_from(data)[-1] == len(program)
    return bytes(program)


def _in_bytes(blocks: bytes) -> bytes:
    stored = np.frombuffer(blocks, dtype=np.uint8).reshape(-1, _BLOCK_IN_FILE)
    pairs = stored[:, _SCALES:].reshape(len(stored), f.BLOCK // 2, 1, f.WIDE_GROUP)
    codes = np.concatenate([pairs & 15, pairs >> 4], axis=2).reshape(len(stored), -1)
    return np.concatenate([stored[:, :_SCALES], codes], axis=1).tobytes()
