"""Fetching a planned model: each file into a part, verified, then named. A kill, a sleep or a cancel costs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.common.locks import holding
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.errors import (
    DownloadInUseError,
    NotEnoughSpaceError,
    TruncatedDownloadError,
    WrongContentError,
)
from personal_ai.models.hub.names import HubName
from personal_ai.models.hub.part import Part, is_whole, part_path
from personal_ai.models.hub.planning import HubFile, HubModel


@contextmanager
def downloaded(
    hub: Hub,
    model: HubModel,
    downloads: Path,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Iterator[Path]:
    """The folder with the model's verified files, to import from while the block runs. Progress counts bytes.

    The files are deleted when the block ends or refuses them (BadInputError). Whatever else ends it leaves them, and
    what has come of unfinished ones, for the next time. `downloads` holds one folder a model and is made.
    Raises DownloadInUseError, NotEnoughSpaceError, StorageError, WrongContentError, SecurityError, HubNotFoundError,
    HubAccessError, NetworkError, Cancelled.
    """
    folder = downloads / HubName.parse(model.selection).folder_name
    with _alone(model.id, folder):
        complete = _fetch_all(hub, model, folder, on_progress, cancel or Cancel())
        try:
            yield complete
        except BadInputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def unfinished(downloads: Path) -> list[str]:
    """What can be fetched on: ids of models, with the file where it is one of several. Raises StorageError."""
    with storage_errors("look at the downloads"):
        names = sorted(path.name for path in downloads.iterdir() if path.is_dir()) if downloads.is_dir() else []
    return [HubName.of_folder(name) for name in names]


def discard(model_id: str, downloads: Path) -> None:
    """Deletes what has come of a model that is not wanted any more. Raises DownloadInUseError, StorageError."""
    folder = downloads / HubName.parse(model_id).folder_name
    with _alone(model_id, folder), storage_errors(f"delete what was fetched of {model_id}"):
        if folder.is_dir():
            shutil.rmtree(folder)


@contextmanager
def _alone(model_id: str, folder: Path) -> Iterator[None]:
    with holding(folder.with_name(f"{folder.name}.lock")) as alone:
        if not alone:
            raise DownloadInUseError(
                f"{model_id} is being fetched already.", next_step="Wait for the other one, or stop it."
            )
        yield


def _fetch_all(hub: Hub, model: HubModel, folder: Path, on_progress: ProgressCallback, cancel: Cancel) -> Path:
    """The files of one commit lie together; parts lie above, because the next commit may have the same contents."""
    complete = folder / model.commit
    with storage_errors(f"make a folder for {model.id}"):
        complete.mkdir(parents=True, exist_ok=True)
    missing = [file for file in model.files if not is_whole(complete / file.name, file)]
    done = model.size_bytes - sum(file.size_bytes - _fetched_bytes(folder, file) for file in missing)
    _check_space(folder, model, model.size_bytes - done)
    meter = Meter(f"Fetching {model.id}", model.size_bytes, "bytes", on_progress, done=done)
    download = _Download(hub, model, meter, cancel)
    for file in sorted(missing, key=lambda file: file.size_bytes):  # small ones first: they fail soonest
        cancel.raise_if_cancelled()
        with Part(folder, file) as part:
            download.fetch(file, part, complete / file.name)
    return complete


def _fetched_bytes(folder: Path, file: HubFile) -> int:
    path = part_path(folder, file)
    size_bytes = path.stat().st_size if path.is_file() else 0
    return size_bytes if size_bytes <= file.size_bytes else 0


def _check_space(folder: Path, model: HubModel, needed_bytes: int) -> None:
    with storage_errors("look at the disk"):
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise NotEnoughSpaceError(
            f"{model.id} needs {needed_bytes / 1e9:,.1f} GB more; the disk has {free_bytes / 1e9:,.1f} GB left.",
            not_lost="What was fetched is kept.",
            next_step="Make room, then try again to go on.",
        )


@dataclass(frozen=True, slots=True)
class _Download:
    hub: Hub
    model: HubModel
    meter: Meter
    cancel: Cancel

    def fetch(self, file: HubFile, part: Part, target: Path) -> None:
        """What an earlier try left may be damaged, so a wrong hash sends us back to the start; but only once."""
        while True:
            resumed = part.size_bytes > 0
            try:
                self.hub.patiently(lambda: self._fill(file, part), self.cancel, lambda: part.size_bytes)
                part.finish(target)
            except WrongContentError:
                self._restart(part)
                if not resumed:
                    raise
            else:
                return

    def _fill(self, file: HubFile, part: Part) -> None:
        """One try at the rest of the file."""
        if part.size_bytes == file.size_bytes:
            return
        with self.hub.get(self.model.path(file), start=part.size_bytes) as answer:
            start = answer.start(file.size_bytes)
            if start == 0:
                self._restart(part)
            elif start != part.size_bytes:
                raise WrongContentError(f"The hub sent another piece of {file.name} than the one asked for.")
            for piece in answer.pieces(self.cancel):
                part.append(piece)
                self.meter.advance(len(piece))
        if part.size_bytes < file.size_bytes:
            raise TruncatedDownloadError(
                f"{file.name} ended too soon.", not_lost="What was fetched is kept.", next_step="Try again to go on."
            )

    def _restart(self, part: Part) -> None:
        self.meter.advance(-part.size_bytes)
        part.restart()
