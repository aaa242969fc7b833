"""Snapshots as files: read from the network into a folder, and put back from there. See docs/formats/snapshot.md.

Each piece is one certified call, which the canister pays for. Both ways go on where an earlier call stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from personal_ai.common.errors import BadInputError, DamagedFileError, FormatError, UnknownVersionError
from personal_ai.common.files import sha256_of_file, storage_errors, write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.deployments import cycles_needed, snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.ic.management_snapshots import (
    SNAPSHOT_READ_MAX_BYTES,
    SNAPSHOT_WRITE_MAX_BYTES,
    Snapshot,
    SnapshotContents,
    SnapshotPart,
)

FORMAT_VERSION = 2
DESCRIPTION_FILE = "snapshot.json"
FILES = {SnapshotPart.MODULE: "module.wasm", SnapshotPart.HEAP: "heap", SnapshotPart.STABLE: "stable"}
_DESCRIPTION_MOST_BYTES = 1 << 20


def download(
    canister: OwnCanister, snapshot: Snapshot, folder: Path, on_progress: ProgressCallback, cancel: Cancel
) -> None:
    """Reads a snapshot into a folder of its own.

    The description is written last: a folder without it is not whole. Raises BadInputError where another snapshot lies
    there, StorageError, Cancelled.
    """
    contents = canister.management.snapshot_contents(canister.id, snapshot.id)
    described = {
        "version": FORMAT_VERSION,
        "canister": str(canister.id),
        "id": snapshot.id.hex(),
        "taken_at_ns": snapshot.taken_at_ns,
        "sizes_bytes": {FILES[part]: size_bytes for part, size_bytes in contents.sizes.items()},
        "globals": [[kind, value.hex() if isinstance(value, float) else value] for kind, value in contents.globals],
        "certified_data": contents.certified_data.hex(),
        "global_timer": contents.global_timer,
        "low_memory_hook": contents.low_memory_hook,
    }
    begun = folder / f"{DESCRIPTION_FILE}.part"
    _claim(folder, begun, json.dumps(described, indent=1).encode())
    meter = Meter("Downloading the snapshot", sum(contents.sizes.values()), "bytes", on_progress)
    for part, size_bytes in contents.sizes.items():
        read = partial(canister.management.read_snapshot, canister.id, snapshot.id, part)
        _download_part(read, size_bytes, folder / FILES[part], meter, cancel)
    with storage_errors("save the snapshot"):
        described["sha256"] = {name: sha256_of_file(folder / name) for name in FILES.values()}
    write_atomically(folder / DESCRIPTION_FILE, json.dumps(described, indent=1).encode())
    begun.unlink()


def upload(canister: OwnCanister, folder: Path, on_progress: ProgressCallback, cancel: Cancel) -> Snapshot:
    """Puts a downloaded snapshot back beside a canister, be it another one; `snapshots.restore` then goes to it.

    Raises BadInputError, DamagedFileError before anything is sent; TooFewCyclesError, NetworkError, StorageError,
    Cancelled.
    """
    contents = read_contents(folder, on_progress, cancel)
    notes = folder / f"upload-{canister.id}.json"
    begun = _begun(canister, contents, notes)
    total_bytes, sent_bytes = sum(contents.sizes.values()), begun["sent_bytes"]
    meter = Meter("Uploading the snapshot", total_bytes, "bytes", on_progress, done=sent_bytes)
    start = 0
    for part, size_bytes in contents.sizes.items():
        for offset in range(max(sent_bytes - start, 0), size_bytes, SNAPSHOT_WRITE_MAX_BYTES):
            cancel.raise_if_cancelled()
            piece = _piece(folder / FILES[part], offset, min(SNAPSHOT_WRITE_MAX_BYTES, size_bytes - offset))
            canister.management.write_snapshot(canister.id, bytes.fromhex(begun["id"]), part, offset, piece)
            meter.advance(len(piece))
            _note(notes, {**begun, "sent_bytes": start + offset + len(piece)})
        start += size_bytes
    found = snapshots.find(canister, begun["id"])
    with storage_errors("tidy up the snapshot's folder"):
        notes.unlink()
    return found


def _claim(folder: Path, begun: Path, content: bytes) -> None:
    """Says what the folder is for, so that two snapshots are never mixed."""
    whole = folder / DESCRIPTION_FILE
    with storage_errors("look into the folder"):
        empty = not folder.exists() or not any(folder.iterdir())
        found = next((path.read_bytes() for path in (whole, begun) if path.is_file()), b"")
        if not empty and not _is_same(found, content):
            raise BadInputError(f"There is something else in {folder}.", next_step="Choose an empty folder.")
        whole.unlink(missing_ok=True)
    write_atomically(begun, content)


def _is_same(found: bytes, content: bytes) -> bool:
    """Whether a description is of the same snapshot; a whole one has sums besides."""
    try:
        described = json.loads(found)
    except ValueError:
        return False
    if isinstance(described, dict):
        described.pop("sha256", None)
    return bool(described == json.loads(content))


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


def read_contents(folder: Path, on_progress: ProgressCallback, cancel: Cancel) -> SnapshotContents:
    """What the folder holds, every file checked. Raises BadInputError, DamagedFileError, Cancelled."""
    path = folder / DESCRIPTION_FILE
    with storage_errors("read the snapshot"):
        if not path.is_file():
            raise BadInputError(
                f"There is no whole snapshot in {folder}.", next_step="Download it to its end, or choose its folder."
            )
        content = path.read_bytes()[:_DESCRIPTION_MOST_BYTES]
    try:
        fields = json.loads(content)
        if fields["version"] != FORMAT_VERSION:
            raise UnknownVersionError(
                f"This snapshot has version {fields['version']}, and only version {FORMAT_VERSION} holds all that "
                "putting it back needs.",
                next_step="Download it again with this program, if it is still on the network.",
            )
        contents = _parsed(fields)
        sums = {name: str(fields["sha256"][name]) for name in FILES.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError("The snapshot's description is malformed.") from error
    _check_files(folder, contents, sums, on_progress, cancel)
    return contents


def _parsed(fields: dict[str, Any]) -> SnapshotContents:
    timer, hook = fields["global_timer"], fields["low_memory_hook"]
    return SnapshotContents(
        sizes={part: int(fields["sizes_bytes"][name]) for part, name in FILES.items()},
        globals=tuple(
            (str(kind), float.fromhex(value) if isinstance(value, str) else int(value))
            for kind, value in fields["globals"]
        ),
        certified_data=bytes.fromhex(fields["certified_data"]),
        global_timer=None if timer is None else (str(timer[0]), None if timer[1] is None else int(timer[1])),
        low_memory_hook=None if hook is None else (str(hook[0]), None),
    )


def _check_files(
    folder: Path, contents: SnapshotContents, sums: dict[str, str], on_progress: ProgressCallback, cancel: Cancel
) -> None:
    meter = Meter("Checking the snapshot", sum(contents.sizes.values()), "bytes", on_progress)
    for part, size_bytes in contents.sizes.items():
        cancel.raise_if_cancelled()
        path = folder / FILES[part]
        with storage_errors("read the snapshot"):
            whole = path.is_file() and path.stat().st_size == size_bytes and sha256_of_file(path) == sums[path.name]
        if not whole:
            raise DamagedFileError(
                f"{path} is damaged.", not_lost="Nothing was sent.", next_step="Take another copy of the snapshot."
            )
        meter.advance(size_bytes)


def _begun(canister: OwnCanister, contents: SnapshotContents, notes: Path) -> dict[str, Any]:
    """The snapshot on the network that is to be filled: its id, and how far that has come."""
    noted: dict[str, Any] = {"begun_at_ns": time.time_ns(), "id": None, "sent_bytes": 0}
    if notes.is_file():
        try:
            noted = {**noted, **json.loads(notes.read_bytes())}
        except (ValueError, TypeError) as error:
            raise FormatError(f"{notes} is malformed.", next_step="Delete it; the upload begins anew.") from error
    kept = snapshots.kept(canister)
    if noted["id"] is not None and noted["id"] not in [one.id.hex() for one in kept]:
        noted = {"begun_at_ns": time.time_ns(), "id": None, "sent_bytes": 0}
    if noted["id"] is None:
        noted["id"] = _begin(canister, contents, notes, noted, kept).hex()
        _note(notes, noted)
    return noted


def _begin(
    canister: OwnCanister, contents: SnapshotContents, notes: Path, noted: dict[str, Any], kept: list[Snapshot]
) -> bytes:
    """A new one; or that of an attempt whose answer nobody saw, which would else go on costing rent."""
    if notes.is_file():
        for one in kept:
            if one.taken_at_ns >= noted["begun_at_ns"]:
                found = canister.management.snapshot_contents(canister.id, one.id)
                if found.uploaded and found.sizes == contents.sizes:
                    return one.id
    _require_cycles(canister, contents)
    snapshots.require_room(canister)
    _note(notes, noted)
    return canister.management.begin_snapshot(canister.id, contents)


def _require_cycles(canister: OwnCanister, contents: SnapshotContents) -> None:
    """The snapshot as one that is taken, its rent within the freezing limit, and each piece with its bytes."""
    status, profile = canister.status(), canister.agent.profile
    size_bytes = sum(contents.sizes.values())
    pieces = -(-size_bytes // SNAPSHOT_WRITE_MAX_BYTES) + len(contents.sizes)
    needed = cycles_needed.snapshot_upload_cycles(profile, size_bytes, pieces, status.freezing_threshold_s)
    cycles_needed.require(status, needed, "take the snapshot in")


def _note(notes: Path, noted: dict[str, Any]) -> None:
    write_atomically(notes, json.dumps(noted).encode())


def _piece(path: Path, offset: int, size_bytes: int) -> bytes:
    with storage_errors("read the snapshot"), path.open("rb") as file:
        file.seek(offset)
        return file.read(size_bytes)
