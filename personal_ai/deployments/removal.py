"""Deleting a canister for ever, with everything in it.

The network gives nobody the cycles of a canister from outside: only its own program could send them away, and the
engine has no such method on purpose, so that nobody who breaks into it can. They are lost, and this says how many.
"""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.deployments import snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.ic.rejections import CanisterNotFoundError


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes with a canister: its cycles (the reserved ones too), its memory, its snapshots."""

    cycles: int
    memory_bytes: int
    snapshots: int


def loss(canister: OwnCanister) -> Loss | None:
    """What deleting it would lose; None where it is gone already."""
    try:
        status = canister.status()
    except CanisterNotFoundError:
        return None
    cycles = status.cycles + (status.reserved_cycles or 0)
    return Loss(cycles, status.memory_bytes, len(snapshots.kept(canister)))


def remove(canister: OwnCanister) -> None:
    """Stops the canister and deletes it; nothing happens where it is gone already, as after an answer that was lost."""
    try:
        canister.stop()
        canister.management.delete_canister(canister.id)
    except CanisterNotFoundError:
        return
