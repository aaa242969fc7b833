"""The Wasm memory of one running message: the committed file underneath, what the message changed on top.

On Linux the committed file is mapped privately over the memory that wasmtime reserved. Reading faults in pages
of the file, writing makes private copies, and the kernel's page map tells the two apart, so a message costs what
it touches and not what the heap holds.

Around a fault the kernel maps the cached pages of the aligned 64 KiB, or (since Linux 6.18) all of the folio that
the page is cached in. So at the granularity of a Wasm page the touched pages are exact as long as no cached folio
is larger than that. So faults never read ahead (a page that a commit writes was then cached alone before), new
files are written page by page, and `cache_in_small_pages` replaces what others may have left in the cache. Should
the kernel drop a page of the file under memory pressure before anybody looks, it is not counted.

Elsewhere the file is copied in and compared afterwards: changes are exact, but a page that was only read cannot
be told from one that was not, and the counts cover written pages only, known when the message ends.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from personal_ai.common.files import storage_errors
from personal_ai.replica.canister import WASM_PAGE_BYTES

# A heap file is sparse and has the size of the largest heap from the start, so that growing needs no new mapping.
HEAP_FILE_BYTES = 6 << 30 if sys.platform == "linux" else 0

_OS_PAGE_BYTES = mmap.PAGESIZE
_OS_PAGES = WASM_PAGE_BYTES // _OS_PAGE_BYTES
_COMPARED_BYTES = 16 << 20
_CACHED_BYTES = 1 << 20

Pages = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Touched:
    """One flag per Wasm page."""

    accessed: Pages  # read or written
    written: Pages


class Heap(Protocol):
    """The memory from `base` of one instance."""

    exact: bool  # `touched` is cheap and knows what was only read

    def attach(self, committed: Path, size_bytes: int) -> None:
        """Shows the first `size_bytes` of the committed file in the memory. Raises StorageError."""

    def touched(self, size_bytes: int) -> Touched:
        """The pages touched since `attach`; `size_bytes` is the memory's size now."""

    def changes(self, size_bytes: int) -> Iterator[tuple[int, bytes]]:
        """The stretches (offset, content) that may differ from the committed file."""


def heap_at(base: int) -> Heap:
    """The best implementation for this system."""
    return MappedHeap(base) if sys.platform == "linux" else ComparedHeap(base)


def cache_in_small_pages(path: Path) -> None:
    """Reads a heap file into the system's cache anew, one small page at a time (Linux). Raises StorageError."""
    if sys.platform != "linux":
        return
    with storage_errors("read a canister's memory"), path.open("r+b", buffering=0) as file:
        os.fsync(file.fileno())  # only what is on the disk can be dropped from the cache
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        buffer = bytearray(_CACHED_BYTES)
        position = _next_data(file.fileno(), 0)
        while position is not None:
            file.seek(position)
            file.readinto(buffer)
            position = _next_data(file.fileno(), position + len(buffer))


def _next_data(descriptor: int, position: int) -> int | None:
    """Where the next bytes that are no hole begin."""
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


