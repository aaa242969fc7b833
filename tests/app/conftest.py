"""Profiles: an empty one, and one with a small model that was taken into a canister on its own practice network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.app.workspace import Workspace
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment
from tests.support.checkpoints import Shape, write_checkpoint


@pytest.fixture
def workspace(own_home: Path) -> Iterator[Workspace]:
    """An open vault with nothing in it, quickly made."""
    opened = Workspace(Paths(own_home))
    opened.door.create_for_trial(opened.new_phrase())
    yield opened
    opened.practice_network.stop()
    opened.close()


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """An open vault; `small` in the library."""
    opened = Workspace(Paths(tmp_path_factory.mktemp("home")))
    opened.create_vault(opened.new_phrase(), "correct horse battery")
    folder = write_checkpoint(tmp_path_factory.mktemp("checkpoint"), Shape())
    opened.import_model(folder, name="small", on_progress=ignore_progress, cancel=Cancel())
    yield opened
    opened.practice_network.stop()
    opened.close()


@pytest.fixture(scope="module")
def deployed(profile: Workspace) -> Deployment:
    """`small` in a canister; take `profile.journal.deployment(deployed.id)` for how it stands now."""
    return profile.deploy("small", on_progress=ignore_progress, cancel=Cancel())
