"""Files that are either whole or not there at all."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from personal_ai.common.errors import StorageError

_READ_SIZE_BYTES = 1 << 20

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Make room, then try again."),
    errno.EDQUOT: ("the disk quota is used up", "Make room, then try again."),
    errno.EROFS: ("the disk is read-only", "Choose another folder."),
    errno.EACCES: ("permission was denied", "Choose another folder, or allow this one to be used."),
    errno.EPERM: ("permission was denied", "Choose another folder, or allow this one to be used."),
}


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turns the operating system's errors while `doing` something ("save the vault") into StorageError."""
    try:
        yield
    except OSError as error:
        reason, next_step = _REASONS.get(
            error.errno or 0, ((error.strerror or type(error).__name__).lower(), "Check the folder, then try again.")
        )
        raise StorageError(
            f"Could not {doing}: {reason}.", not_lost="What was saved before is unchanged.", next_step=next_step
        ) from error


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces `path` by `content`, or leaves it as it was. The mode is set before any byte is written.

    Raises StorageError.
    """
    with storage_errors(f"save {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        aside = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                aside.chmod(mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable where the system can (POSIX)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of_file(path: Path) -> str:
    """Lower-case hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_SIZE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
