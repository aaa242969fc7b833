"""A model as it is uploaded: named files, covered by chunks, each with its hash (docs/formats/upload.md)."""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from personal_ai.common.errors import BadInputError, DamagedFileError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress

CHUNK_SIZE_BYTES = 1_900_544
CHUNKS_MAX = 4096
HASH_SIZE_BYTES = 32
PROGRAM = "program"

_MAGIC = b"PAIUPLD\x01"
_STEP = "Hashing the model"


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file of an upload; the name is a plain file name."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class UploadManifest:
    """What the canister is told before the bytes: names, sizes, and one SHA-256 per chunk."""

    name: str
    files: tuple[UploadFile, ...]
    chunk_hashes: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @cached_property
    def hash(self) -> bytes:
        """Of the whole: names the upload, and the model once it is active."""
        return hashlib.sha256(self.canonical_bytes() + b"".join(self.chunk_hashes)).digest()

    def canonical_bytes(self) -> bytes:
        """The manifest as it is hashed, without the chunk hashes."""
        parts = [_MAGIC, _named(self.name), struct.pack("<I", len(self.files))]
        parts += [_named(file.name) + struct.pack("<Q", file.size_bytes) for file in self.files]
        parts.append(struct.pack("<I", len(self.chunk_hashes)))
        return b"".join(parts)


@dataclass(frozen=True)
class Upload:
    """A manifest and the files on this computer that it describes, in its order."""

    manifest: UploadManifest
    paths: tuple[Path, ...]

    @classmethod
    def of(
        cls,
        name: str,
        files: Iterable[tuple[str, Path]],
        on_progress: ProgressCallback = ignore_progress,
        cancel: Cancel | None = None,
    ) -> Upload:
        """Hashes `files` (name in the canister, path here). Raises BadInputError, StorageError... and Cancelled."""
        named = tuple(files)
        described = tuple(UploadFile(file_name, path.stat().st_size) for file_name, path in named)
        upload = cls(UploadManifest(name, described, ()), tuple(path for _, path in named))
        count = -(-upload.size_bytes // CHUNK_SIZE_BYTES)
        if not 0 < count <= CHUNKS_MAX:
            raise BadInputError(
                f"A model of {upload.size_bytes} bytes cannot be uploaded: it must have at least one byte "
                f"and at most {CHUNKS_MAX * CHUNK_SIZE_BYTES}."
            )
        meter = Meter(_STEP, upload.size_bytes, "bytes", on_progress)
        hashes = []
        for index in range(count):
            if cancel is not None:
                cancel.raise_if_cancelled()
            chunk = upload.read_chunk(index)
            hashes.append(hashlib.sha256(chunk).digest())
            meter.advance(len(chunk))
        return cls(UploadManifest(name, described, tuple(hashes)), upload.paths)

    @property
    def size_bytes(self) -> int:
        return self.manifest.size_bytes

    def chunk_size_bytes(self, index: int) -> int:
        """The last chunk is shorter."""
        return min(CHUNK_SIZE_BYTES, self.size_bytes - index * CHUNK_SIZE_BYTES)

    def read_chunk(self, index: int) -> bytes:
        """The bytes of one chunk, from as many files as it spans. Raises DamagedFileError when one has shrunk."""
        start = index * CHUNK_SIZE_BYTES
        return b"".join(self._read(start, start + self.chunk_size_bytes(index)))

    def _read(self, start: int, end: int) -> Iterable[bytes]:
        position = bisect_right(self._offsets, start) - 1
        while start < end:
            within = start - self._offsets[position]
            size_bytes = min(end - start, self.manifest.files[position].size_bytes - within)
            yield _read_piece(self.paths[position], within, size_bytes)
            start += size_bytes
            position += 1

    @cached_property
    def _offsets(self) -> Sequence[int]:
        """Where each file begins in the concatenation of all."""
        sizes = [file.size_bytes for file in self.manifest.files]
        return list(accumulate(sizes, initial=0))[:-1]


def _read_piece(path: Path, offset: int, size_bytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        piece = file.read(size_bytes)
    if len(piece) != size_bytes:
        raise DamagedFileError(
            f"{path.name} became shorter while it was being uploaded.",
            not_lost="What the canister has received stays there.",
            next_step="Restore the file and start the upload again.",
        )
    return piece


def _named(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<H", len(encoded)) + encoded
