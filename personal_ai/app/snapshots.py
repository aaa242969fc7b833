"""Kept states of a deployment's canister."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.app.canisters import open_canister
from personal_ai.app.recovery import package_of
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments import cycles_needed, snapshot_files, snapshots
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.management_snapshots import Snapshot

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SnapshotPrice:
    """In cycles. needed: what must be in the canister to take one; most of it is the rent that is held back."""

    needed_cycles: int
    rent_per_day: int


class Snapshots:
    """Each call opens the canister as the deployment's own identity. `named`: a snapshot's id, as `snapshots.find`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def kept(self, deployment: Deployment) -> list[Snapshot]:
        """All of them, the newest first."""
        with open_canister(self._workspace, deployment) as canister:
            return snapshots.kept(canister)

    def price(self, deployment: Deployment) -> SnapshotPrice:
        """What one would cost now."""
        with open_canister(self._workspace, deployment) as canister:
            status, profile = canister.status(), canister.agent.profile
        rent = cycles_needed.rent(profile, status.memory_bytes, cycles_needed.SECONDS_PER_DAY)
        return SnapshotPrice(cycles_needed.snapshot_cycles(profile, status), rent)

    def take(self, deployment: Deployment) -> Snapshot:
        """Raises TooFewCyclesError, BadInputError where there are ten."""
        with open_canister(self._workspace, deployment) as canister:
            return snapshots.take(canister)

    def restore(self, deployment: Deployment, named: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        """Goes back to a snapshot and waits until its model answers; the journal then names the model that is there.

        A model that this computer no longer has is rebuilt from the canister.
        """
        with open_canister(self._workspace, deployment) as canister:
            snapshots.restore(canister, snapshots.find(canister, named))
            canister.client.activate(on_progress=on_progress, cancel=cancel)
            package = package_of(self._workspace, canister.client, on_progress, cancel)
            module_hash = canister.agent.module_hash(canister.id)
        journal = self._workspace.journal
        journal.set_model(deployment.id, package.name, package.manifest_sha256)
        if module_hash is not None:
            journal.set_module_hash(deployment.id, module_hash.hex())
        return journal.deployment(deployment.id)

    def download(
        self, deployment: Deployment, named: str, folder: Path, on_progress: ProgressCallback, cancel: Cancel
    ) -> Snapshot:
        """Reads a snapshot into a folder of its own; the same call goes on. See `snapshot_files.download`."""
        with open_canister(self._workspace, deployment) as canister:
            snapshot = snapshots.find(canister, named)
            snapshot_files.download(canister, snapshot, folder, on_progress, cancel)
        return snapshot

    def upload(self, deployment: Deployment, folder: Path, on_progress: ProgressCallback, cancel: Cancel) -> Snapshot:
        """Puts a downloaded snapshot back beside the canister; the same call goes on. `restore` then goes to it."""
        with open_canister(self._workspace, deployment) as canister:
            return snapshot_files.upload(canister, folder, on_progress, cancel)

    def delete(self, deployment: Deployment, named: str) -> Snapshot:
        """Forgets a snapshot for ever, and with it its rent."""
        with open_canister(self._workspace, deployment) as canister:
            snapshot = snapshots.find(canister, named)
            snapshots.delete(canister, snapshot)
        return snapshot
