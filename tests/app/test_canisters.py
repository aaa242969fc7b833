"""A deployment's canister in its owner's hands, on the practice network."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from personal_ai.app.canisters import Engine, open_canister
from personal_ai.app.workspace import Workspace
from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import BadInputError, Cancelled, CanisterStoppedError, FormatError, RejectedError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.common.paths import resource
from personal_ai.deployments import cycles_needed, draining, health, removal, snapshot_files, snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.cycles_needed import TooFewCyclesError
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment, Journal
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import CanisterSettings, LogLine, Management, RunState
from personal_ai.ic.management_snapshots import SnapshotPart
from personal_ai.ic.principal import Principal


def test_it_is_looked_at_in_one_go(profile: Workspace, deployed: Deployment) -> None:
    look = profile.canisters.look(deployed, Cancel())
    assert (look.health, look.engine, look.budget) == (Health.ANSWERING, Engine.SHIPPED, None)
    assert look.said is not None and look.said.model is not None
    assert look.status.cycles == look.runway.cycles == profile.runway.readings(deployed)[-1].cycles
    profile.canisters.stop(deployed)
    stopped = profile.canisters.look(deployed, Cancel())
    assert (stopped.health, stopped.said) == (Health.STOPPED, None)
    profile.canisters.start(deployed)
    much_s = 2 * (look.status.cycles // look.status.idle_cycles_per_day) * 86_400
    profile.canisters.change(deployed, CanisterSettings(freezing_threshold=much_s))
    assert profile.canisters.look(deployed, Cancel()).health is Health.FROZEN
    profile.canisters.change(deployed, CanisterSettings(freezing_threshold=look.status.freezing_threshold_s))
    stopped_looking = Cancel()
    stopped_looking.cancel()
    with pytest.raises(Cancelled):
        profile.canisters.look(deployed, stopped_looking)


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (FormatError("an old engine"), Health.OUTDATED),
        (RejectedError("no such method", reject_code=5, reject_message=""), Health.OUTDATED),
        (RejectedError("busy", reject_code=2, reject_message=""), None),
    ],
)
def test_an_engine_that_says_nothing_we_know_is_told_from_a_network_that_is_busy(
    profile: Workspace, deployed: Deployment, monkeypatch: pytest.MonkeyPatch, error: Exception, health: Health | None
) -> None:
    def fail(_: CanisterClient) -> None:
        raise error

    monkeypatch.setattr(CanisterClient, "status", fail)
    with nullcontext() if health else pytest.raises(RejectedError):
        assert profile.canisters.look(deployed, Cancel()).health is health


def test_it_is_stopped_started_and_set(profile: Workspace, deployed: Deployment) -> None:
    with open_canister(profile, deployed) as canister:
        canister.stop()
        canister.stop()
        assert canister.status().state is RunState.STOPPED
        with pytest.raises(CanisterStoppedError):
            canister.client.status()
        canister.start()
        assert canister.status().state is RunState.RUNNING
        changed = canister.change(CanisterSettings(freezing_threshold=86_400))
        assert changed.freezing_threshold_s == 86_400
        assert cycles_needed.freezing_limit(changed) == changed.idle_cycles_per_day


def test_its_log_is_followed_until_somebody_has_seen_enough(
    profile: Workspace, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our engine has nothing to say as long as all goes well: the lines are made up."""
    lines = [LogLine(index, index, b"line") for index in range(3)]
    told = iter([lines[:2], [], lines[2:]])
    asked: list[int] = []

    def answer(_: Management, __: Principal, *, from_index: int) -> list[LogLine]:
        asked.append(from_index)
        return next(told)

    cancel, seen = Cancel(), []
    with open_canister(profile, deployed) as canister:
        assert canister.log() == []
        monkeypatch.setattr(Management, "logs", answer)
        monkeypatch.setattr("personal_ai.deployments.canister._FOLLOW_S", 0.0)
        with pytest.raises(Cancelled):
            for line in canister.follow(cancel):
                seen.append(line)
                if len(seen) == len(lines):
                    cancel.cancel()
    assert (seen, asked) == (lines, [0, 2, 2])


def test_a_snapshot_is_taken_downloaded_restored_and_forgotten(
    profile: Workspace, deployed: Deployment, tmp_path: Path
) -> None:
    with open_canister(profile, deployed) as canister:
        taken = snapshots.take(canister)
        assert snapshots.kept(canister) == [taken]
        assert snapshots.find(canister, taken.id.hex()[-6:]) == taken
        for wrong in ("", "zz"):
            with pytest.raises(BadInputError, match="no snapshot"):
                snapshots.find(canister, wrong)
        canister.client.unload()
    restored = profile.snapshots.restore(deployed, taken.id.hex(), ignore_progress, Cancel())
    assert (restored.model, restored.module_hash) == (deployed.model, deployed.module_hash)
    with open_canister(profile, deployed) as canister:
        model = canister.client.status().model
        assert model is not None and model.loaded is not None
        snapshot_files.download(canister, taken, tmp_path / "kept", ignore_progress, Cancel())
        contents = canister.management.snapshot_contents(canister.id, taken.id)
        snapshots.delete(canister, taken)
        assert snapshots.kept(canister) == []
    for part, size_bytes in contents.sizes.items():
        assert (tmp_path / "kept" / snapshot_files.FILES[part]).stat().st_size == size_bytes
    assert (tmp_path / "kept" / "module.wasm").read_bytes()[:4] in (b"\0asm", b"\x1f\x8b\x08\0")
    described = json.loads((tmp_path / "kept" / snapshot_files.DESCRIPTION_FILE).read_text())
    assert (described["version"], described["canister"]) == (2, deployed.canister_id)


