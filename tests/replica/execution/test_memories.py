"""Heap and stable memory of one message: what is shown, what is touched, what has changed."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.replica import stable as stable_module
from personal_ai.replica.canister import WASM_PAGE_BYTES
from personal_ai.replica.heap import HEAP_FILE_BYTES, ComparedHeap, MappedHeap, cache_in_small_pages
from personal_ai.replica.stable import STABLE_MAX_PAGES, StableMemory
from tests.replica.execution.driver import Driver, numbers

PAGES = 512
SIZE = PAGES * WASM_PAGE_BYTES
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the page map is Linux's")


@pytest.fixture
def base() -> Iterator[int]:
    """Reserved addresses, as wasmtime reserves them for a memory."""
    with mmap.mmap(-1, max(HEAP_FILE_BYTES, SIZE) + WASM_PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        address = ctypes.addressof(anchor := ctypes.c_char.from_buffer(area))
        yield -(-address // WASM_PAGE_BYTES) * WASM_PAGE_BYTES
        del anchor


def committed_file(folder: Path, kind: str) -> Path:
    """A heap file that has been written as the store writes it, then treated in several ways."""
    path = folder / kind
    rng = np.random.default_rng(3)
    with path.open("w+b", buffering=0) as file:
        file.truncate(HEAP_FILE_BYTES or SIZE)
        for page in range(0 if kind == "holes" else PAGES):
            file.seek(page * WASM_PAGE_BYTES)
            file.write(rng.bytes(WASM_PAGE_BYTES))
        os.fsync(file.fileno())
        if kind in ("cold", "read by others"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if kind == "read by others":  # with read-ahead, which leaves large folios in the cache
        subprocess.run(["head", "-c", str(SIZE), path], stdout=subprocess.DEVNULL, check=True)
        cache_in_small_pages(path)
    return path


@only_linux
@pytest.mark.parametrize("kind", ["holes", "written", "cold", "read by others"])
def test_touched_pages_are_exact(tmp_path: Path, base: int, kind: str) -> None:
    path = committed_file(tmp_path, kind)
    rng = np.random.default_rng(5)
    for share in (0.02, 0.3, 0.9):
        heap = MappedHeap(base)
        heap.attach(path, SIZE)
        read, written = rng.random(PAGES) < share, rng.random(PAGES) < share / 2
        for page in rng.permutation(np.flatnonzero(read)).tolist():
            ctypes.string_at(base + page * WASM_PAGE_BYTES + int(rng.integers(WASM_PAGE_BYTES)), 1)
        for page in rng.permutation(np.flatnonzero(written)).tolist():
            ctypes.memset(base + page * WASM_PAGE_BYTES + int(rng.integers(WASM_PAGE_BYTES)), 7, 1)
        touched = heap.touched(SIZE)
        assert (touched.accessed == (read | written)).all()
        assert (touched.written == written).all()


@only_linux
def test_touches_in_order_are_exact_too(tmp_path: Path, base: int) -> None:
    """Reading straight through is what makes a kernel read ahead."""
    path = committed_file(tmp_path, "cold")
    heap = MappedHeap(base)
    heap.attach(path, SIZE)
    for page in range(100):
        ctypes.string_at(base + page * WASM_PAGE_BYTES, WASM_PAGE_BYTES)
        assert heap.touched(SIZE).accessed.sum() == page + 1


@only_linux
def test_pages_are_counted_once_and_kept_in_mind(tmp_path: Path, base: int) -> None:
    heap = MappedHeap(base)
    heap.attach(committed_file(tmp_path, "written"), SIZE)
    assert not heap.touched(SIZE).accessed.any()
    for _ in range(3):
        ctypes.string_at(base + 5 * WASM_PAGE_BYTES, 1)
        assert np.flatnonzero(heap.touched(SIZE).accessed).tolist() == [5]
    ctypes.memset(base + 9 * WASM_PAGE_BYTES, 1, 1)
    touched = heap.touched(SIZE)
    assert np.flatnonzero(touched.accessed).tolist() == [5, 9]
    assert np.flatnonzero(touched.written).tolist() == [9]


@pytest.mark.parametrize("kind", [MappedHeap, ComparedHeap] if sys.platform == "linux" else [ComparedHeap])
def test_changes_are_what_was_written(tmp_path: Path, base: int, kind: type[MappedHeap | ComparedHeap]) -> None:
    path = committed_file(tmp_path, "written")
    before = path.read_bytes()[:SIZE] if not HEAP_FILE_BYTES else _head(path, SIZE)
    heap = kind(base)
    heap.attach(path, SIZE)
    expected = bytearray(before)
    rng = np.random.default_rng(8)
    for size in (1, 5000, 4096, 200_000):
        at, content = int(rng.integers(SIZE - size)), rng.bytes(size)
        ctypes.memmove(base + at, content, size)
        expected[at : at + size] = content
    assert ctypes.string_at(base, SIZE) == bytes(expected)
    rebuilt = bytearray(before)
    changes = list(heap.changes(SIZE))
    for offset, content in changes:
        rebuilt[offset : offset + len(content)] = content
    assert rebuilt == expected
    assert sum(len(content) for _, content in changes) <= 240_000
    assert _head(path, SIZE) == before


def test_the_map_wants_its_place_aligned() -> None:
    with pytest.raises(RuntimeError):
        MappedHeap(4096)


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


@only_linux
def test_a_message_pays_for_each_page_once_by_reading_and_once_by_writing(echo: Driver) -> None:
    start, pages = 16 << 20, 64
    argument = numbers(start, pages * WASM_PAGE_BYTES, WASM_PAGE_BYTES)
    echo.update("touch_write", argument)  # the heap has grown now
    nothing = numbers(start, 0, WASM_PAGE_BYTES)
    base = echo.update("touch_read", nothing)
    read = echo.update("touch_read", argument)
    assert (read.pages_touched, read.pages_dirtied) == (base.pages_touched + pages, base.pages_dirtied)
    written = echo.update("touch_write", argument)
    base_written = echo.update("touch_write", nothing)
    assert written.pages_dirtied == base_written.pages_dirtied + pages
    assert 80_000 * pages < read.instructions - base.instructions < 80_000 * pages + 40 * pages
    difference = written.instructions - base_written.instructions
    assert 160_000 * pages < difference < 160_000 * pages + 40 * pages
    fine = echo.update("touch_read", numbers(start, pages * WASM_PAGE_BYTES, 512))
    assert fine.pages_touched == read.pages_touched
    query = echo.query("touch_read_query", argument)
    assert query.pages_touched == read.pages_touched


@only_linux
@pytest.mark.parametrize("restarted", [False, True])
def test_a_heap_written_in_long_stretches_is_touched_page_by_page(echo: Driver, restarted: bool) -> None:
    """The kernel maps whatever it cached together: a commit must not leave large pieces in its cache."""
    start, size = 16 << 20, 32 << 20
    echo.update("touch_write", numbers(start, size, 1024))
    if restarted:
        echo.reopen()
    base = echo.query("touch_read_query", numbers(start, 0, 1))
    sparse = echo.query("touch_read_query", numbers(start, size, 1 << 20))
    assert sparse.pages_touched == base.pages_touched + 32


def test_pages_of_stable_memory_cost_the_same(echo: Driver) -> None:
    echo.update("stable_write", numbers(0) + bytes(20 * WASM_PAGE_BYTES))
    one, five = (echo.query("stable_read", numbers(100, size * WASM_PAGE_BYTES - 200), limit=10**9) for size in (1, 5))
    extra = five.instructions - one.instructions
    heap_pages = five.pages_touched - one.pages_touched - 4
    dirtied = five.pages_dirtied - one.pages_dirtied
    bytes_copied = 2 * 4 * WASM_PAGE_BYTES  # into the heap and into the reply
    assert 0 <= extra - 80_000 * (4 + heap_pages + dirtied) - bytes_copied < 2000


@only_linux
def test_the_performance_counter_counts_page_touches(echo: Driver) -> None:
    outcome = echo.update("spin", numbers(1000))
    counted = int.from_bytes(outcome.reply or b"", "little")
    assert 160_000 * 2 < counted <= outcome.instructions < counted + 165_000


# ---- stable memory against a plain bytearray

OFFSETS = st.one_of(st.integers(0, 200_000), st.sampled_from([0, 4095, 4096, 65535, 65536, 131071]))


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(st.sampled_from(["write", "read", "commit"]), OFFSETS, st.integers(0, 70_000), st.integers(0, 255)),
        max_size=12,
    )
)
def test_stable_memory_is_a_row_of_bytes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("stable") / "stable"
    pages = 5
    model = bytearray(pages * WASM_PAGE_BYTES)
    stable = StableMemory(path, pages)
    for kind, offset, size, value in steps:
        if not stable.holds(offset, size):
            assert offset + size > len(model)
        elif kind == "write":
            content = bytes([value]) * size
            stable.write(offset, content)
            model[offset : offset + size] = content
        elif kind == "read":
            target = (ctypes.c_char * (size + 1))()
            target[size] = b"!"
            stable.read_into(ctypes.addressof(target), offset, size)
            assert target.raw == bytes(model[offset : offset + size]) + b"!"
        else:
            with path.open("r+b" if path.exists() else "w+b") as file:
                for at, content in stable.changes():
                    file.seek(at)
                    file.write(content)
            stable.close()
            stable = StableMemory(path, pages)
    stable.close()


def test_stable_memory_has_an_end() -> None:
    stable = StableMemory(None, 1)
    assert stable.grow(STABLE_MAX_PAGES) is None
    assert stable.grow(STABLE_MAX_PAGES - 1) == 1
    assert stable.grow(0) == STABLE_MAX_PAGES
    assert not stable.holds(STABLE_MAX_PAGES * WASM_PAGE_BYTES, 1)


def test_touched_stable_pages() -> None:
    stable = StableMemory(None, 10)
    stable.write(WASM_PAGE_BYTES - 1, b"ab")
    target = (ctypes.c_char * 10)()
    stable.read_into(ctypes.addressof(target), 5 * WASM_PAGE_BYTES, 10)
    stable.read_into(ctypes.addressof(target), 0, 0)
    assert (stable.touched, stable.written) == ({0, 1, 5}, {0, 1})


def test_reading_where_the_system_has_no_preadv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("personal_ai.replica.stable._read_at", stable_module._read_with_seek)
    path = tmp_path / "stable"
    path.write_bytes(bytes(range(256)) * 300)
    stable = StableMemory(path, 2)
    target = (ctypes.c_char * 1000)()
    stable.read_into(ctypes.addressof(target), 300, 1000)
    stable.close()
    assert target.raw == (bytes(range(256)) * 300)[300:1300]
