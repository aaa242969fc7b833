"""The canisters of one's deployments: looked at, stopped and started, set, followed, and deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from personal_ai.canister.client import CanisterStatus as EngineStatus
from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, ProgressCallback, ignore_progress, interruptible
from personal_ai.common.paths import resource
from personal_ai.deployments import health, removal
from personal_ai.deployments.bill import Line, bill
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import CANISTER_WASM
from personal_ai.deployments.removal import Loss
from personal_ai.deployments.runway import Runway
from personal_ai.ic.management import CanisterSettings, CanisterStatus, LogLine
from personal_ai.ic.principal import Principal

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


class Engine(StrEnum):
    """Which program is in a canister, by the hash that the network certifies."""

    SHIPPED = "shipped"  # the one that comes with this program
    OTHER = "other"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Look:
    """A canister at one time. said: what the engine says of itself; None where it does not answer.

    bill: what its deployment was planned to cost beside what it did cost; empty where there was no plan.
    """

    status: CanisterStatus
    health: Health
    engine: Engine
    runway: Runway
    budget: Budget | None
    said: EngineStatus | None
    bill: tuple[Line, ...] = ()


class Canisters:
    """Each call opens the deployment's canister as its own identity, and closes it. Raises as `open_canister`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def look(self, deployment: Deployment, cancel: Cancel) -> Look:
        """All that the network and the engine say of it; the reading of its cycles is kept.

        Raises NetworkError, SecurityError, CanisterNotFoundError where it is gone, Cancelled.
        """
        return interruptible(lambda: self._look(deployment), cancel)

    def _look(self, deployment: Deployment) -> Look:
        with open_canister(self._workspace, deployment) as canister:
            status = canister.status()
            found, said = health.diagnose(canister.client, status)
        outlook = self._workspace.runway.note(deployment, status)
        profile = self._workspace.networks.known(deployment.network)
        lines = bill(self._workspace.journal, deployment.id, profile, status, said)
        return Look(status, found, _engine(status.module_hash), outlook.runway, outlook.budget, said, lines)

    def status(self, deployment: Deployment) -> CanisterStatus:
        with open_canister(self._workspace, deployment) as canister:
            return canister.status()

    def stop(self, deployment: Deployment) -> CanisterStatus:
        """From now on it answers nothing and pays its rent only."""
        with open_canister(self._workspace, deployment) as canister:
            canister.stop()
            return canister.status()

    def start(self, deployment: Deployment) -> CanisterStatus:
        with open_canister(self._workspace, deployment) as canister:
            canister.start()
            return canister.status()

    def change(self, deployment: Deployment, settings: CanisterSettings) -> CanisterStatus:
        """Changes the settings that are not None."""
        with open_canister(self._workspace, deployment) as canister:
            return canister.change(settings)

    def log(self, deployment: Deployment, from_index: int = 0) -> list[LogLine]:
        """What is kept of its log, from a line's number on."""
        with open_canister(self._workspace, deployment) as canister:
            return canister.log(from_index)

    def follow(self, deployment: Deployment, on_line: Callable[[LogLine], None], cancel: Cancel) -> None:
        """Hands over the log's lines, the old ones first, as long as it is not cancelled. Raises Cancelled."""
        with open_canister(self._workspace, deployment) as canister:
            for line in canister.follow(cancel):
                on_line(line)

    def loss(self, deployment: Deployment) -> Loss | None:
        """What `delete` would lose for ever; None where there is no canister (any more)."""
        if deployment.canister_id is None:
            return None
        with open_canister(self._workspace, deployment) as canister:
            return removal.loss(canister)

    def delete(
        self,
        deployment: Deployment,
        *,
        confirmed: str,
        on_progress: ProgressCallback = ignore_progress,
        cancel: Cancel | None = None,
    ) -> int:
        """Deletes the canister for ever and strikes the deployment out; `confirmed` is its name, typed by its owner.

        Gives how many of its cycles came back, onto the account of its identity, which stays in the vault. Repeated
        after an interruption, it goes on. Raises BadInputError, NetworkError, Cancelled.
        """
        if confirmed != deployment.name:
            raise BadInputError(f"To delete {deployment.name}, confirm its name.", not_lost="Nothing was deleted.")
        recovered, journal = 0, self._workspace.journal
        if deployment.canister_id is not None:
            with open_canister(self._workspace, deployment) as canister:
                recovered = removal.remove(canister, journal, deployment.id, on_progress, cancel or Cancel())
        journal.forget(deployment.id)
        return recovered


@contextmanager
def open_canister(
    workspace: Workspace, deployment: Deployment, principal: Principal | None = None
) -> Iterator[OwnCanister]:
    """A deployment's canister, as `principal` or the deployment's own identity.

    Raises NetworkUnreachableError where there is none yet, VaultLockedError.
    """
    acting = principal or Principal.from_text(deployment.principal)
    canister_id = Principal.from_text(id_of(deployment))
    with closing(workspace.agent(workspace.networks.known(deployment.network), acting)) as agent:
        yield OwnCanister(agent, canister_id)


def id_of(deployment: Deployment) -> str:
    """Raises NetworkUnreachableError where it has no canister yet."""
    if deployment.canister_id is None:
        raise NetworkUnreachableError(f"{deployment.name} has no canister yet.", next_step="Finish deploying it.")
    return deployment.canister_id


def _engine(module_hash: bytes | None) -> Engine:
    if module_hash is None:
        return Engine.NONE
    return Engine.SHIPPED if module_hash == _shipped_module_hash() else Engine.OTHER


@cache
def _shipped_module_hash() -> bytes:
    return hashlib.sha256(resource(CANISTER_WASM).read_bytes()).digest()