def test_a_download_goes_on_where_it_stopped_and_mixes_nothing(
    profile: Workspace, deployed: Deployment, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    with open_canister(profile, deployed) as canister:
        taken = snapshots.take(canister)
        cancel, reads = Cancel(), []

        def stop_in_the_middle(progress: Progress) -> None:
            if progress.done > progress.total // 2:
                cancel.cancel()

        with pytest.raises(Cancelled):
            snapshot_files.download(canister, taken, folder, stop_in_the_middle, cancel)
        assert not (folder / snapshot_files.DESCRIPTION_FILE).exists()
        before = {path.name: path.stat().st_size for path in folder.iterdir()}
        snapshot_files.download(canister, taken, folder, lambda one: reads.append(one.done), Cancel())
        assert reads[1] == before["module.wasm"], "what was there is not read again"
        assert (folder / "heap").stat().st_size == canister.management.snapshot_contents(canister.id, taken.id).sizes[
            SnapshotPart.HEAP
        ]
        other = snapshots.take(canister)
        with pytest.raises(BadInputError, match="something else"):
            snapshot_files.download(canister, other, folder, ignore_progress, Cancel())
        for one in (taken, other):
            snapshots.delete(canister, one)


def test_nothing_is_begun_without_the_cycles_for_it(profile: Workspace, deployed: Deployment) -> None:
    with open_canister(profile, deployed) as canister:
        before = canister.status()
        much_s = (before.cycles // before.idle_cycles_per_day) * 86_400
        canister.change(CanisterSettings(freezing_threshold=much_s))
        with pytest.raises(TooFewCyclesError, match="to take a snapshot") as caught:
            snapshots.take(canister)
        assert 0 < caught.value.missing_cycles < before.cycles
        assert snapshots.kept(canister) == []
        canister.change(CanisterSettings(freezing_threshold=before.freezing_threshold_s))


def test_deleting_asks_for_the_name_and_says_what_is_lost(profile: Workspace) -> None:
    doomed = profile.deploy("small", name="Doomed", on_progress=ignore_progress, cancel=Cancel())
    with pytest.raises(BadInputError, match="confirm its name"):
        profile.canisters.delete(doomed, confirmed="doomed")
    with open_canister(profile, doomed) as canister:
        snapshots.take(canister)
        lost = removal.loss(canister)
        assert lost is not None and lost.snapshots == 1
        assert lost.cycles == pytest.approx(canister.status().cycles, rel=0.01)
        before = CyclesLedger(canister.agent).balance(canister.agent.identity.principal)
        _interrupt_draining(canister, profile.journal, doomed.id)
        stranger = profile.vault.new_identity("Stranger").principal
        with (
            open_canister(profile, doomed, stranger) as theirs,
            pytest.raises(RejectedError, match="rejected the message"),
        ):
            theirs.agent.update(canister.id, "drain", bytes(16))
        recovered = removal.remove(canister, profile.journal, doomed.id, ignore_progress, Cancel())
        after = CyclesLedger(canister.agent).balance(canister.agent.identity.principal)
        assert recovered == after - before == pytest.approx(lost.recoverable_cycles, rel=0.001)
        assert 0 < lost.cycles - recovered < 150 * 10**9
        assert removal.loss(canister) is None
    assert profile.canisters.delete(doomed, confirmed="Doomed") == 0  # as after an answer that was lost
    assert "Doomed" not in [one.name for one in profile.deployments()]
    assert "Doomed" in [record.label for record in profile.identities()]


def _interrupt_draining(canister: OwnCanister, journal: Journal, deployment_id: str) -> None:
    """Stopped when the engine is gone and the cycles are still there; once killed before, with nothing held back."""
    before = canister.status()
    _kill_while_draining(canister, journal, deployment_id)
    assert canister.status().freezing_threshold_s == 0
    assert draining.threshold_before(journal, deployment_id) == before.freezing_threshold_s > 0
    cancel = Cancel()

    def stop_before_the_last_step(progress: Progress) -> None:
        if progress.done == 2:
            cancel.cancel()

    with pytest.raises(Cancelled):
        draining.drain(canister, journal, deployment_id, stop_before_the_last_step, cancel)
    status = canister.status()
    assert status.module_hash == hashlib.sha256(resource(draining.DRAIN_WASM).read_bytes()).digest()
    assert status.freezing_threshold_s == before.freezing_threshold_s, "it keeps its rent while nobody goes on"
    assert health.diagnose(canister.client, status) == (Health.LEAVING, None)


def _kill_while_draining(canister: OwnCanister, journal: Journal, deployment_id: str) -> None:
    """As far as the canister and the journal can tell: what ends the process puts nothing back."""

    class Killed(BaseException):
        pass

    def die(progress: Progress) -> None:
        if progress.done == 1:
            raise Killed

    with pytest.raises(Killed):
        draining.drain(canister, journal, deployment_id, die, Cancel())
