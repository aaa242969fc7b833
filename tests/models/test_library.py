"""The library: whole packages or none, whatever happens while one is written."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, DamagedFileError, StorageError, UnknownVersionError
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape


@pytest.fixture
def package(imported: Importer) -> ModelPackage:
    return imported(Shape(), "int8")[1]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


def add(library: Library, package: ModelPackage) -> ModelPackage:
    with library.adding(package.name) as folder:
        shutil.copytree(package.folder, folder, dirs_exist_ok=True)
    return library.get(package.name)


def test_an_empty_library(library: Library) -> None:
    assert library.list() == []
    assert library.damaged() == {}


def test_add_get_list_remove(library: Library, package: ModelPackage, tmp_path: Path) -> None:
    added = add(library, package)
    assert added.manifest == package.manifest
    assert [found.name for found in library.list()] == [package.name]
    library.remove(package.name)
    assert library.list() == [] and library.removed() == (package.name,)
    library.empty_trash()
    assert list((tmp_path / "library").iterdir()) == []


def test_a_removal_is_undone_until_the_trash_is_emptied(library: Library, package: ModelPackage) -> None:
    add(library, package)
    library.remove(package.name)
    assert library.restore(package.name).manifest == package.manifest
    library.remove(package.name)
    add(library, package)
    with pytest.raises(BadInputError, match="already"):
        library.restore(package.name)
    library.remove(package.name)
    library.empty_trash()
    with pytest.raises(BadInputError, match="deleted for good"):
        library.restore(package.name)


def test_an_import_does_not_take_this_programs_trash_for_left_overs(
    library: Library, package: ModelPackage, tmp_path: Path
) -> None:
    add(library, package)
    library.remove(package.name)
    for aside in (tmp_path / "library").iterdir():
        os.utime(aside, (time.time() - 100_000,) * 2)
    add(library, package)
    library.remove(package.name)
    assert library.restore(package.name).name == package.name


def test_every_damaged_file_is_named(library: Library, package: ModelPackage) -> None:
    added = add(library, package)
    for name in ("model.onnx", "tokenizer.json"):
        content = bytearray((added.folder / name).read_bytes())
        content[-2] ^= 1
        (added.folder / name).write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"files model\.onnx, tokenizer\.json of the model"):
        added.verify()
    for name in ("model.onnx", "tokenizer.json"):
        (added.folder / name).write_bytes(b"short")
    with pytest.raises(DamagedFileError, match=r"files model\.onnx, tokenizer\.json of the model"):
        library.get(package.name)


def test_while_it_is_written_a_package_is_not_there(library: Library, package: ModelPackage) -> None:
    with library.adding(package.name) as folder:
        shutil.copytree(package.folder, folder, dirs_exist_ok=True)
        assert library.list() == []
        with pytest.raises(BadInputError, match="no model"):
            library.get(package.name)
    assert len(library.list()) == 1


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_fails_leaves_nothing(library: Library, tmp_path: Path, error: BaseException) -> None:
    expected = StorageError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), library.adding("name") as folder:
        (folder / "half").write_bytes(b"x")
        raise error
    assert list((tmp_path / "library").iterdir()) == []


def test_a_name_is_taken_once(library: Library, package: ModelPackage) -> None:
    add(library, package)
    with pytest.raises(BadInputError, match="already"):
        add(library, package)
    assert len(library.list()) == 1


def test_the_second_of_two_at_once_is_refused(library: Library, package: ModelPackage) -> None:
    with pytest.raises(BadInputError, match="already"), library.adding(package.name) as folder:
        shutil.copytree(package.folder, folder, dirs_exist_ok=True)
        add(library, package)
    library.get(package.name).verify()


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".aside-1", ""])
def test_names_never_leave_the_library(library: Library, name: str) -> None:
    for action in (library.get, library.remove, lambda name: library.adding(name).__enter__()):
        with pytest.raises(BadInputError):
            action(name)


def test_damaged_packages_are_told_apart_and_can_be_removed(
    library: Library, package: ModelPackage, tmp_path: Path
) -> None:
    add(library, package)
    shutil.copytree(package.folder, tmp_path / "library" / "other-name")
    shutil.copytree(package.folder, tmp_path / "library" / "damaged")
    (tmp_path / "library" / "damaged" / "model.onnx").unlink()
    shutil.copytree(package.folder, tmp_path / "library" / "newer")
    manifest = tmp_path / "library" / "newer" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    assert [found.name for found in library.list()] == [package.name]
    problems = library.damaged()
    assert {name: type(problem) for name, problem in problems.items()} == {
        "damaged": DamagedFileError,
        "newer": UnknownVersionError,
        "other-name": DamagedFileError,
    }
    with pytest.raises(DamagedFileError, match=r"model\.onnx"):
        library.get("damaged")
    for name in problems:
        library.remove(name)
    assert library.damaged() == {}


def test_what_a_killed_import_left_is_removed_after_a_day(
    library: Library, package: ModelPackage, tmp_path: Path
) -> None:
    for name, age_s in ((".aside-old", 100_000), (".aside-new", 100)):
        folder = tmp_path / "library" / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age_s,) * 2)
    add(library, package)
    assert sorted(path.name for path in (tmp_path / "library").iterdir()) == [".aside-new", package.name]
