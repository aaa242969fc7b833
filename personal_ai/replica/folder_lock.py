"""One process at a time on a state folder: the system takes the lock away when the process dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from personal_ai.common.errors import StorageError
from personal_ai.common.files import storage_errors

_FILE_NAME = "lock"


class FolderInUseError(StorageError):
    """Another process works with this state folder."""


class FolderLock:
    """Held from creation until `release` or the end of the process. Raises FolderInUseError, StorageError."""

    def __init__(self, folder: Path) -> None:
        with storage_errors("open the practice network's folder"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # canisters hold conversations
            self._descriptor = os.open(folder / _FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise FolderInUseError(
                f"Another practice network already runs on {folder}.",
                not_lost="Nothing was changed.",
                next_step="Use that one, or stop it first.",
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
