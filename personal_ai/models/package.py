"""A model package: a folder with the ONNX file, the tokenizer, the chat template and a manifest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from personal_ai.common.errors import BadInputError, DamagedFileError, FormatError, UnknownVersionError
from personal_ai.common.files import sha256_of_file
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.models.fields import read_bounded
from personal_ai.models.manifest import (
    MANIFEST_FILE,
    MAX_MANIFEST_SIZE_BYTES,
    MODEL_FILE,
    WEIGHT_FILES,
    WORD_FILES,
    FileRecord,
    Manifest,
)


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A package on disk. Made by `open`, which looks at the manifest and the files' sizes; `verify` reads it all."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises DamagedFileError naming the file, UnknownVersionError."""
        try:
            data = read_bounded(folder / MANIFEST_FILE, MAX_MANIFEST_SIZE_BYTES)
            manifest = Manifest.from_bytes(data)
        except UnknownVersionError:
            raise
        except BadInputError as error:
            raise _damaged(folder.name, MANIFEST_FILE) from error
        wrong = [name for name, record in manifest.files.items() if not _has_size(folder / name, record.size_bytes)]
        if wrong:
            raise _damaged(manifest.name, *wrong)
        return cls(folder, manifest, hashlib.sha256(data).hexdigest())

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def onnx_path(self) -> Path:
        return self.folder / MODEL_FILE

    @property
    def size_bytes(self) -> int:
        """Of all files but the manifest."""
        return sum(record.size_bytes for record in self.manifest.files.values())

    def files_without_weights(self) -> tuple[str, ...]:
        """The names of the manifest, tokenizer and template: what a canister keeps beside the program."""
        return (MANIFEST_FILE, *WORD_FILES)

    def read(self, name: str) -> bytes:
        """The content of one of the small files, checked. Raises DamagedFileError."""
        record = self.manifest.files[name]
        try:
            data = read_bounded(self.folder / name, record.size_bytes)
        except FormatError as error:
            raise _damaged(self.name, name) from error
        if hashlib.sha256(data).hexdigest() != record.sha256:
            raise _damaged(self.name, name)
        return data

    def verify(self, on_progress: ProgressCallback = ignore_progress, cancel: Cancel | None = None) -> None:
        """Reads every file. Raises DamagedFileError naming each that is not what the manifest says, Cancelled."""
        damaged = []
        meter = Meter("Checking the model", self.size_bytes, "bytes", on_progress)
        for name, record in self.manifest.files.items():
            if cancel is not None:
                cancel.raise_if_cancelled()
            if not _has_hash(self.folder / name, record.sha256):
                damaged.append(name)
            meter.advance(record.size_bytes)
        if damaged:
            raise _damaged(self.name, *damaged)


def record_files(folder: Path) -> dict[str, FileRecord]:
    """The records of the package files that lie in `folder`."""
    return {
        name: FileRecord(sha256_of_file(folder / name), (folder / name).stat().st_size)
        for name in (*WEIGHT_FILES, *WORD_FILES)
    }


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return sha256_of_file(path) == sha256
    except OSError:
        return False


def _damaged(model: str, *files: str) -> DamagedFileError:
    which = f"The file {files[0]}" if len(files) == 1 else f"The files {', '.join(files)}"
    return DamagedFileError(
        f"{which} of the model {model} {'is' if len(files) == 1 else 'are'} damaged or missing.",
        not_lost="Your conversations and keys are not touched.",
        next_step="Remove the model and import it again.",
    )
