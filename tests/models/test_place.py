"""The library on another drive: moved whole, gone on with after a break, and missed in words when the drive is away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, Cancelled, FormatError, StorageError, UnknownVersionError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.common.locks import holding
from personal_ai.models import place as places
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.models.place import MARK_FILE, LibraryAwayError, Place, move_library, place_of
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape


@pytest.fixture
def package(imported: Importer) -> ModelPackage:
    return imported(Shape(), "int8")[1]


@pytest.fixture
def home(tmp_path: Path, package: ModelPackage) -> Path:
    """A library of two packages, one damaged."""
    for name in (package.name, "broken"):
        shutil.copytree(package.folder, tmp_path / "models" / name)
    (tmp_path / "models" / "broken" / "model.onnx").write_bytes(b"?")
    return tmp_path / "models"


@pytest.fixture
def pointer(tmp_path: Path) -> Path:
    return tmp_path / "models.json"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def opened(place: Place) -> Library:
    return Library(place.folder, place.mark)


def test_everything_moves_and_the_old_copy_goes(
    home: Path, pointer: Path, tmp_path: Path, package: ModelPackage
) -> None:
    before = contents(home)
    steps: list[Progress] = []
    place = move_library(Place(home), tmp_path / "drive", pointer, on_progress=steps.append)
    after = contents(tmp_path / "drive")
    after.pop(MARK_FILE)
    assert after == before
    assert not home.exists()
    assert place == place_of(home, pointer) == Place(tmp_path / "drive", place.mark)
    assert steps[-1].done == steps[-1].total == sum(map(len, before.values()))
    assert [one.name for one in opened(place).list()] == [package.name]
    assert list(opened(place).damaged()) == ["broken"]


def test_back_and_forth(home: Path, pointer: Path, tmp_path: Path, package: ModelPackage) -> None:
    away = move_library(Place(home), tmp_path / "drive", pointer)
    back = move_library(away, home, pointer)
    assert not (tmp_path / "drive").exists()
    again = move_library(back, tmp_path / "drive", pointer)
    assert package.name in opened(again)


def test_a_move_that_is_broken_off_goes_on(home: Path, pointer: Path, tmp_path: Path) -> None:
    before = contents(home)
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.done:
            cancel.cancel()

    with pytest.raises(Cancelled):
        move_library(Place(home), tmp_path / "drive", pointer, on_progress=stop, cancel=cancel)
    assert contents(home) == before and place_of(home, pointer) == Place(home)
    place = move_library(Place(home), tmp_path / "drive", pointer)
    assert {name for name in contents(place.folder) if name != MARK_FILE} == set(before)


def test_a_copy_that_is_there_is_compared_and_a_wrong_one_replaced(home: Path, pointer: Path, tmp_path: Path) -> None:
    before = contents(home)
    cancelled = Cancel()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        move_library(Place(home), tmp_path / "drive", pointer, cancel=cancelled)
    (wrong,) = list(before)[:1]
    (tmp_path / "drive" / wrong).parent.mkdir(exist_ok=True)
    (tmp_path / "drive" / wrong).write_bytes(b"half")
    move_library(Place(home), tmp_path / "drive", pointer)
    assert (tmp_path / "drive" / wrong).read_bytes() == before[wrong]


def test_what_the_drive_does_not_keep_is_found_out(
    home: Path, pointer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "sha256_of_file", lambda _: "0" * 64)
    with pytest.raises(StorageError, match="did not keep"):
        move_library(Place(home), tmp_path / "drive", pointer)
    assert place_of(home, pointer) == Place(home)


def test_old_copies_that_cannot_be_removed_are_removed_the_next_time(
    home: Path, pointer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: ModelPackage
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda _: (_ for _ in ()).throw(PermissionError(13, "no")))
        with pytest.raises(StorageError, match="can be used"):
            move_library(Place(home), tmp_path / "drive", pointer)
    place = place_of(home, pointer)
    assert (place.folder, place.left) == (tmp_path / "drive", home)
    assert package.name in opened(place)
    with pytest.raises(BadInputError, match="earlier move"):
        move_library(place, tmp_path / "other", pointer)
    assert move_library(place, tmp_path / "drive", pointer).left is None
    assert not home.exists()


def test_what_was_added_to_the_old_folder_meanwhile_stays(home: Path, pointer: Path, tmp_path: Path) -> None:
    place = Place(home)
    added = home / "added"

    def add(_: Progress) -> None:
        added.mkdir(exist_ok=True)

    move_library(place, tmp_path / "drive", pointer, on_progress=add)
    assert [path.name for path in home.iterdir()] == ["added"]


@pytest.mark.parametrize("inside", [".", "inside", ".."])
def test_folders_that_cannot_be_the_target(home: Path, pointer: Path, inside: str) -> None:
    with pytest.raises(BadInputError):
        move_library(Place(home), home / inside, pointer)
    assert not pointer.exists()


def test_a_folder_with_other_files_is_refused(home: Path, pointer: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(BadInputError, match="other files"):
        move_library(Place(home), tmp_path / "photos", pointer)


def test_another_library_is_not_moved_into(home: Path, pointer: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "others")
    move_library(Place(tmp_path / "others"), tmp_path / "drive", tmp_path / "others.json")
    with pytest.raises(BadInputError, match="other files"):
        move_library(Place(home), tmp_path / "drive", pointer)


def test_a_drive_without_room_is_refused(
    home: Path, pointer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))(100, 99, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="less room"):
        move_library(Place(home), tmp_path / "drive", pointer)


def test_one_move_at_a_time(home: Path, pointer: Path, tmp_path: Path) -> None:
    with holding(pointer.with_suffix(".lock")), pytest.raises(StorageError, match="already"):
        move_library(Place(home), tmp_path / "drive", pointer)


def test_a_drive_that_is_away_is_named(home: Path, pointer: Path, tmp_path: Path, package: ModelPackage) -> None:
    place = move_library(Place(home), tmp_path / "drive", pointer)
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    library = opened(place)
    assert library.list() == []
    for act in (
        library.check_there,
        lambda: library.get(package.name),
        lambda: library.remove(package.name),
        lambda: library.free_bytes,
        lambda: library.adding("new").__enter__(),
        lambda: move_library(place, home, pointer),
    ):
        with pytest.raises(LibraryAwayError, match="drive"):
            act()
    assert not (tmp_path / "drive").exists(), "nothing is written where the drive belongs"
    (tmp_path / "unplugged").rename(tmp_path / "drive")
    assert package.name in library


@pytest.mark.parametrize(
    ("change", "error"),
    [({"version": 2}, UnknownVersionError), ({"format": "x"}, FormatError), ({"folder": 7}, FormatError)],
)
def test_a_pointer_that_cannot_be_read_is_refused(
    home: Path, pointer: Path, tmp_path: Path, change: dict[str, object], error: type[Exception]
) -> None:
    move_library(Place(home), tmp_path / "drive", pointer)
    pointer.write_text(json.dumps(json.loads(pointer.read_bytes()) | change))
    with pytest.raises(error):
        place_of(home, pointer)
