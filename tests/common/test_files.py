"""A file is replaced whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from personal_ai.common.errors import StorageError
from personal_ai.common.files import sha256_of_file, storage_errors, write_atomically


def test_replaces_and_keeps_the_mode_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full") as caught:
        write_atomically(path, b"new")
    assert "unchanged" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_other_errors_keep_the_system_words() -> None:
    with pytest.raises(StorageError, match="Could not read it: no such file"), storage_errors("read it"):
        Path("/nonexistent/file").read_bytes()


def test_hash_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
