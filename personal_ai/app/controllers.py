"""Who controls a deployment's canister, as its owner sees and changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from personal_ai.app.canisters import open_canister
from personal_ai.app.networks import as_on
from personal_ai.deployments import controllers
from personal_ai.deployments.controllers import Controller
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal
from personal_ai.identities import linking
from personal_ai.identities.linking import LinkWarning

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Control:
    """Who controls a canister, and what worries about it."""

    canister_id: Principal
    controllers: tuple[Controller, ...]
    worry: str | None


class Controllers:
    """Everything read is certified by the network. Raises NetworkError, SecurityError, VaultLockedError."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def read(self, deployment: Deployment) -> Control:
        with open_canister(self._workspace, deployment) as canister:
            return self._control(canister.id, controllers.read(canister.agent, canister.id))

    def link_warning(self, deployment: Deployment, added: Principal) -> LinkWarning | None:
        """What to show before `add`."""
        own = {record.principal: record.label for record in self._workspace.identities()}
        present = [one.principal for one in self.read(deployment).controllers]
        return as_on(deployment.network, linking.add_controller(present, added, own))

    def share_warning(self, owner: Principal, network: str) -> LinkWarning | None:
        """What to show before a deployment begins under an identity that has others on this network."""
        own = {record.principal: record.label for record in self._workspace.identities()}
        there = [one for one in self._workspace.deployments() if one.canister_id is not None]
        controlled = {one.name for one in there if (one.principal, one.network) == (str(owner), network)}
        return as_on(network, linking.share(owner, controlled, own))

    def add(self, deployment: Deployment, added: Principal) -> Control:
        """Gives `added` all power over the canister; one's own identity proves at once that it can use it."""
        with open_canister(self._workspace, deployment) as canister:
            present = controllers.add(canister.agent, canister.id, added)
        if any(record.principal == added for record in self._workspace.identities()):
            self.prove(deployment, added)
        return self._control(canister.id, present)

    def remove(self, deployment: Deployment, removed: Principal) -> Control:
        """Takes the power away from another controller than the deployment's own identity."""
        with open_canister(self._workspace, deployment) as canister:
            return self._control(canister.id, controllers.remove(canister.agent, canister.id, removed))

    def prove(self, deployment: Deployment, principal: Principal) -> None:
        """Lets one of one's own identities do what only a controller may. Raises RejectedError where it is none."""
        with open_canister(self._workspace, deployment, principal) as canister:
            controllers.prove(canister.agent, canister.id)

    def _control(self, canister_id: Principal, present: frozenset[Principal]) -> Control:
        known = controllers.known(present, self._workspace.identities())
        return Control(canister_id, known, controllers.worry(known))
