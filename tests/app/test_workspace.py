"""What the front ends' one door lets through, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from personal_ai.app.vault_door import VaultDoor
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.identities.vault import VaultLockedError
from personal_ai.models.library import starter
from tests.support.checkpoints import Shape, write_checkpoint

PASSWORD = "correct horse battery"


@pytest.fixture
def workspace(own_home: Path) -> Iterator[Workspace]:
    opened = Workspace(Paths(own_home))
    yield opened
    opened.close()


def _deployment(model_sha256: str) -> Deployment:
    return Deployment(
        "aa" * 16, "Rowan", "practice", "2vxsx-fae", starter().name, model_sha256, DeploymentState.RUNNING, 1
    )


def test_a_vault_is_made_locked_and_opened_again(workspace: Workspace, own_home: Path) -> None:
    assert workspace.locked and not workspace.has_vault
    phrase = workspace.new_phrase()
    assert len(phrase.split()) == 12 and phrase != workspace.new_phrase()
    workspace.create_vault(phrase, PASSWORD)
    assert workspace.has_vault and not workspace.locked and workspace.identities() == ()
    workspace.close()
    assert workspace.locked
    with pytest.raises(VaultLockedError):
        workspace.identities()
    again = Workspace(Paths(own_home))
    again.unlock(PASSWORD)
    assert again.conversations.list() == []
    again.close()


def test_the_starter_model_comes_first_and_says_what_it_is(workspace: Workspace, tmp_path: Path) -> None:
    assert [model.name for model in workspace.models()] == [starter().name]
    assert "knows only this app" in workspace.models()[0].label
    folder = write_checkpoint(tmp_path / "checkpoint", Shape())
    workspace.import_model(folder, name="mine", on_progress=ignore_progress, cancel=Cancel())
    assert [model.name for model in workspace.models()] == [starter().name, "mine"]
    assert workspace.model("mine").name == "mine"
    with pytest.raises(BadInputError, match="no model named other"):
        workspace.model("other")


def test_nothing_is_deployed_from_a_locked_vault(workspace: Workspace) -> None:
    with pytest.raises(VaultLockedError):
        workspace.deploy(starter().name, on_progress=ignore_progress, cancel=Cancel())
    assert workspace.deployments() == []


def test_a_deployment_is_not_gone_on_with_another_model(workspace: Workspace) -> None:
    workspace.create_vault(workspace.new_phrase(), PASSWORD)
    workspace.journal.begin(_deployment("00" * 32))
    with pytest.raises(BadInputError, match="no longer the model that Rowan was begun with"):
        workspace.deploy(starter().name, resume="aa" * 16, on_progress=ignore_progress, cancel=Cancel())
    assert not workspace.practice_network_running()


def test_a_deployment_without_a_canister_cannot_be_asked(workspace: Workspace) -> None:
    deployment = _deployment(starter().manifest_sha256)
    with pytest.raises(NetworkUnreachableError, match="no canister yet"):
        workspace.open_chat(model=starter().name, deployment=replace(deployment, canister_id=None))


def test_an_idle_vault_locks_itself_with_the_conversations(workspace: Workspace) -> None:
    now = [0.0]
    workspace.door = VaultDoor(Paths.default().vault, clock=lambda: now[0])
    workspace.create_vault(workspace.new_phrase(), PASSWORD)
    store = workspace.conversations
    assert not workspace.lock_if_idle() and not workspace.locked
    now[0] += workspace.vault.notes.idle_lock_s
    assert workspace.lock_if_idle() and workspace.locked
    with pytest.raises(apsw.ConnectionClosedError):
        store.list()
    workspace.unlock(PASSWORD)
    assert workspace.conversations.list() == []


def test_each_identity_takes_a_way_of_its_own(workspace: Workspace) -> None:
    workspace.create_vault(workspace.new_phrase(), PASSWORD)
    first, second = (workspace.vault.new_identity(label).principal for label in "ab")
    assert workspace.proxy_for(first) is None
    workspace.vault.change_notes(lambda notes: notes.with_proxy("socks5h://127.0.0.1:9050"))
    assert workspace.proxy_for(first) != workspace.proxy_for(second)
