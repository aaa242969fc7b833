"""A download loses nothing it has, gives nothing that is not whole, and says in words what went wrong."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from personal_ai.common.errors import (
    Cancelled,
    FormatError,
    NetworkTimeoutError,
    PersonalAIError,
    StorageError,
    UserFacingError,
)
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.download import downloaded
from personal_ai.models.hub.errors import (
    DownloadInUseError,
    HubAccessError,
    HubBusyError,
    HubNotFoundError,
    NotEnoughSpaceError,
    TruncatedDownloadError,
    WrongContentError,
)
from personal_ai.models.hub.planning import HubModel, plan
from tests.models.hub.conftest import MODEL, files
from tests.support.hub import Fault, LoopbackHub

WEIGHTS = "model.safetensors"
Trouble = tuple[Fault, type[PersonalAIError]]


@pytest.fixture
def model(hub: Hub) -> HubModel:
    return plan(hub, MODEL)


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


def _content(hub: Hub, model: HubModel, downloads: Path) -> dict[str, bytes]:
    with downloaded(hub, model, downloads) as folder:
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _whole(model: HubModel) -> dict[str, bytes]:
    return {file.name: files()[file.name] for file in model.files}


def _part_bytes(downloads: Path) -> list[int]:
    return [path.stat().st_size for path in downloads.rglob("*.part")]


def test_the_files_are_there_while_the_block_runs(hub: Hub, model: HubModel, downloads: Path) -> None:
    assert _content(hub, model, downloads) == _whole(model)
    assert [path.name for path in downloads.iterdir()] == ["maker--small.lock"]


def test_progress_counts_each_byte(hub: Hub, model: HubModel, downloads: Path) -> None:
    told: list[Progress] = []
    with downloaded(hub, model, downloads, on_progress=told.append):
        pass
    assert (told[-1].done, told[-1].total, told[-1].unit) == (model.size_bytes, model.size_bytes, "bytes")


def test_a_broken_connection_goes_on_from_the_byte_where_it_broke(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path
) -> None:
    loopback.faults[WEIGHTS].extend(Fault(cut_at=at) for at in (100_000, 100_001, 500_000, 500_000, 700_000))
    assert _content(hub, model, downloads) == _whole(model)
    assert loopback.starts(WEIGHTS) == [0, 100_000, 100_001, 500_000, 500_000, 700_000]


def test_a_connection_that_died_in_a_sleep_is_left_and_gone_on_with(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path
) -> None:
    """Woken up, the socket is there and nothing comes through it any more: no end, no error."""
    loopback.faults[WEIGHTS].append(Fault(hold_at=300_000))
    assert _content(hub, model, downloads) == _whole(model)
    assert loopback.starts(WEIGHTS) == [0, 300_000]


def test_a_clock_that_jumps_over_a_sleep_costs_one_connection_and_no_byte(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On some systems the steady clock goes on while the computer sleeps: what came looks slow then."""
    slept_s = 0.0

    def sleep(progress: Progress) -> None:
        nonlocal slept_s
        if progress.done > 400_000:
            slept_s = 8 * 3600.0

    awake = time.monotonic
    monkeypatch.setattr("personal_ai.models.hub.connection.time.monotonic", lambda: awake() + slept_s)
    with downloaded(hub, model, downloads, on_progress=sleep) as folder:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == _whole(model)
    first, second = loopback.starts(WEIGHTS)
    assert first == 0 and 0 < second < len(files()[WEIGHTS])


def test_a_cancel_leaves_parts_that_are_gone_on_with(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path
) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.done > 300_000:
            cancel.cancel()

    with pytest.raises(Cancelled), downloaded(hub, model, downloads, on_progress=stop, cancel=cancel):
        pytest.fail("cancelled, yet told to be whole")
    (left,) = _part_bytes(downloads)
    assert 0 < left < len(files()[WEIGHTS])
    begun: list[Progress] = []
    with downloaded(hub, model, downloads, on_progress=begun.append):
        pass
    assert begun[0].done == model.size_bytes - len(files()[WEIGHTS]) + left
    assert loopback.starts(WEIGHTS) == [0, left]
    assert len(loopback.starts("tokenizer.json")) == 1


def test_the_next_commit_goes_on_with_the_same_weights(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path
) -> None:
    loopback.always[WEIGHTS] = Fault(status=503)
    loopback.faults[WEIGHTS].append(Fault(cut_at=400_000))
    with pytest.raises(HubBusyError):
        _content(hub, model, downloads)
    loopback.always.clear()
    loopback.add(MODEL, files() | {"README.md": b"changed"})
    assert _content(hub, plan(hub, MODEL), downloads)["README.md"] == b"changed"
    assert loopback.starts(WEIGHTS)[-1] == 400_000


