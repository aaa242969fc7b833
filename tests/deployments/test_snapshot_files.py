"""Snapshots as files: out of one canister, back into it, interrupted and damaged."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError, FormatError, UnknownVersionError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.deployments import health, snapshot_files, snapshots
from personal_ai.deployments.cycles_needed import TooFewCyclesError
from personal_ai.deployments.snapshot_files import DESCRIPTION_FILE
from personal_ai.ic.management import CanisterSettings, Management
from personal_ai.ic.management_snapshots import SNAPSHOT_WRITE_MAX_BYTES, Snapshot
from tests.deployments.conftest import Placed

GOLDEN = Path(__file__).parent / "golden" / "snapshot-2"


@pytest.fixture(scope="module")
def downloaded(placed: Placed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download") / "kept"
    taken = snapshots.take(placed.canister)
    snapshot_files.download(placed.canister, taken, folder, ignore_progress, Cancel())
    snapshots.delete(placed.canister, taken)
    return folder


@pytest.fixture
def folder(downloaded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(downloaded, tmp_path / "kept"))


def upload(placed: Placed, folder: Path) -> Snapshot:
    return snapshot_files.upload(placed.canister, folder, ignore_progress, Cancel())


def test_the_golden_folder_of_version_2_is_read() -> None:
    contents = snapshot_files.read_contents(GOLDEN, ignore_progress, Cancel())
    assert list(contents.sizes.values()) == [4, 4, 2]
    assert contents.globals[:3] == (("i32", -5), ("i64", 7), ("f32", 0.5)) and math.isnan(contents.globals[3][1])
    assert contents.globals[4] == ("v128", 1 << 100)
    assert contents.certified_data == b"\x01\x02" and not contents.uploaded
    assert contents.global_timer == ("active", 1_700_000_000_000_000_001)
    assert contents.low_memory_hook == ("ready", None)


def test_a_downloaded_snapshot_is_put_back_and_answers(placed: Placed, folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    uploaded = upload(placed, folder)
    assert snapshots.kept(placed.canister) == [uploaded]
    assert sorted(path.name for path in folder.iterdir()) == before, "nothing is left beside it"
    placed.canister.management.uninstall_code(placed.canister.id)
    snapshots.restore(placed.canister, uploaded)
    placed.canister.client.activate(cancel=Cancel())
    health.ask(placed.canister.client, placed.deployer.package, Cancel())
    snapshots.delete(placed.canister, uploaded)


def test_an_interrupted_upload_goes_on_and_is_begun_once(
    placed: Placed, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, cancel, sent = Management.begin_snapshot, Cancel(), []

    def begun_and_lost(*values: object) -> bytes:
        begin(*values)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    def stop_in_the_middle(progress: Progress) -> None:
        if progress.step.startswith("Uploading") and progress.done > progress.total // 2:
            cancel.cancel()

    with monkeypatch.context() as patch:
        patch.setattr(Management, "begin_snapshot", begun_and_lost)
        with pytest.raises(KeyboardInterrupt):
            upload(placed, folder)
    [lost] = snapshots.kept(placed.canister)
    with pytest.raises(Cancelled):
        snapshot_files.upload(placed.canister, folder, stop_in_the_middle, cancel)
    write = Management.write_snapshot
    with monkeypatch.context() as patch:
        patch.setattr(Management, "write_snapshot", lambda *values: (sent.append(values[-2]), write(*values)))
        uploaded = upload(placed, folder)
    assert uploaded.id == lost.id and snapshots.kept(placed.canister) == [uploaded]
    whole = -(-uploaded.size_bytes // SNAPSHOT_WRITE_MAX_BYTES)
    assert 0 < len(sent) <= whole // 2 + 1
    snapshots.delete(placed.canister, uploaded)


def test_an_upload_whose_snapshot_is_gone_begins_anew(placed: Placed, folder: Path) -> None:
    notes = folder / f"upload-{placed.canister.id}.json"
    notes.write_text(json.dumps({"begun_at_ns": 1, "id": "00", "sent_bytes": 5}))
    uploaded = upload(placed, folder)
    snapshots.delete(placed.canister, uploaded)
    notes.write_text("{")
    with pytest.raises(FormatError, match="begins anew"):
        upload(placed, folder)


def test_what_is_not_whole_is_refused_before_anything_is_sent(placed: Placed, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no whole snapshot"):
        upload(placed, tmp_path)
    description = folder / DESCRIPTION_FILE
    whole = description.read_text()
    description.write_text(whole.replace('"version": 2', '"version": 1'))
    with pytest.raises(UnknownVersionError, match="version 1"):
        upload(placed, folder)
    for wrong in ("{", "[]", whole.replace('"sha256"', '"sums"'), whole.replace('"globals"', '"others"')):
        description.write_text(wrong)
        with pytest.raises(FormatError):
            upload(placed, folder)
    description.write_text(whole)
    with (folder / "stable").open("r+b") as file:
        file.write(b"!")
    with pytest.raises(DamagedFileError, match="Nothing was sent"):
        upload(placed, folder)
    assert snapshots.kept(placed.canister) == []


def test_it_is_not_begun_without_the_cycles_for_all_of_it(placed: Placed, folder: Path) -> None:
    status = placed.canister.status()
    much_s = (status.cycles // status.idle_cycles_per_day) * 86_400
    placed.canister.change(CanisterSettings(freezing_threshold=much_s))
    with pytest.raises(TooFewCyclesError, match="take the snapshot in"):
        upload(placed, folder)
    placed.canister.change(CanisterSettings(freezing_threshold=status.freezing_threshold_s))
    assert snapshots.kept(placed.canister) == []
