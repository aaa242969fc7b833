"""The canisters of one's deployments, opened for both front ends, and what keeps the journal true to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from personal_ai.app.recovery import package_of
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments import removal, snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal


@contextmanager
def open_canister(
    workspace: Workspace, deployment: Deployment, principal: Principal | None = None
) -> Iterator[OwnCanister]:
    """A deployment's canister, as `principal` or the deployment's own identity.

    Raises NetworkUnreachableError where there is none yet, VaultLockedError.
    """
    if deployment.canister_id is None:
        raise NetworkUnreachableError(f"{deployment.name} has no canister yet.", next_step="Finish deploying it.")
    acting = principal or Principal.from_text(deployment.principal)
    with closing(workspace.agent(workspace.networks.known(deployment.network), acting)) as agent:
        yield OwnCanister(agent, Principal.from_text(deployment.canister_id))


def restore_snapshot(
    workspace: Workspace, deployment: Deployment, named: str, on_progress: ProgressCallback, cancel: Cancel
) -> Deployment:
    """Goes back to a snapshot and waits until its model answers; the journal then names the model that is there.

    named: as `snapshots.find` takes it. A model that this computer no longer has is rebuilt from the canister.
    """
    with open_canister(workspace, deployment) as canister:
        snapshots.restore(canister, snapshots.find(canister, named))
        canister.client.activate(on_progress=on_progress, cancel=cancel)
        package = package_of(workspace, canister.client, on_progress, cancel)
        module_hash = canister.agent.module_hash(canister.id)
    workspace.journal.set_model(deployment.id, package.name, package.manifest_sha256)
    if module_hash is not None:
        workspace.journal.set_module_hash(deployment.id, module_hash.hex())
    return workspace.journal.deployment(deployment.id)


def delete_deployment(workspace: Workspace, deployment: Deployment, *, confirmed: str) -> None:
    """Deletes the canister for ever and strikes the deployment out; `confirmed` is its name, typed by its owner.

    Its identity stays in the vault. Repeated after an interruption, it goes on. Raises BadInputError.
    """
    if confirmed != deployment.name:
        raise BadInputError(f"To delete {deployment.name}, confirm its name.", not_lost="Nothing was deleted.")
    if deployment.canister_id is not None:
        with open_canister(workspace, deployment) as canister:
            removal.remove(canister)
    workspace.journal.forget(deployment.id)
