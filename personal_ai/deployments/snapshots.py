"""Snapshots of a canister: kept on the network beside it, at a rent.

The engine waits for no other canister, so every moment between two messages is a whole state: it need not be stopped.
"""

from __future__ import annotations

from personal_ai.common.errors import BadInputError
from personal_ai.deployments import cycles_needed
from personal_ai.deployments.canister import OwnCanister
from personal_ai.ic.management_snapshots import Snapshot

MAX_SNAPSHOTS = 10  # of a canister, of the interface specification


def take(canister: OwnCanister) -> Snapshot:
    """Keeps module and memories as they are now. Raises TooFewCyclesError, BadInputError where there are ten."""
    status = canister.status()
    cycles_needed.require(status, cycles_needed.snapshot_cycles(canister.agent.profile, status), "take a snapshot")
    require_room(canister)
    return canister.management.take_snapshot(canister.id)


def require_room(canister: OwnCanister) -> None:
    """Raises BadInputError where there are ten."""
    if len(canister.management.snapshots(canister.id)) >= MAX_SNAPSHOTS:
        raise BadInputError(f"A canister has at most {MAX_SNAPSHOTS} snapshots.", next_step="Delete one first.")


def kept(canister: OwnCanister) -> list[Snapshot]:
    """All snapshots, the newest first."""
    return sorted(canister.management.snapshots(canister.id), key=lambda one: one.taken_at_ns, reverse=True)


def find(canister: OwnCanister, named: str) -> Snapshot:
    """The snapshot of an id in hex digits, of which the last ones do. Raises BadInputError."""
    found = [one for one in kept(canister) if named and one.id.hex().endswith(named.lower())]
    if len(found) != 1:
        said = "There is no snapshot" if not found else "There are several snapshots"
        raise BadInputError(f"{said} {named}.", next_step="List them, and name one by its id.")
    return found[0]


def restore(canister: OwnCanister, snapshot: Snapshot) -> None:
    """Puts module and memories back as they were; cycles, settings and controllers stay. Raises TooFewCyclesError."""
    status = canister.status()
    needed = cycles_needed.snapshot_cycles(canister.agent.profile, status)
    cycles_needed.require(status, needed, "go back to a snapshot")
    canister.management.load_snapshot(canister.id, snapshot.id)


def delete(canister: OwnCanister, snapshot: Snapshot) -> None:
    """Forgets a snapshot for ever, and with it its rent."""
    canister.management.delete_snapshot(canister.id, snapshot.id)
