"""Who controls a deployment's canister, as its owner sees and changes it."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.app.canisters import open_canister
from personal_ai.app.workspace import Workspace
from personal_ai.deployments import controllers
from personal_ai.deployments.controllers import Controller
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal
from personal_ai.identities import linking
from personal_ai.identities.linking import LinkWarning


@dataclass(frozen=True, slots=True)
class Control:
    """Who controls a canister, and what worries about it."""

    canister_id: Principal
    controllers: tuple[Controller, ...]
    worry: str | None


def control(workspace: Workspace, deployment: Deployment) -> Control:
    """Certified by the network. Raises NetworkError, SecurityError, VaultLockedError."""
    with open_canister(workspace, deployment) as canister:
        return _control(workspace, canister.id, controllers.read(canister.agent, canister.id))


def link_warning(workspace: Workspace, deployment: Deployment, added: Principal) -> LinkWarning | None:
    """What to show before `add_controller`."""
    own = {record.principal: record.label for record in workspace.identities()}
    present = [one.principal for one in control(workspace, deployment).controllers]
    return linking.add_controller(present, added, own)


def add_controller(workspace: Workspace, deployment: Deployment, added: Principal) -> Control:
    """Gives `added` all power over the canister; one's own identity proves at once that it can use it."""
    with open_canister(workspace, deployment) as canister:
        present = controllers.add(canister.agent, canister.id, added)
    if any(record.principal == added for record in workspace.identities()):
        prove_controller(workspace, deployment, added)
    return _control(workspace, canister.id, present)


def remove_controller(workspace: Workspace, deployment: Deployment, removed: Principal) -> Control:
    """Takes the power away from another controller than the deployment's own identity."""
    with open_canister(workspace, deployment) as canister:
        return _control(workspace, canister.id, controllers.remove(canister.agent, canister.id, removed))


def prove_controller(workspace: Workspace, deployment: Deployment, principal: Principal) -> None:
    """Lets one of one's own identities do what only a controller may. Raises RejectedError where it is none."""
    with open_canister(workspace, deployment, principal) as canister:
        controllers.prove(canister.agent, canister.id)


def _control(workspace: Workspace, canister_id: Principal, present: frozenset[Principal]) -> Control:
    known = controllers.known(present, workspace.identities())
    return Control(canister_id, known, controllers.worry(known))
