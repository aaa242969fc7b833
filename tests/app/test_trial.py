"""Trying the program out, kept and thrown away, with the real starter model and practice network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.app.workspace import Workspace
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.common.errors import BadInputError, Cancelled, IdentityError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import DeploymentState
from personal_ai.identities.errors import VaultLockedError
from tests.support.keyrings import MemoryKeyring

PASSWORD = "four quiet walnut trees"


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    paths = Paths(own_home)
    yield paths
    Workspace(paths).practice_network.stop()


def begun(paths: Paths) -> Workspace:
    """A trial whose vault is made, without its deployment."""
    opened = Workspace(paths)
    stopped = Cancel()
    stopped.cancel()
    with pytest.raises(Cancelled):
        opened.trial.begin(ignore_progress, stopped)
    assert opened.trial.under_way
    return opened


@pytest.mark.usefixtures("no_keyring")
def test_a_trial_goes_on_where_it_stopped_and_is_kept_with_all_that_is_in_it(paths: Paths) -> None:
    opened = begun(paths)
    (first,) = opened.deployments()
    deployment = opened.trial.begin(ignore_progress, Cancel())
    assert deployment.id == first.id
    assert deployment.state is DeploymentState.ACTIVE
    assert opened.trial.under_way and not opened.door.idle
    said = Conversation(deployment.model, deployment.id).with_turn(Turn("user", "What is a canister?"))
    opened.conversations.save(said)
    opened.door.change_password(None, PASSWORD)
    assert not opened.trial.under_way
    with pytest.raises(BadInputError, match="is no trial"):
        opened.trial.throw_away()
    opened.close()

    again = Workspace(paths)
    assert not again.door.trial_is_over
    again.unlock(PASSWORD)
    assert again.deployments() == [deployment]
    assert again.conversations.get(said.id) == said
    assert str(again.identities()[0].principal) == deployment.principal
    again.close()


@pytest.mark.usefixtures("no_keyring")
def test_nothing_of_it_stays_but_what_is_not_its_own(paths: Paths) -> None:
    opened = begun(paths)
    opened.conversations.save(Conversation("starter"))
    library = paths.models / "mine"
    library.mkdir(parents=True)
    paths.settings.write_text("{}")
    opened.trial.throw_away()
    left = {path.name for path in paths.home.iterdir()}
    assert left == {"models", "settings.json", "trial.lock"}


@pytest.mark.usefixtures("no_keyring")
def test_a_trial_of_a_program_that_ended_opens_nowhere_and_can_be_cleared_away(paths: Paths) -> None:
    begun(paths).close()
    after = Workspace(paths)
    assert after.door.trial_is_over
    with pytest.raises(IdentityError, match="trying the program out"):
        after.unlock(PASSWORD)
    with pytest.raises(IdentityError, match="trying the program out"):
        after.door.unlock_with_keyring()
    with pytest.raises(VaultLockedError):
        after.identities()
    after.trial.throw_away()
    assert not after.has_vault and not Workspace(paths).door.trial_is_over


@pytest.mark.usefixtures("no_keyring")
def test_nobody_clears_away_what_is_tried_out_elsewhere(paths: Paths) -> None:
    opened = begun(paths)
    other = Workspace(paths)
    assert other.door.trial_is_over  # as far as it can see
    with pytest.raises(BadInputError, match="in another window"):
        other.trial.throw_away()
    assert opened.trial.under_way and opened.has_vault
    opened.close()


@pytest.mark.usefixtures("no_keyring")
def test_a_profile_that_was_there_before_is_never_touched(paths: Paths) -> None:
    paths.home.mkdir(parents=True)
    paths.conversations.write_bytes(b"of another vault")
    with pytest.raises(BadInputError, match="earlier profile"):
        Workspace(paths).trial.begin(ignore_progress, Cancel())
    assert paths.conversations.read_bytes() == b"of another vault" and not paths.vault.exists()


def test_a_keyring_makes_it_a_profile_like_any_other(paths: Paths, system_keyring: MemoryKeyring) -> None:
    opened = Workspace(paths)
    stopped = Cancel()
    stopped.cancel()
    with pytest.raises(Cancelled):
        opened.trial.begin(ignore_progress, stopped)
    assert not opened.trial.under_way and len(system_keyring.kept) == 1
    opened.close()
    again = Workspace(paths)
    again.door.unlock_with_keyring()
    assert not again.door.wants_password
    with pytest.raises(BadInputError, match="is no trial"):
        again.trial.throw_away()