class MappedHeap:
    """A private mapping of the committed file (Linux)."""

    exact = True

    def __init__(self, base: int) -> None:
        if base % WASM_PAGE_BYTES:
            raise RuntimeError("wasmtime placed a memory across the kernel's groups of pages")
        self._base = base
        self._faults = -1
        self._seen = Touched(np.zeros(0, np.bool_), np.zeros(0, np.bool_))

    def attach(self, committed: Path, size_bytes: int) -> None:
        with storage_errors("map a canister's memory"):
            descriptor = os.open(committed, os.O_RDONLY)
            try:
                _map_privately(self._base, size_bytes, _READ | _WRITE, descriptor, 0)
                rest = self._base + size_bytes  # becomes writable when wasmtime grows the memory
                _map_privately(rest, HEAP_FILE_BYTES - size_bytes, 0, descriptor, size_bytes)
            finally:
                os.close(descriptor)
            for advice in (_MADV_NOHUGEPAGE, _MADV_RANDOM):
                _check(_libc().madvise(self._base, HEAP_FILE_BYTES, advice) == 0)

    def touched(self, size_bytes: int) -> Touched:
        pages = size_bytes // WASM_PAGE_BYTES
        if _faults_of_this_thread() == self._faults and len(self._seen.accessed) == pages:
            return self._seen  # every first touch is a page fault
        present, private = self._page_map(size_bytes)
        accessed = _by_wasm_page(present)
        accessed[: len(self._seen.accessed)] |= self._seen.accessed
        self._seen = Touched(accessed, _by_wasm_page(private))
        self._faults = _faults_of_this_thread()
        return self._seen

    def changes(self, size_bytes: int) -> Iterator[tuple[int, bytes]]:
        _, private = self._page_map(size_bytes)
        for first, last in _runs(private):
            offset, size = first * _OS_PAGE_BYTES, (last - first) * _OS_PAGE_BYTES
            yield offset, ctypes.string_at(self._base + offset, size)

    def _page_map(self, size_bytes: int) -> tuple[Pages, Pages]:
        """Per page of the system: is it there (or swapped out), and is it a private copy?"""
        count = size_bytes // _OS_PAGE_BYTES
        content = os.pread(_page_map_descriptor(), count * 8, self._base // _OS_PAGE_BYTES * 8)
        entries = np.frombuffer(content, np.uint64)
        if len(entries) != count:
            raise RuntimeError("the kernel's page map is shorter than the memory")
        present = entries >= np.uint64(1 << 62)  # bit 63 present, 62 swapped
        return present, present & (entries & np.uint64(1 << 61) == 0)  # bit 61 a page of the file


class ComparedHeap:
    """A copy of the committed file, compared with it afterwards (any system)."""

    exact = False

    def __init__(self, base: int) -> None:
        self._base = base
        self._committed = Path()
        self._committed_bytes = 0

    def attach(self, committed: Path, size_bytes: int) -> None:
        self._committed, self._committed_bytes = committed, size_bytes
        with storage_errors("read a canister's memory"), committed.open("rb", buffering=0) as file:
            for offset in range(0, size_bytes, _COMPARED_BYTES):
                size = min(_COMPARED_BYTES, size_bytes - offset)
                piece = (ctypes.c_char * size).from_address(self._base + offset)
                got = file.readinto(piece)
                ctypes.memset(self._base + offset + got, 0, size - got)

    def touched(self, size_bytes: int) -> Touched:
        written = _by_wasm_page(self._differing(size_bytes))
        return Touched(written, written)

    def changes(self, size_bytes: int) -> Iterator[tuple[int, bytes]]:
        for first, last in _runs(self._differing(size_bytes)):
            offset, size = first * _OS_PAGE_BYTES, (last - first) * _OS_PAGE_BYTES
            yield offset, ctypes.string_at(self._base + offset, size)

    def _differing(self, size_bytes: int) -> Pages:
        flags = [np.zeros(0, np.bool_)]
        with storage_errors("read a canister's memory"), self._committed.open("rb", buffering=0) as file:
            for offset in range(0, size_bytes, _COMPARED_BYTES):
                size = min(_COMPARED_BYTES, size_bytes - offset)
                old = bytearray(size)
                if offset < self._committed_bytes:
                    file.seek(offset)
                    file.readinto(memoryview(old)[: self._committed_bytes - offset])
                now = memoryview((ctypes.c_ubyte * size).from_address(self._base + offset))
                differs = np.frombuffer(now, np.uint64) != np.frombuffer(old, np.uint64)
                flags.append(differs.reshape(-1, _OS_PAGE_BYTES // 8).any(axis=1))
        return np.concatenate(flags)


def _by_wasm_page(flags: Pages) -> Pages:
    """Flags per page of the system, joined into flags per Wasm page."""
    joined: Pages = np.logical_or.reduce(flags.reshape(-1, _OS_PAGES), axis=1)
    return joined


def _runs(flags: Pages) -> Iterator[tuple[int, int]]:
    """Stretches [first, last) of set flags."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


_READ, _WRITE = 1, 2
_MAP_PRIVATE, _MAP_FIXED, _MAP_NORESERVE = 0x02, 0x10, 0x4000
_MADV_RANDOM, _MADV_NOHUGEPAGE = 1, 15


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    numbers = (ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *numbers]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc


@cache
def _page_map_descriptor() -> int:
    return os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)


def _map_privately(address: int, size_bytes: int, protection: int, descriptor: int, offset: int) -> None:
    if not size_bytes:
        return
    flags = _MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
    _check(_libc().mmap(address, size_bytes, protection, flags, descriptor, offset) == address)


def _check(succeeded: bool) -> None:
    if not succeeded:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _faults_of_this_thread() -> int:
    import resource  # noqa: PLC0415  # not on every system

    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_minflt + usage.ru_majflt
