"""A small random model that was taken into a canister on a practice network of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.deployer import Deployer
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.principal import Principal
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from tests.support.checkpoints import Shape, write_checkpoint

DEPLOYMENT_ID = "aa" * 16


@dataclass(frozen=True)
class Placed:
    """A finished deployment, and what made it."""

    folder: Path
    deployer: Deployer

    @property
    def journal(self) -> Journal:
        return self.deployer.journal

    @property
    def deployment(self) -> Deployment:
        return self.journal.deployment(DEPLOYMENT_ID)

    @property
    def canister(self) -> OwnCanister:
        return OwnCanister(self.deployer.agent, Principal.from_text(self.deployment.canister_id or ""))


def small_package(folder: Path, name: str, shape: Shape) -> ModelPackage:
    checkpoint = write_checkpoint(folder / f"{name}-checkpoint", shape)
    return import_folder(
        checkpoint, Library(folder / "models"), name=name, on_progress=ignore_progress, cancel=Cancel()
    )


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    folder = tmp_path_factory.mktemp("placed")
    network = PracticeNetwork(folder / "network")
    agent = Agent(network.start(), Ed25519Identity(bytes(range(32))))
    journal = Journal(folder / "deployments.sqlite")
    package = small_package(folder, "small", Shape())
    principal, state = str(agent.identity.principal), DeploymentState.RUNNING
    journal.begin(Deployment(DEPLOYMENT_ID, "Rowan", "practice", principal, "small", package.manifest_sha256, state, 1))
    deployer = Deployer(journal, agent, package, folder / "programs", network.fund)
    deployer.run(DEPLOYMENT_ID, ignore_progress, Cancel())
    yield Placed(folder, deployer)
    journal.close()
    agent.close()
    network.stop()
