"""The room of models on the real parts: the hub on loopback, the library, the vault's token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from personal_ai.app.model_room import ModelRoom
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError, Cancelled
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.models.hub.download import unfinished
from personal_ai.models.hub.errors import HubAccessError
from personal_ai.models.speed import Speed
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.hub import LoopbackHub

MODEL = "maker/Tiny-1M"
QUIETLY = {"on_progress": ignore_progress}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "Tiny-1M", Shape())


@pytest.fixture
def hub(source: Path) -> Iterator[LoopbackHub]:
    with LoopbackHub() as made:
        made.add(MODEL, {path.name: path.read_bytes() for path in source.iterdir()}, cardData={"license": "mit"})
        yield made


@pytest.fixture
def workspace(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    speed = Speed({"int8": 1e9, "int4": 1e9})
    monkeypatch.setattr("personal_ai.app.advice.measured_speed", lambda *_: speed)
    with closing(Workspace(Paths(own_home))) as made:
        made.create_vault(made.new_phrase(), "correct horse battery")
        yield made


def test_the_hub_that_was_chosen_is_asked(workspace: Workspace, hub: LoopbackHub) -> None:
    room = ModelRoom(workspace)
    room.use_hub(hub.endpoint)
    assert room.hub_address == hub.endpoint
    assert room.look_up(MODEL, cancel=Cancel(), **QUIETLY).model.id.startswith(MODEL)


@pytest.fixture
def room(workspace: Workspace, hub: LoopbackHub) -> ModelRoom:
    return ModelRoom(workspace, hub.endpoint)


def names(room: ModelRoom) -> list[str]:
    return [model.name for model in room.listing().models]


def test_looked_up_fetched_and_listed(room: ModelRoom) -> None:
    offer = room.look_up(MODEL, **QUIETLY, cancel=Cancel())
    assert offer.model.licence == "mit"
    assert [fit.quantisation for fit in offer.fits] == ["int8", "int4"]
    wanted = f"{MODEL}@{offer.model.commit}"
    for quantisation in ("int8", "int4"):
        fetched = room.fetch(wanted, quantisation, **QUIETLY, cancel=Cancel())
        assert fetched.loss is not None and fetched.loss.tokens > 100
    assert names(room) == [room.listing().bundled, "tiny-1m", "tiny-1m-int4"]
    assert room.listing().free_bytes and room.listing().unfinished == []


def test_a_download_that_is_stopped_is_listed_and_discarded(
    room: ModelRoom, workspace: Workspace, hub: LoopbackHub
) -> None:
    (workspace.paths.downloads / "maker--Tiny-1M").mkdir(parents=True)
    assert room.listing().unfinished == [MODEL]
    room.discard(MODEL)
    assert room.listing().unfinished == unfinished(workspace.paths.downloads) == []
    with pytest.raises(BadInputError):
        room.discard("../..")


@pytest.mark.parametrize("step", ["Fetching", "Importing"])
def test_whatever_a_fetch_was_stopped_at_it_is_gone_on_with_or_leaves_nothing(
    room: ModelRoom, workspace: Workspace, hub: LoopbackHub, step: str
) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.step.startswith(step) and progress.done > 0:
            cancel.cancel()

    with pytest.raises(Cancelled):
        room.fetch(MODEL, "int8", on_progress=stop, cancel=cancel)
    assert names(room) == [room.listing().bundled] and room.listing().unfinished == [MODEL]
    room.discard(MODEL)
    assert [path for path in workspace.paths.downloads.rglob("*") if path.suffix != ".lock"] == []
    assert not workspace.paths.models.exists() or list(workspace.paths.models.iterdir()) == []


def test_the_vaults_token_opens_private_models(room: ModelRoom, hub: LoopbackHub) -> None:
    hub.facts(MODEL)["gated"] = "manual"
    hub.tokens[MODEL] = "hf_word"
    with pytest.raises(HubAccessError):
        room.look_up(MODEL, **QUIETLY, cancel=Cancel())
    room.keep_token("hf_word")
    assert room.listing().keeps_token
    assert room.look_up(MODEL, **QUIETLY, cancel=Cancel()).model.id == MODEL
    room.keep_token(None)
    assert not room.listing().keeps_token


def test_taken_judged_checked_and_removed(room: ModelRoom, source: Path) -> None:
    taken = room.take(source, "int8", **QUIETLY, cancel=Cancel())
    (fit,) = room.fit(taken.name, **QUIETLY, cancel=Cancel())
    assert fit.canister.verdict == "well" and fit.canister.month_usd > 0 and fit.canister.upload_usd > 0
    assert room.perplexity(taken.name, **QUIETLY, cancel=Cancel()) > 1
    room.verify(taken.name, **QUIETLY, cancel=Cancel())
    room.remove(taken.name)
    assert room.listing().removed == (taken.name,) and taken.name not in names(room)
    room.restore(taken.name)
    assert taken.name in names(room)


def test_what_was_removed_is_gone_for_good_when_the_program_ends(
    room: ModelRoom, workspace: Workspace, source: Path
) -> None:
    taken = room.take(source, "int8", **QUIETLY, cancel=Cancel())
    room.remove(taken.name)
    workspace.lock()
    room.restore(taken.name)
    room.remove(taken.name)
    workspace.close()
    assert list(workspace.paths.models.iterdir()) == []
    with closing(Workspace(workspace.paths)) as opened, pytest.raises(BadInputError, match="deleted for good"):
        opened.library.restore(taken.name)


def test_a_drive_that_is_away_leaves_the_starter(room: ModelRoom, workspace: Workspace, tmp_path: Path) -> None:
    workspace.move_library(tmp_path / "drive", **QUIETLY, cancel=Cancel())
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    listing = room.listing()
    assert listing.away is not None and listing.free_bytes is None
    assert names(room) == [listing.bundled]


def test_the_catalogue_can_be_looked_up(room: ModelRoom) -> None:
    assert all("/" in entry.id for entry in room.catalogue())
