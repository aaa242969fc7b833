"""Another engine or another model for a canister that is there already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from personal_ai.app.canisters import open_canister
from personal_ai.canister.client import CanisterClient
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.common.paths import resource
from personal_ai.deployments import health
from personal_ai.deployments.deployer import Deployer
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import CANISTER_WASM
from personal_ai.deployments.replacement import replace_model
from personal_ai.deployments.upgrade import Upgrade
from personal_ai.models.package import ModelPackage

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


class Upkeep:
    """Interrupted, the same call goes on."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def upgrade(self, deployment: Deployment, on_progress: ProgressCallback, cancel: Cancel) -> bool:
        """Takes the canister to the engine that comes with this program; see `Upgrade.run`."""
        package = self._workspace.model(deployment.model)
        wasm = resource(CANISTER_WASM).read_bytes()
        with open_canister(self._workspace, deployment) as canister:
            upgrade = Upgrade(self._workspace.journal, canister, wasm, partial(_question, package))
            return upgrade.run(deployment.id, on_progress, cancel)

    def replace(self, deployment: Deployment, model: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        """Puts another model of the library into the canister. See `replace_model`."""
        package = self._workspace.model(model)
        with open_canister(self._workspace, deployment) as canister:
            deployer = Deployer(self._workspace.journal, canister.agent, package, self._workspace.paths.programs)
            return replace_model(deployer, deployment.id, on_progress, cancel)


def _question(package: ModelPackage, client: CanisterClient, cancel: Cancel) -> None:
    health.ask(client, package, cancel)
