"""A backup's file: records, sealed piece by piece with a key that comes from a password (docs/formats/backup.md).

The pieces are sealed with ChaCha20-Poly1305 under a counter and a mark of the last one, so that none can be left out,
exchanged or cut off unseen (the STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.identities import vault_file
from personal_ai.identities.errors import VaultDamagedError, WrongPasswordError
from personal_ai.identities.vault_file import PasswordLock, ScryptCost

MAGIC = b"PAIBACKP"
VERSION = 1
PIECE_SIZE_BYTES = 1 << 20
RECORD_SIZE_MAX_BYTES = 256 << 20
RECORDS_MAX = 1_000_000
_TAG_SIZE_BYTES = 16
_HEADER_SIZE_MAX_BYTES = 1 << 10
_LENGTH = struct.Struct(">H")
_RECORD = struct.Struct(">16sQ")  # kind, padded with zeros; size in bytes
_COUNTER_SIZE_BYTES = 11
_MORE, _LAST = b"\x00", b"\x01"


class Writer:
    """Writes records; nothing is whole before `finish`."""

    def __init__(self, file: BinaryIO, password: str, cost: ScryptCost | None = None) -> None:
        lock = PasswordLock.fresh(cost or ScryptCost())
        header = vault_file.lock_to_bytes(lock)
        self._head = MAGIC + bytes((VERSION,)) + _LENGTH.pack(len(header)) + header
        self._cipher = ChaCha20Poly1305(lock.key(password))
        self._file = file
        self._waiting = bytearray()
        self._pieces = 0
        file.write(self._head)

    def add(self, kind: str, content: bytes) -> None:
        """Raises FormatError for a record that no reader would take."""
        if len(content) > RECORD_SIZE_MAX_BYTES:
            raise FormatError(f"A part of the backup ({kind}) has more than {RECORD_SIZE_MAX_BYTES >> 20} MiB.")
        self._write(_RECORD.pack(kind.encode("ascii"), len(content)))
        self._write(content)

    def finish(self) -> None:
        """Writes the last piece, which may be empty."""
        self._seal(_LAST)

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_SIZE_BYTES):
            self._waiting += data[start : start + PIECE_SIZE_BYTES]
            while len(self._waiting) >= PIECE_SIZE_BYTES:
                self._seal(_MORE)

    def _seal(self, mark: bytes) -> None:
        piece = bytes(self._waiting[:PIECE_SIZE_BYTES])
        del self._waiting[:PIECE_SIZE_BYTES]
        self._file.write(self._cipher.encrypt(_nonce(self._pieces, mark), piece, self._head))
        self._pieces += 1


def records(file: BinaryIO, password: str) -> Iterator[tuple[str, bytes]]:
    """The records of a backup, kind and content; each is genuine when it comes, the end when the iteration ends.

    Raises FormatError for what is no whole backup, UnknownVersionError, WrongPasswordError.
    """
    stream = _Pieces(file, password)
    for _ in range(RECORDS_MAX):
        head = stream.read(_RECORD.size)
        if not head:
            return
        if len(head) < _RECORD.size:
            raise _broken()
        kind, size_bytes = _RECORD.unpack(head)
        if size_bytes > RECORD_SIZE_MAX_BYTES:
            raise _broken()
        content = stream.read(size_bytes)
        if len(content) != size_bytes:
            raise _broken()
        yield kind.rstrip(b"\0").decode("ascii", "replace"), content
    raise _broken()


class _Pieces:
    """The plaintext of the pieces, one after the other."""

    def __init__(self, file: BinaryIO, password: str) -> None:
        self._file = file
        self._head, lock = _read_head(file)
        self._cipher = ChaCha20Poly1305(lock.key(password))
        self._sealed = file.read(PIECE_SIZE_BYTES + _TAG_SIZE_BYTES)
        self._ready = bytearray()
        self._pieces = 0
        self._ended = False

    def read(self, size_bytes: int) -> bytes:
        """Fewer bytes only at the end."""
        while len(self._ready) < size_bytes and not self._ended:
            self._open_next()
        taken = bytes(self._ready[:size_bytes])
        del self._ready[:size_bytes]
        return taken

    def _open_next(self) -> None:
        following = self._file.read(PIECE_SIZE_BYTES + _TAG_SIZE_BYTES)
        mark = _MORE if following else _LAST
        try:
            self._ready += self._cipher.decrypt(_nonce(self._pieces, mark), self._sealed, self._head)
        except InvalidTag:
            if self._pieces:
                raise _broken() from None
            raise WrongPasswordError(
                "The backup does not open: the password is wrong, or the file is damaged.",
                not_lost="Nothing here was changed.",
                next_step="Type the backup's password again.",
            ) from None
        self._pieces += 1
        self._ended = not following
        self._sealed = following


def _read_head(file: BinaryIO) -> tuple[bytes, PasswordLock]:
    fixed = file.read(len(MAGIC) + 1 + _LENGTH.size)
    if len(fixed) < len(MAGIC) + 1 + _LENGTH.size or not fixed.startswith(MAGIC):
        raise FormatError("This file is no backup of Personal AI.", next_step="Choose another file.")
    if fixed[len(MAGIC)] != VERSION:
        raise UnknownVersionError(
            f"The backup has version {fixed[len(MAGIC)]}; this program knows version {VERSION}.",
            next_step="Use a newer Personal AI.",
        )
    (length,) = _LENGTH.unpack(fixed[-_LENGTH.size :])
    header = file.read(min(length, _HEADER_SIZE_MAX_BYTES))
    try:
        lock = vault_file.lock_from_bytes(header)
    except VaultDamagedError:
        raise _broken() from None
    if not isinstance(lock, PasswordLock):
        raise _broken()
    return fixed + header, lock


def _nonce(number: int, mark: bytes) -> bytes:
    return number.to_bytes(_COUNTER_SIZE_BYTES, "big") + mark


def _broken() -> FormatError:
    return FormatError(
        "The backup is damaged or cut short.",
        not_lost="Nothing here was changed.",
        next_step="Use another copy of it.",
    )
