"""Where the library lies, in the home folder or in one that a pointer names, on another drive say; and moving it there.

A move copies every package, reads each copy back, changes the pointer, and only then removes the old packages: whenever
it is broken off, one whole library is in use, and the same call goes on. docs/formats/library-place.md has the formats.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from personal_ai.common.errors import BadInputError, FormatError, StorageError, UnknownVersionError
from personal_ai.common.files import sha256_of_file, storage_errors, sync_folder, write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.common.locks import holding
from personal_ai.models.fields import Fields, read_json

PLACE_FORMAT: Final = "personal-ai library place"
MARK_FORMAT: Final = "personal-ai library"
MARK_FILE: Final = ".personal-ai-library.json"
VERSION: Final = 1
_PATH_LENGTH_MAX = 4096
_PIECE_SIZE_BYTES = 1 << 20


class LibraryAwayError(StorageError):
    """The library was moved, and what it was moved to is not there now."""


@dataclass(frozen=True, slots=True)
class Place:
    """mark: what the mark file in `folder` must say; None for the home folder's own library, which has none.
    left: where a move has yet to remove the old packages.
    """

    folder: Path
    mark: str | None = None
    left: Path | None = None

    @property
    def is_there(self) -> bool:
        return self.mark is None or _mark_in(self.folder) == self.mark

    def packages(self) -> tuple[Path, ...]:
        """The folders of the packages, whole or damaged, by name; none where the library is away."""
        return _packages(self.folder) if self.is_there else ()

    def check_there(self) -> None:
        """Raises LibraryAwayError."""
        if not self.is_there:
            raise LibraryAwayError(
                f"Your models were moved to {self.folder}, and they are not there now.",
                not_lost="The models on that drive are not touched. The starter model is on this computer.",
                next_step="Connect the drive, then try again.",
            )


def place_of(home_folder: Path, pointer: Path) -> Place:
    """The place that `pointer` names, else `home_folder`. Raises FormatError, UnknownVersionError."""
    if not pointer.exists():
        return Place(home_folder)
    fields = _read(pointer, PLACE_FORMAT)
    left = fields.text("left", _PATH_LENGTH_MAX, "")
    return Place(Path(fields.text("folder", _PATH_LENGTH_MAX)), fields.text("mark", 64), Path(left) if left else None)


def move_library(
    place: Place,
    target: Path,
    pointer: Path,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Place:
    """Moves every package to `target`, which is empty, not there yet, or what an earlier call left. Counts bytes.

    Raises BadInputError for a folder that cannot be the target, LibraryAwayError, StorageError, Cancelled.
    """
    target = target.absolute()
    place.check_there()
    with holding(pointer.with_suffix(".lock")) as alone:
        if not alone:
            raise StorageError("The models are being moved already.", next_step="Wait until that has ended.")
        if place.left is None:
            _refuse(place.folder, target)
            place = _copied(place, target, pointer, on_progress, cancel or Cancel())
        elif target != place.folder:
            raise BadInputError(
                f"An earlier move, to {place.folder}, has not removed the old copies yet.",
                next_step="Move the models there once more; that finishes it.",
            )
        return _without_old(place, pointer)


def _refuse(source: Path, target: Path) -> None:
    """Raises BadInputError where the library cannot move to `target`."""
    here, there = source.resolve(), target.resolve()
    if here == there:
        raise BadInputError("The models are in this folder already.")
    if here in there.parents or there in here.parents:
        raise BadInputError(
            "The new folder must not lie inside the old one, nor the old one inside the new.",
            next_step="Choose another folder.",
        )
    with storage_errors(f"look at {target}"):
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if taken and _beginning_in(target) != str(source):
        raise BadInputError(f"{target} holds other files.", next_step="Choose an empty folder, or a new one.")


def _copied(place: Place, target: Path, pointer: Path, on_progress: ProgressCallback, cancel: Cancel) -> Place:
    """Whole copies in `target`, and the pointer changed to it."""
    with storage_errors(f"copy the models to {target}"):
        target.mkdir(parents=True, exist_ok=True)
        mark = _mark_in(target)
        if mark is None:
            mark = uuid.uuid4().hex
            _write(target / MARK_FILE, MARK_FORMAT, mark=mark, moved_from=str(place.folder))
        files = _files(place.folder)
        sizes = {path: path.stat().st_size for path in files}
        missing_bytes = sum(
            size for path, size in sizes.items() if not (target / path.relative_to(place.folder)).exists()
        )
        if missing_bytes > shutil.disk_usage(target).free:
            raise StorageError(
                f"The models need {missing_bytes / 1e9:.1f} GB; there is less room on that drive.",
                not_lost="The models are where they were.",
                next_step="Make room there, or choose another drive.",
            )
        meter = Meter("Moving the models", sum(sizes.values()), "bytes", on_progress)
        for path in files:
            _copy(path, target / path.relative_to(place.folder), meter, cancel)
    moved = Place(target, mark, place.folder)
    _point(pointer, moved)
    return moved


def _copy(source: Path, target: Path, meter: Meter, cancel: Cancel) -> None:
    """A copy that was read back; one that is there already is only compared."""
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        if sha256_of_file(source) == sha256_of_file(target):
            meter.advance(source.stat().st_size)
            return
        target.unlink()
    part = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    with source.open("rb") as reading, part.open("wb") as writing:
        while piece := reading.read(_PIECE_SIZE_BYTES):
            cancel.raise_if_cancelled()
            digest.update(piece)
            writing.write(piece)
            meter.advance(len(piece))
        writing.flush()
        os.fsync(writing.fileno())
    if sha256_of_file(part) != digest.hexdigest():
        part.unlink()
        raise StorageError(
            f"The drive did not keep a copy of {source.name} as it was written.",
            not_lost="The models are where they were.",
            next_step="Try again. If it happens again, do not trust that drive.",
        )
    part.replace(target)
    sync_folder(target.parent)


def _without_old(place: Place, pointer: Path) -> Place:
    """Removes the old packages that have their copy; what came to be there meanwhile stays."""
    assert place.left is not None
    with storage_errors(f"remove the old copies in {place.left}; the models are in {place.folder} and can be used"):
        for package in _packages(place.folder):
            old = place.left / package.name
            if old.is_dir():
                shutil.rmtree(old)
        (place.left / MARK_FILE).unlink(missing_ok=True)
        if place.left.is_dir() and not any(place.left.iterdir()):
            place.left.rmdir()
    done = replace(place, left=None)
    _point(pointer, done)
    return done


def _packages(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _files(folder: Path) -> list[Path]:
    """What the packages hold, damaged ones included."""
    return [path for package in _packages(folder) for path in sorted(package.iterdir()) if path.is_file()]


def _mark_in(folder: Path) -> str | None:
    return _mark_field(folder, "mark", 64)


def _beginning_in(folder: Path) -> str | None:
    """Where the library came from that is in `folder`, whole or on its way."""
    return _mark_field(folder, "moved_from", _PATH_LENGTH_MAX)


def _mark_field(folder: Path, name: str, max_length: int) -> str | None:
    try:
        return _read(folder / MARK_FILE, MARK_FORMAT).text(name, max_length)
    except FormatError:
        return None


def _point(pointer: Path, place: Place) -> None:
    left = str(place.left) if place.left is not None else ""
    _write(pointer, PLACE_FORMAT, folder=str(place.folder), mark=place.mark or "", left=left)


def _read(path: Path, expected: str) -> Fields:
    fields = Fields(read_json(path), path.name)
    if fields.raw("format") != expected:
        raise FormatError(f"{path.name} does not say where the models are.", next_step=f"Delete or restore {path}.")
    if fields.raw("version") != VERSION:
        raise UnknownVersionError(
            f"{path.name} has version {str(fields.raw('version'))[:20]}; this program knows version {VERSION}.",
            next_step="Update the program.",
        )
    return fields


def _write(path: Path, named: str, **fields: str) -> None:
    write_atomically(path, json.dumps({"format": named, "version": VERSION, **fields}, indent=1).encode() + b"\n")
