"""Copies of sparse files are the same to read, and hold no more than the original."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from personal_ai.replica.sparse import copy_sparse

MIB = 1 << 20


def write(path: Path, size_bytes: int, pieces: dict[int, bytes]) -> bytes:
    with path.open("wb") as file:
        file.truncate(size_bytes)
        for offset, content in pieces.items():
            file.seek(offset)
            file.write(content)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("size_bytes", "pieces"),
    [
        (0, {}),
        (5, {0: b"hello"}),
        (20 * MIB, {}),
        (20 * MIB, {3 * MIB - 2: b"over a border", 20 * MIB - 1: b"\1"}),
        (3 * MIB, {0: bytes(2 * MIB), 2 * MIB: b"x" * MIB}),
    ],
)
@pytest.mark.parametrize("knows_holes", [True, False])
def test_a_copy_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int, pieces: dict[int, bytes], knows_holes: bool
) -> None:
    if not knows_holes:
        monkeypatch.delattr(os, "SEEK_DATA", raising=False)
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    content = write(source, size_bytes, pieces)
    copy_sparse(source, target)
    assert target.read_bytes() == content
    pieces_held = MIB * 2 * len(pieces) if not knows_holes else 0  # then a piece is copied whole or not at all
    assert target.stat().st_blocks * 512 <= source.stat().st_blocks * 512 + pieces_held


def test_a_source_that_is_not_there_gives_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    copy_sparse(tmp_path / "none", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""
