"""Another model in a canister on the practice network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from personal_ai.canister.client import CanisterClient, NoRoom
from personal_ai.common.errors import BadInputError, Cancelled, RejectedError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.deployments import health
from personal_ai.deployments.cycles_needed import TooFewCyclesError
from personal_ai.deployments.deployer import Deployer
from personal_ai.deployments.journal import DeploymentState
from personal_ai.deployments.replacement import REPLACE, replace_model
from personal_ai.deployments.upload import STEP
from personal_ai.ic.management import CanisterSettings
from tests.deployments.conftest import DEPLOYMENT_ID, Placed, small_package
from tests.support.checkpoints import Shape


@pytest.fixture(scope="module")
def other(placed: Placed) -> Deployer:
    """Works with a model that is not in the canister."""
    return replace(placed.deployer, package=small_package(placed.folder, "other", Shape(architecture="gpt2")))


@pytest.fixture(autouse=True)
def small_again(placed: Placed) -> Iterator[None]:
    """Each test begins with `small`."""
    if placed.deployment.model != "small":
        replace_model(placed.deployer, DEPLOYMENT_ID, ignore_progress, Cancel())
    yield


def _active(placed: Placed) -> str:
    model = placed.canister.client.status().model
    assert model is not None
    return model.name


def test_the_new_model_answers_and_the_journal_names_it(placed: Placed, other: Deployer) -> None:
    steps: list[str] = []
    found = replace_model(other, DEPLOYMENT_ID, lambda one: steps.append(one.step), Cancel())
    assert (found.model, found.model_sha256) == ("other", other.package.manifest_sha256)
    assert found.state is DeploymentState.ACTIVE and _active(placed) == "other"
    assert not any("unloaded" in step for step in steps), "both fit"
    health.ask(placed.canister.client, other.package, Cancel())


def test_stopped_in_the_upload_the_old_one_answers_and_nothing_is_sent_twice(placed: Placed, other: Deployer) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.step == STEP:
            cancel.cancel()

    with pytest.raises(Cancelled):
        replace_model(other, DEPLOYMENT_ID, stop, cancel)
    assert (placed.deployment.model, placed.deployment.state) == ("small", DeploymentState.ACTIVE)
    begun = placed.journal.step(DEPLOYMENT_ID, REPLACE)
    assert begun is not None and (begun.result, begun.done) == ("other", False)
    health.ask(placed.canister.client, placed.deployer.package, Cancel())
    assert replace_model(other, DEPLOYMENT_ID, ignore_progress, Cancel()).model == "other"
    assert replace_model(other, DEPLOYMENT_ID, ignore_progress, Cancel()).model == "other", "a repeat changes nothing"
    ended = placed.journal.step(DEPLOYMENT_ID, REPLACE)
    assert ended is not None and (ended.result, ended.done) == ("other", True)


def test_a_switch_that_was_interrupted_is_gone_on_with(
    placed: Placed, other: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise RejectedError("Crowded.", reject_code=2, reject_message="")

    with monkeypatch.context() as patch:
        patch.setattr(CanisterClient, "activate", lost)
        with pytest.raises(RejectedError):
            replace_model(other, DEPLOYMENT_ID, ignore_progress, Cancel())
    assert (placed.deployment.state, placed.deployment.failure) == (DeploymentState.FAILED, "Crowded.")
    assert replace_model(other, DEPLOYMENT_ID, ignore_progress, Cancel()).state is DeploymentState.ACTIVE
    assert _active(placed) == "other"


def test_where_both_do_not_fit_the_old_one_leaves_first_and_that_is_said(
    placed: Placed, other: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate = CanisterClient.activate
    asked: list[bool] = []

    def crowded(self: CanisterClient, model_hash: bytes, *, unload_first: bool = False, **rest: object) -> None:
        asked.append(unload_first)
        if not unload_first:
            raise NoRoom(2, 1)
        activate(self, model_hash, unload_first=True, **rest)  # type: ignore[arg-type]

    steps: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(CanisterClient, "activate", crowded)
        replace_model(other, DEPLOYMENT_ID, lambda one: steps.append(one.step), Cancel())
    assert asked == [False, True] and any("the old one is unloaded first" in step for step in steps)
    assert _active(placed) == "other"


def test_nothing_is_sent_without_the_cycles_for_all_of_it(placed: Placed, other: Deployer) -> None:
    before = placed.canister.status()
    much_s = (before.cycles // before.idle_cycles_per_day) * 86_400
    placed.canister.change(CanisterSettings(freezing_threshold=much_s))
    bigger = replace(other, package=small_package(placed.folder, "bigger", Shape(layers=3)))
    with pytest.raises(TooFewCyclesError, match="to take another model"):
        replace_model(bigger, DEPLOYMENT_ID, ignore_progress, Cancel())
    placed.canister.change(CanisterSettings(freezing_threshold=before.freezing_threshold_s))
    assert _active(placed) == "small"


def test_a_deployment_without_a_canister_has_no_model_to_replace(placed: Placed, other: Deployer) -> None:
    unborn = replace(placed.deployment, id="bb" * 16, name="Birch", canister_id=None)
    placed.journal.begin(unborn)
    with pytest.raises(BadInputError, match="no canister yet"):
        replace_model(other, unborn.id, ignore_progress, Cancel())
