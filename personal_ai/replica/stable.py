"""Stable memory of one running message: the committed file underneath, written pages on top."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from personal_ai.common.files import storage_errors
from personal_ai.replica.canister import WASM_PAGE_BYTES

STABLE_MAX_PAGES = 500 << 14  # 500 GiB

_PIECE_BYTES = 4096


class StableMemory:
    """Not thread-safe: it belongs to one message (or to the steps of one upgrade).

    touched, written: indices of the Wasm pages read or written, and written, by this message.
    """

    def __init__(self, committed: Path | None, pages: int) -> None:
        self.pages = pages
        self.touched: set[int] = set()
        self.written: set[int] = set()
        self._committed = committed
        self._changed: dict[int, bytearray] = {}  # number of a piece of 4 KiB -> its content now
        self._descriptor: int | None = None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def begin_step(self) -> None:
        """Forgets which pages were touched, not what was written."""
        self.touched.clear()
        self.written.clear()

    def grow(self, pages: int) -> int | None:
        """Adds pages and gives the size before, or None when the memory would become too large."""
        before = self.pages
        if before + pages > STABLE_MAX_PAGES:
            return None
        self.pages += pages
        return before

    def holds(self, offset: int, size: int) -> bool:
        return offset + size <= self.pages * WASM_PAGE_BYTES

    def read_into(self, address: int, offset: int, size: int) -> None:
        """Copies `size` bytes from `offset` to a memory address. The caller has checked both ranges."""
        if not size:
            return
        self.touched.update(_pages(offset, size))
        self._read_committed(address, offset, size)
        if self._changed:
            for number, start, end in _pieces(offset, size):
                changed = self._changed.get(number)
                if changed is not None:
                    at = address + number * _PIECE_BYTES + start - offset
                    ctypes.memmove(at, bytes(changed[start:end]), end - start)

    def write(self, offset: int, content: bytes) -> None:
        """Writes `content` at `offset`. The caller has checked the range."""
        if not content:
            return
        pages = _pages(offset, len(content))
        self.touched.update(pages)
        self.written.update(pages)
        for number, start, end in _pieces(offset, len(content)):
            changed = self._changed.get(number)
            if changed is None:
                changed = self._changed[number] = self._committed_piece(number, whole=end - start == _PIECE_BYTES)
            at = number * _PIECE_BYTES + start - offset
            changed[start:end] = content[at : at + end - start]

    def changes(self) -> Iterator[tuple[int, bytes]]:
        """Stretches (offset, content) that differ from the committed file, in order."""
        run: list[bytearray] = []
        first = 0
        for number in sorted(self._changed):
            if run and number != first + len(run):
                yield first * _PIECE_BYTES, b"".join(run)
                run = []
            if not run:
                first = number
            run.append(self._changed[number])
        if run:
            yield first * _PIECE_BYTES, b"".join(run)

    def _committed_piece(self, number: int, *, whole: bool) -> bytearray:
        piece = bytearray(_PIECE_BYTES)
        if not whole:
            address = ctypes.addressof((ctypes.c_char * _PIECE_BYTES).from_buffer(piece))
            self._read_committed(address, number * _PIECE_BYTES, _PIECE_BYTES)
        return piece

    def _read_committed(self, address: int, offset: int, size: int) -> None:
        got = 0
        with storage_errors("read a canister's stable memory"):
            if self._descriptor is None and self._committed is not None and self._committed.exists():
                self._descriptor = os.open(self._committed, os.O_RDONLY)
            while self._descriptor is not None and got < size:
                target = (ctypes.c_char * (size - got)).from_address(address + got)
                count = _read_at(self._descriptor, target, offset + got)
                if not count:
                    break
                got += count
        ctypes.memset(address + got, 0, size - got)  # beyond the file's end all is zero


def _pages(offset: int, size: int) -> range:
    return range(offset // WASM_PAGE_BYTES, (offset + size - 1) // WASM_PAGE_BYTES + 1)


def _pieces(offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """The pieces of a stretch: (number, start, end) with start and end inside the piece."""
    end = offset + size
    for number in range(offset // _PIECE_BYTES, (end - 1) // _PIECE_BYTES + 1):
        begin = number * _PIECE_BYTES
        yield number, max(offset - begin, 0), min(end - begin, _PIECE_BYTES)


def _read_with_seek(descriptor: int, target: ctypes.Array[ctypes.c_char], offset: int) -> int:
    os.lseek(descriptor, offset, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.readinto(target) or 0


def _read_directly(descriptor: int, target: ctypes.Array[ctypes.c_char], offset: int) -> int:
    return os.preadv(descriptor, [target], offset)


_read_at: Callable[[int, ctypes.Array[ctypes.c_char], int], int] = (
    _read_directly if hasattr(os, "preadv") else _read_with_seek
)
