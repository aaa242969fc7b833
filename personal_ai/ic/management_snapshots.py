"""A canister's snapshots: taken, loaded, read out and written in by its controllers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import candid
from personal_ai.ic import management_types as types
from personal_ai.ic.management_calls import ManagementCalls
from personal_ai.ic.principal import Principal

SNAPSHOT_READ_MAX_BYTES = 2_000_000
SNAPSHOT_WRITE_MAX_BYTES = 1_900_000  # a message holds 2 MiB


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A kept state of a canister; `taken_at_ns` since 1970."""

    id: bytes
    taken_at_ns: int
    size_bytes: int


class SnapshotPart(Enum):
    """What of a snapshot is read, by its name in the interface."""

    MODULE = "wasm_module"
    HEAP = "wasm_memory"
    STABLE = "stable_memory"


@dataclass(frozen=True, slots=True)
class SnapshotContents:
    """What a snapshot holds beside its parts, whose sizes are in bytes.

    globals: type and value of each. global_timer, low_memory_hook: cases of the interface, None where they are not
    told. chunk_hashes: the SHA-256 of each chunk of a module that was stored. uploaded: it came from outside.
    """

    sizes: dict[SnapshotPart, int]
    globals: tuple[tuple[str, float], ...]
    certified_data: bytes
    global_timer: tuple[str, int | None] | None
    low_memory_hook: tuple[str, None] | None
    chunk_hashes: tuple[bytes, ...] = ()
    uploaded: bool = False


class SnapshotCalls(ManagementCalls):
    """The methods about snapshots. All raise what `Agent.submit` raises."""

    def take_snapshot(self, canister_id: Principal, *, replace_id: bytes | None = None) -> Snapshot:
        """Keeps module and memory as they are; stop the canister before. It dies with the canister: no backup.

        replace_id: a snapshot to be forgotten for it.
        """
        fields = {"canister_id": canister_id, "replace_snapshot": replace_id}
        reply = self._call("take_canister_snapshot", canister_id, types.TAKE_SNAPSHOT_ARGS, fields)
        return _snapshot(candid.decode([types.SNAPSHOT], reply)[0])

    def load_snapshot(self, canister_id: Principal, snapshot_id: bytes) -> None:
        """Puts module and memory back as they were; cycles, settings and controllers stay."""
        fields = {"canister_id": canister_id, "snapshot_id": snapshot_id}
        self._call("load_canister_snapshot", canister_id, types.LOAD_SNAPSHOT_ARGS, fields)

    def snapshots(self, canister_id: Principal) -> list[Snapshot]:
        """All snapshots of the canister."""
        reply = self._about("list_canister_snapshots", canister_id)
        return [_snapshot(one) for one in candid.decode([types.SNAPSHOTS_RESULT], reply)[0]]

    def delete_snapshot(self, canister_id: Principal, snapshot_id: bytes) -> None:
        """Forgets a snapshot, and with it what it costs."""
        fields = {"canister_id": canister_id, "snapshot_id": snapshot_id}
        self._call("delete_canister_snapshot", canister_id, types.SNAPSHOT_ARGS, fields)

    def snapshot_contents(self, canister_id: Principal, snapshot_id: bytes) -> SnapshotContents:
        """What a snapshot holds, to be read with `read_snapshot`."""
        fields = {"canister_id": canister_id, "snapshot_id": snapshot_id}
        reply = self._call("read_canister_snapshot_metadata", canister_id, types.SNAPSHOT_ARGS, fields)
        found = candid.decode([types.SNAPSHOT_METADATA], reply)[0]
        return SnapshotContents(
            {
                SnapshotPart.MODULE: found["wasm_module_size"],
                SnapshotPart.HEAP: found["wasm_memory_size"],
                SnapshotPart.STABLE: found["stable_memory_size"],
            },
            tuple(found["globals"]),
            found["certified_data"],
            found["global_timer"],
            found["on_low_wasm_memory_hook_status"],
            tuple(one["hash"] for one in found["wasm_chunk_store"]),
            found["source"][0] == "metadata_upload",
        )

    def read_snapshot(
        self, canister_id: Principal, snapshot_id: bytes, part: SnapshotPart, offset: int, size_bytes: int
    ) -> bytes:
        """A piece of a snapshot, up to SNAPSHOT_READ_MAX_BYTES. Raises FormatError where it has another length."""
        kind = (part.value, {"offset": offset, "size": size_bytes})
        fields = {"canister_id": canister_id, "snapshot_id": snapshot_id, "kind": kind}
        reply = self._call("read_canister_snapshot_data", canister_id, types.READ_SNAPSHOT_ARGS, fields)
        piece: bytes = candid.decode([types.SNAPSHOT_DATA], reply)[0]["chunk"]
        if len(piece) != size_bytes:
            raise FormatError("The network gave a piece of the snapshot with another length than the one asked for.")
        return piece

    def begin_snapshot(self, canister_id: Principal, contents: SnapshotContents) -> bytes:
        """A snapshot of zeros, to be filled with `write_snapshot`; gives its id. Chunks are not among it."""
        fields = {
            "canister_id": canister_id,
            "replace_snapshot": None,
            "wasm_module_size": contents.sizes[SnapshotPart.MODULE],
            "globals": list(contents.globals),
            "wasm_memory_size": contents.sizes[SnapshotPart.HEAP],
            "stable_memory_size": contents.sizes[SnapshotPart.STABLE],
            "certified_data": contents.certified_data,
            "global_timer": contents.global_timer,
            "on_low_wasm_memory_hook_status": contents.low_memory_hook,
        }
        reply = self._call(
            "upload_canister_snapshot_metadata", canister_id, types.UPLOAD_SNAPSHOT_METADATA_ARGS, fields
        )
        snapshot_id: bytes = candid.decode([types.UPLOAD_SNAPSHOT_METADATA_RESULT], reply)[0]["snapshot_id"]
        return snapshot_id

    def write_snapshot(
        self, canister_id: Principal, snapshot_id: bytes, part: SnapshotPart, offset: int, piece: bytes
    ) -> None:
        """Fills in up to SNAPSHOT_WRITE_MAX_BYTES of a snapshot that `begin_snapshot` began; again if in doubt."""
        kind = (part.value, {"offset": offset})
        fields = {"canister_id": canister_id, "snapshot_id": snapshot_id, "kind": kind, "chunk": piece}
        self._call("upload_canister_snapshot_data", canister_id, types.UPLOAD_SNAPSHOT_DATA_ARGS, fields)


def _snapshot(fields: dict[str, Any]) -> Snapshot:
    return Snapshot(fields["id"], fields["taken_at_timestamp"], fields["total_size"])