@pytest.mark.parametrize("damage", ["flip", "longer"])
def test_a_damaged_part_is_begun_again_once(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path, damage: str
) -> None:
    (file,) = (file for file in model.files if file.name == WEIGHTS)
    part = downloads / "maker--small" / f"{file.digest}.part"
    part.parent.mkdir(parents=True)
    content = files()[WEIGHTS]
    part.write_bytes(b"\xff" + content[1:5000] if damage == "flip" else content + b"x")
    assert _content(hub, model, downloads) == _whole(model)
    assert loopback.starts(WEIGHTS)[-1] == 0


def test_a_finished_file_that_was_changed_is_fetched_again(hub: Hub, model: HubModel, downloads: Path) -> None:
    complete = downloads / "maker--small" / model.commit
    complete.mkdir(parents=True)
    (complete / "config.json").write_bytes(bytes(len(files()["config.json"])))
    assert _content(hub, model, downloads) == _whole(model)


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    "trouble",
    [
        (Fault(content=_flipped(files()[WEIGHTS])), WrongContentError),
        (Fault(content=files()[WEIGHTS] + b"x"), WrongContentError),
        (Fault(content=b"<html>sorry</html>"), WrongContentError),
        (Fault(cut_at=1000), TruncatedDownloadError),
        (Fault(status=429), HubBusyError),
        (Fault(status=500), HubBusyError),
    ],
)
def test_large_files_that_do_not_come(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path, trouble: Trouble
) -> None:
    fault, error = trouble
    loopback.always[WEIGHTS] = fault
    with pytest.raises(error) as raised:
        _content(hub, model, downloads)
    _nothing_is_given(raised.value, downloads)
    loopback.always.clear()
    assert _content(hub, model, downloads) == _whole(model)


@pytest.mark.parametrize("fault", [Fault(hold_at=1000), Fault(trickle_s=0.02)])
def test_large_files_that_come_too_slowly(
    loopback: LoopbackHub, hub: Hub, brief_hub: Hub, downloads: Path, fault: Fault
) -> None:
    model = plan(hub, MODEL)
    loopback.always[WEIGHTS] = fault
    with pytest.raises(NetworkTimeoutError) as raised:
        _content(brief_hub, model, downloads)
    _nothing_is_given(raised.value, downloads)
    loopback.always.clear()
    assert _content(hub, model, downloads) == _whole(model)


def _nothing_is_given(error: PersonalAIError, downloads: Path) -> None:
    assert isinstance(error, UserFacingError) and error.what
    assert not list(downloads.rglob(WEIGHTS))


@pytest.mark.parametrize(
    "trouble",
    [
        (Fault(status=404, headers={"X-Error-Code": "EntryNotFound"}), HubNotFoundError),
        (Fault(status=401), HubAccessError),
        (Fault(status=403, headers={"X-Error-Code": "GatedRepo"}), HubAccessError),
        (Fault(content=b"---\nlicense: mine\n---\n"), WrongContentError),
    ],
)
def test_small_files_that_do_not_come(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path, trouble: Trouble
) -> None:
    fault, error = trouble
    loopback.always["README.md"] = fault
    with pytest.raises(error):
        _content(hub, model, downloads)
    assert not list(downloads.rglob("README.md"))


def test_a_wrong_hash_in_the_list_of_files(loopback: LoopbackHub, hub: Hub, downloads: Path) -> None:
    loopback.listed(MODEL)[WEIGHTS]["lfs"]["oid"] = "0" * 64
    with pytest.raises(WrongContentError):
        _content(hub, plan(hub, MODEL), downloads)
    assert not list(downloads.rglob(WEIGHTS))


def test_a_server_that_knows_no_ranges(loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path) -> None:
    loopback.ranges = False
    loopback.faults[WEIGHTS].append(Fault(cut_at=300_000))
    assert _content(hub, model, downloads) == _whole(model)


def test_a_full_disk_is_seen_before_anything_is_fetched(
    loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, model.size_bytes - 1))
    with pytest.raises(NotEnoughSpaceError, match="GB left"):
        _content(hub, model, downloads)
    assert not loopback.starts(WEIGHTS)


def test_a_disk_that_fills_up_on_the_way(
    hub: Hub, model: HubModel, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        _content(hub, model, downloads)


def test_a_second_one_is_kept_out(loopback: LoopbackHub, hub: Hub, model: HubModel, downloads: Path) -> None:
    loopback.faults[WEIGHTS].append(Fault(hold_at=1000))

    first = threading.Thread(target=lambda: _content(hub, model, downloads))
    first.start()
    assert loopback.holding.wait(60)
    with pytest.raises(DownloadInUseError):
        _content(hub, model, downloads)
    loopback.release()
    first.join()
    assert _content(hub, model, downloads) == _whole(model)


def test_what_the_importer_refuses_is_not_kept_and_what_it_did_not_end_is(
    hub: Hub, model: HubModel, downloads: Path
) -> None:
    with pytest.raises(Cancelled), downloaded(hub, model, downloads):
        raise Cancelled
    assert list(downloads.rglob(WEIGHTS))
    with pytest.raises(FormatError), downloaded(hub, model, downloads):
        raise FormatError("no model")
    assert not list(downloads.rglob(WEIGHTS))
