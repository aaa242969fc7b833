"""Copying sparse files: holes stay holes, so that a copy costs what the file holds and not what it spans."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from personal_ai.common.files import storage_errors, sync_folder

_PIECE_BYTES = 1 << 20


def copy_sparse(source: Path, target: Path) -> None:
    """A copy that is on the disk when this returns; a source that is not there gives an empty file.

    Raises StorageError.
    """
    with storage_errors(f"copy {source.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as written:
            if source.exists():
                with source.open("rb") as read:
                    size_bytes = os.fstat(read.fileno()).st_size
                    for start, end in _stretches(read.fileno(), size_bytes):
                        _copy(read.fileno(), written.fileno(), start, end)
                written.truncate(size_bytes)
            os.fsync(written.fileno())
        sync_folder(target.parent)


def _stretches(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Where the file has data. All of it, where the system cannot tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size_bytes
        return
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def _copy(source: int, target: int, start: int, end: int) -> None:
    """Stretches of zeros become holes."""
    while start < end:
        os.lseek(source, start, os.SEEK_SET)
        piece = os.read(source, min(end - start, _PIECE_BYTES))
        if not piece:
            return
        if piece.strip(b"\0"):
            os.lseek(target, start, os.SEEK_SET)
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
        start += len(piece)
