"""The files with canisters' memories: made, and written piece by piece."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from personal_ai.common.files import storage_errors, sync_folder


@dataclass(frozen=True, slots=True)
class Piece:
    """A changed stretch of a memory file."""

    path: Path
    offset: int
    content: bytes


def create_memory_file(path: Path, size_bytes: int) -> None:
    """An empty sparse file, durable before any transaction can refer to it."""
    with storage_errors(f"create {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size_bytes)
        sync_folder(path.parent)


def write_piece(piece: Piece) -> None:
    """Puts a piece into its file, which is made where it is not there. Raises StorageError."""
    path = piece.path
    with storage_errors(f"write {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if path.exists() else "w+b", buffering=0) as file:
            file.seek(piece.offset)
            view = memoryview(piece.content)
            while view:
                view = view[file.write(view) :]


def sync_file(path: Path) -> None:
    """What was written into the file is on the disk when this returns."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    sync_folder(path.parent)
