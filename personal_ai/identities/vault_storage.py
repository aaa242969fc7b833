"""The vault's files on disk: the one that counts, and the one before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from personal_ai.common.errors import StorageError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.common.locks import holding
from personal_ai.identities import vault_file

_LOCK_TIMEOUT_S = 10.0
_LOCK_RETRY_S = 0.02


def previous(path: Path) -> Path:
    """What the vault was before its last change: for the day on which the newest file is damaged."""
    return path.with_name(f"{path.name}.previous")


def of_version(path: Path, version: int) -> Path:
    """The last file of an older format, kept when the vault was first written in the new one."""
    return path.with_name(f"{path.name}.version-{version}")


def read(path: Path) -> bytes:
    """Raises StorageError."""
    with storage_errors("read the vault"), path.open("rb") as file:
        return file.read(vault_file.MAX_SIZE_BYTES + 1)


def replace(path: Path, content: bytes) -> None:
    """Puts `content` in the place of the vault's file, and that in the place of the one before. Raises StorageError."""
    old = read(path)
    version = vault_file.parse(old).version
    if version != vault_file.VERSION:
        write_atomically(of_version(path, version), old)
    write_atomically(previous(path), old)
    write_atomically(path, content)


def replace_for_good(path: Path, content: bytes) -> None:
    """The same, and no older file stays: none shall open any more with what opened it. Raises StorageError."""
    write_atomically(path, content)
    with storage_errors("remove the vault's older files"):
        for older in (previous(path), *(of_version(path, version) for version in range(1, vault_file.VERSION))):
            older.unlink(missing_ok=True)


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Keeps other processes from changing the vault while the block runs. Raises StorageError."""
    deadline_s = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        with holding(path.with_name(f"{path.name}.lock")) as held:
            if held:
                yield
                return
        if time.monotonic() > deadline_s:
            raise StorageError(
                "Another program has been changing the vault for too long.",
                not_lost="The vault is unchanged.",
                next_step="Close other windows of Personal AI, then try again.",
            )
        time.sleep(_LOCK_RETRY_S)
