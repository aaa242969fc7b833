"""Snapshots of a canister: kept on the network beside it, at a rent; downloaded as files.

The engine waits for no other canister, so every moment between two messages is a whole state: it need not be stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.deployments import cycles_needed
from personal_ai.deployments.canister import OwnCanister
from personal_ai.ic.management import SNAPSHOT_READ_MAX_BYTES, Snapshot, SnapshotPart

MAX_SNAPSHOTS = 10  # of a canister, of the interface specification
FORMAT_VERSION = 1
DESCRIPTION_FILE = "snapshot.json"
FILES = {SnapshotPart.MODULE: "module.wasm", SnapshotPart.HEAP: "heap", SnapshotPart.STABLE: "stable"}


def take(canister: OwnCanister) -> Snapshot:
    """Keeps module and memories as they are now. Raises TooFewCyclesError, BadInputError where there are ten."""
    status = canister.status()
    cycles_needed.require(status, cycles_needed.snapshot_cycles(canister.agent.profile, status), "take a snapshot")
    if len(canister.management.snapshots(canister.id)) >= MAX_SNAPSHOTS:
        raise BadInputError(f"A canister has at most {MAX_SNAPSHOTS} snapshots.", next_step="Delete one first.")
    return canister.management.take_snapshot(canister.id)


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


def download(
    canister: OwnCanister, snapshot: Snapshot, folder: Path, on_progress: ProgressCallback, cancel: Cancel
) -> None:
    """Reads a snapshot into a folder (docs/formats/snapshot.md); goes on where an earlier call stopped.

    Each piece is one certified call, which the canister pays for. The description is written last: a folder without
    it is not whole. Raises BadInputError where another snapshot lies there, StorageError, Cancelled.
    """
    contents = canister.management.snapshot_contents(canister.id, snapshot.id)
    described = {
        "version": FORMAT_VERSION,
        "canister": str(canister.id),
        "id": snapshot.id.hex(),
        "taken_at_ns": snapshot.taken_at_ns,
        "sizes_bytes": {FILES[part]: size_bytes for part, size_bytes in contents.sizes.items()},
    }
    begun = folder / f"{DESCRIPTION_FILE}.part"
    _claim(folder, begun, described)
    meter = Meter("Downloading the snapshot", sum(contents.sizes.values()), "bytes", on_progress)
    for part, size_bytes in contents.sizes.items():
        read = partial(canister.management.read_snapshot, canister.id, snapshot.id, part)
        _download_part(read, size_bytes, folder / FILES[part], meter, cancel)
    with storage_errors("save the snapshot"):
        begun.replace(folder / DESCRIPTION_FILE)


def _claim(folder: Path, begun: Path, described: dict[str, object]) -> None:
    """Says what the folder is for, so that two snapshots are never mixed."""
    content = json.dumps(described, indent=1).encode()
    whole = folder / DESCRIPTION_FILE
    with storage_errors("look into the folder"):
        empty = not folder.exists() or not any(folder.iterdir())
        found = next((path.read_bytes() for path in (whole, begun) if path.is_file()), None)
        if not empty and found != content:
            raise BadInputError(f"There is something else in {folder}.", next_step="Choose an empty folder.")
        whole.unlink(missing_ok=True)
    write_atomically(begun, content)


def _download_part(
    read: Callable[[int, int], bytes], size_bytes: int, path: Path, meter: Meter, cancel: Cancel
) -> None:
    """Appends what the file lacks. read: gives a piece, by offset and length."""
    with storage_errors("save the snapshot"), path.open("ab") as file:
        path.chmod(0o600)
        done_bytes = file.tell()
        meter.advance(done_bytes)
        while done_bytes < size_bytes:
            cancel.raise_if_cancelled()
            wanted = min(SNAPSHOT_READ_MAX_BYTES, size_bytes - done_bytes)
            file.write(read(done_bytes, wanted))
            done_bytes += wanted
            meter.advance(wanted)
