"""The models on this computer: one folder per package, each whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from personal_ai.common.errors import BadInputError, DamagedFileError, UnknownVersionError
from personal_ai.common.files import storage_errors, sync_folder
from personal_ai.common.paths import resource
from personal_ai.models.manifest import checked_name
from personal_ai.models.package import ModelPackage
from personal_ai.models.place import Place

_ASIDE = ".aside-"
_LEFT_OVER_AFTER_S = 24 * 3600.0


def starter() -> ModelPackage:
    """The model that comes with the program. Raises DamagedFileError."""
    return ModelPackage.open(resource("starter-model"))


class Library:
    """The packages in `folder`, which need not exist yet."""

    def __init__(self, folder: Path, mark: str | None = None) -> None:
        """mark: what a library that was moved is known by (`place.Place`)."""
        self._folder = folder
        self._place = Place(folder, mark)
        self._trash: dict[str, Path] = {}

    def check_there(self) -> None:
        """Raises LibraryAwayError where the drive of the library is away; `list` is empty then."""
        self._place.check_there()

    def list(self) -> list[ModelPackage]:
        """Every package that can be opened, by name."""
        return [found for found in map(_opened_or_error, self._folders()) if isinstance(found, ModelPackage)]

    def __contains__(self, name: str) -> bool:
        return (self._folder / checked_name(name)).is_dir()

    def damaged(self) -> dict[str, DamagedFileError | UnknownVersionError]:
        """The packages that cannot be opened, and why."""
        found = {folder.name: _opened_or_error(folder) for folder in self._folders()}
        return {name: problem for name, problem in found.items() if not isinstance(problem, ModelPackage)}

    def get(self, name: str) -> ModelPackage:
        """Raises BadInputError when there is none of this name, DamagedFileError, UnknownVersionError, StorageError."""
        self.check_there()
        folder = self._folder / checked_name(name)
        if not folder.is_dir():
            raise BadInputError(
                f"There is no model named {name}.", next_step="personal-ai model list shows those that there are."
            )
        return _opened(folder)

    def remove(self, name: str) -> None:
        """Takes a package out, damaged or not; until `empty_trash` it can be restored.

        Raises BadInputError when there is none, StorageError.
        """
        self.check_there()
        folder = self._folder / checked_name(name)
        if not folder.is_dir():
            raise BadInputError(f"There is no model named {name} in the library.")
        with storage_errors(f"remove the model {name}"):
            aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self._folder))
            folder.rename(aside / name)
            sync_folder(self._folder)
        self._delete(self._trash.pop(name, None))
        self._trash[name] = aside

    def removed(self) -> tuple[str, ...]:
        """The names of the packages that can be restored."""
        return tuple(self._trash)

    def restore(self, name: str) -> ModelPackage:
        """Undoes a removal. Raises BadInputError when it is too late or the name is taken again, StorageError."""
        if name not in self._trash:
            raise BadInputError(f"The model {name} cannot be brought back: it was deleted for good.")
        target = self._folder / name
        self._refuse_taken(target)
        with storage_errors(f"bring back the model {name}"):
            aside = self._trash.pop(name)
            (aside / name).rename(target)
            aside.rmdir()
            sync_folder(self._folder)
        return self.get(name)

    def empty_trash(self) -> None:
        """Deletes for good what was removed; call it when the program ends. What a crash leaves goes a day later."""
        while self._trash:
            self._delete(self._trash.popitem()[1])

    @property
    def free_bytes(self) -> int:
        """Room on the disk of the library. Raises StorageError."""
        self.check_there()
        with storage_errors("look at the disk"):
            self._folder.mkdir(parents=True, exist_ok=True)
            return shutil.disk_usage(self._folder).free

    @staticmethod
    def _delete(aside: Path | None) -> None:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)

    @contextmanager
    def adding(self, name: str) -> Iterator[Path]:
        """A folder to write the package `name` into. It becomes visible when the block ends, or vanishes with it.

        Raises BadInputError when the name is taken or cannot be one, StorageError.
        """
        target = self._folder / checked_name(name)
        self._refuse_taken(target)
        with storage_errors(f"save the model {name}"), self.scratch() as aside:
            yield aside
            self._refuse_taken(target)
            _sync_files(aside)
            aside.chmod(0o755)
            aside.rename(target)
            sync_folder(self._folder)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder on the library's disk that vanishes when the block ends, or with it. Raises StorageError."""
        self.check_there()
        with storage_errors("make a folder in the library"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._remove_left_overs()
            aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=self._folder))
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _refuse_taken(self, target: Path) -> None:
        if target.exists():
            raise BadInputError(
                f"There is a model named {target.name} in the library already.",
                next_step="Choose another name or remove that model first.",
            )

    def _folders(self) -> tuple[Path, ...]:
        return self._place.packages()

    def _remove_left_overs(self) -> None:
        """What killed imports left behind, unless it may still be at work."""
        for path in self._folder.glob(f"{_ASIDE}*"):
            if path not in self._trash.values() and time.time() - path.stat().st_mtime > _LEFT_OVER_AFTER_S:
                shutil.rmtree(path, ignore_errors=True)


def _sync_files(folder: Path) -> None:
    """On the disk before the folder gets its name: a power cut leaves no half package behind either."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def _opened(folder: Path) -> ModelPackage:
    package = ModelPackage.open(folder)
    if package.name != folder.name:
        raise DamagedFileError(f"The folder {folder.name} holds a model that is named {package.name}.")
    return package


def _opened_or_error(folder: Path) -> ModelPackage | DamagedFileError | UnknownVersionError:
    try:
        return _opened(folder)
    except (DamagedFileError, UnknownVersionError) as error:
        return error
