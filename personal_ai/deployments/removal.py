"""Deleting a canister for ever, with everything in it; its cycles are got out first as far as the network allows."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments import draining, snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.journal import Journal
from personal_ai.ic.rejections import CanisterNotFoundError


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with a canister: its memory, its snapshots, and those of its cycles that cannot be got out.

    cycles: what it has, the reserved ones included, which nobody gets out. recoverable_cycles: about what comes back.
    """

    cycles: int
    memory_bytes: int
    snapshots: int
    recoverable_cycles: int = 0


def loss(canister: OwnCanister) -> Loss | None:
    """What deleting it would lose; None where it is gone already."""
    try:
        status = canister.status()
    except CanisterNotFoundError:
        return None
    cycles = status.cycles + (status.reserved_cycles or 0)
    recoverable = draining.recoverable(canister.agent.profile, status)
    return Loss(cycles, status.memory_bytes, len(snapshots.kept(canister)), recoverable)


def remove(
    canister: OwnCanister, journal: Journal, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel
) -> int:
    """Gets the cycles out, stops the canister and deletes it; gives how many cycles came onto the identity's account.

    Nothing happens where it is gone already, as after an answer that was lost. Raises NetworkError, StorageError,
    Cancelled.
    """
    try:
        recovered = draining.drain(canister, journal, deployment_id, on_progress, cancel)
        cancel.raise_if_cancelled()
        canister.stop()
        canister.management.delete_canister(canister.id)
    except CanisterNotFoundError:
        return 0
    return recovered
