"""A file on its way: the bytes that have come, on the disk under the name of the expected hash."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from personal_ai.common.errors import StorageError
from personal_ai.common.files import storage_errors, sync_folder
from personal_ai.models.hub.errors import WrongContentError
from personal_ai.models.hub.planning import HubFile

_READ_SIZE_BYTES = 1 << 20


def part_path(folder: Path, file: HubFile) -> Path:
    """Where the part lies. The same content in another revision is the same part."""
    return folder / f"{file.digest}.part"


def is_whole(path: Path, file: HubFile) -> bool:
    """Whether `path` holds all of `file`. Raises StorageError."""
    with storage_errors(f"read {file.name}"):
        if not path.is_file() or path.stat().st_size != file.size_bytes:
            return False
        running = file.new_hash()
        with path.open("rb") as content:
            while piece := content.read(_READ_SIZE_BYTES):
                running.update(piece)
    return running.hexdigest() == file.digest


class Part:
    """Opens what an earlier try left, or begins. Every byte is handed to the system before `append` returns, so that
    a kill loses none. A power cut may leave wrong bytes: the hash finds them. Raises StorageError.
    """

    def __init__(self, folder: Path, file: HubFile) -> None:
        self._doing = f"save {file.name}"
        self._file = file
        self._path = part_path(folder, file)
        self._hash = file.new_hash()
        self.size_bytes = 0
        with storage_errors(self._doing):
            self._stream = self._path.open("ab+", buffering=0)
            self._stream.seek(0)
            while piece := self._stream.read(_READ_SIZE_BYTES):
                self._count(piece)
        if self.size_bytes > file.size_bytes:
            self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def append(self, piece: bytes) -> None:
        """Raises WrongContentError when there are more bytes than announced, StorageError."""
        if self.size_bytes + len(piece) > self._file.size_bytes:
            raise WrongContentError(f"The hub sends more of {self._file.name} than it announced.")
        with storage_errors(self._doing):
            if self._stream.write(piece) != len(piece):
                raise StorageError(f"Could not {self._doing}: the disk took only a part.", next_step="Make room.")
        self._count(piece)

    def restart(self) -> None:
        """Throws away what has come."""
        with storage_errors(self._doing):
            self._stream.truncate(0)
        self._hash, self.size_bytes = self._file.new_hash(), 0

    def finish(self, target: Path) -> None:
        """Gives the file its name, once and whole. Raises WrongContentError, StorageError."""
        if self._hash.hexdigest() != self._file.digest:
            raise WrongContentError(
                f"{self._file.name} is not what the hub's list of files says; it was thrown away.",
                next_step="Try again later, or without a proxy.",
            )
        with storage_errors(self._doing):
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._path.replace(target)
            sync_folder(target.parent)

    def _count(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.size_bytes += len(piece)
