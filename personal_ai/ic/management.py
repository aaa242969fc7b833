"""The management canister: programs, settings and life of a canister that the agent's identity controls."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from personal_ai.common.errors import FormatError, OutOfCyclesError, SecurityError
from personal_ai.common.jobs import Cancel
from personal_ai.ic import candid
from personal_ai.ic import management_types as types
from personal_ai.ic.candid import Blob, Nat, Nat64, Opt, Principal_, Record, Vec
from personal_ai.ic.management_snapshots import SnapshotCalls
from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.requests import SignedUpdate

# What is read of canister_status; all that networks may lack is opt, so that older and newer ones both read.
_STATUS_AS_READ = Record(
    {
        "status": types.CANISTER_RUN_STATE,
        "settings": Record(
            {
                "controllers": Vec(Principal_),
                "freezing_threshold": Nat,
                "memory_allocation": Nat,
                "compute_allocation": Nat,
                "reserved_cycles_limit": Opt(Nat),
                "wasm_memory_limit": Opt(Nat),
            }
        ),
        "module_hash": Opt(Blob),
        "memory_size": Nat,
        "memory_metrics": Opt(Record({"wasm_memory_size": Nat, "stable_memory_size": Nat, "snapshots_size": Opt(Nat)})),
        "version": Opt(Nat64),
        "cycles": Nat,
        "reserved_cycles": Opt(Nat),
        "idle_cycles_burned_per_day": Nat,
    }
)


class InstallMode(Enum):
    """How a program goes into a canister; the last keeps the heap over an upgrade."""

    INSTALL = "install"
    REINSTALL = "reinstall"
    UPGRADE = "upgrade"
    UPGRADE_KEEPING_HEAP = "upgrade keeping the heap"

    def to_candid(self) -> tuple[str, Any]:
        """The value of type INSTALL_MODE."""
        if self is InstallMode.UPGRADE_KEEPING_HEAP:
            return "upgrade", {"wasm_memory_persistence": ("keep", None)}
        return self.value, None


class RunState(Enum):
    """Whether a canister takes calls."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


LogVisibility = Literal["controllers", "public"] | tuple[Principal, ...]  # or some viewers besides the controllers


def _visibility(visibility: LogVisibility | None) -> tuple[str, list[Principal] | None] | None:
    """The value of type VISIBILITY."""
    if visibility is None or isinstance(visibility, str):
        return None if visibility is None else (visibility, None)
    return "allowed_viewers", list(visibility)


@dataclass(frozen=True, slots=True)
class CanisterSettings:
    """Settings to change; None leaves one as it is. Sizes in bytes, the threshold in seconds of idle life."""

    controllers: tuple[Principal, ...] | None = None
    compute_allocation: int | None = None
    memory_allocation: int | None = None
    freezing_threshold: int | None = None
    reserved_cycles_limit: int | None = None
    wasm_memory_limit: int | None = None
    log_visibility: LogVisibility | None = None

    def to_candid(self) -> dict[str, Any]:
        """The value of type CANISTER_SETTINGS."""
        return {
            "controllers": None if self.controllers is None else list(self.controllers),
            "compute_allocation": self.compute_allocation,
            "memory_allocation": self.memory_allocation,
            "freezing_threshold": self.freezing_threshold,
            "reserved_cycles_limit": self.reserved_cycles_limit,
            "wasm_memory_limit": self.wasm_memory_limit,
            "log_visibility": _visibility(self.log_visibility),
        }


@dataclass(frozen=True, slots=True)
class CanisterStatus:
    """What the network says of a canister to its controllers. Memory in bytes; None where a network does not tell."""

    state: RunState
    controllers: tuple[Principal, ...]
    module_hash: bytes | None
    version: int | None
    cycles: int
    reserved_cycles: int | None
    idle_cycles_per_day: int
    memory_bytes: int
    heap_bytes: int | None
    stable_bytes: int | None
    freezing_threshold_s: int
    memory_allocation_bytes: int
    compute_allocation_percent: int
    reserved_cycles_limit: int | None
    wasm_memory_limit_bytes: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a canister's log; its number goes on counting."""

    index: int
    time_ns: int
    content: bytes


class Management(SnapshotCalls):
    """The methods of aaaaa-aa that a controller calls. All raise what `Agent.submit` raises."""

    def sign_install_code(
        self, canister_id: Principal, mode: InstallMode, wasm: bytes, arg: bytes = b""
    ) -> SignedUpdate:
        """The signed message of `install_code`, to be kept before it is submitted."""
        fields = {"mode": mode.to_candid(), "canister_id": canister_id, "wasm_module": wasm, "arg": arg}
        encoded = candid.encode([types.INSTALL_CODE_ARGS], [fields])
        return self._agent.sign_update(MANAGEMENT, "install_code", encoded, effective_id=canister_id)

    def install_code(
        self,
        canister_id: Principal,
        mode: InstallMode,
        wasm: bytes,
        arg: bytes = b"",
        *,
        cancel: Cancel | None = None,
    ) -> None:
        """Puts a program (raw or gzip, the whole message at most 2 MiB) into the canister."""
        self._agent.submit(self.sign_install_code(canister_id, mode, wasm, arg), cancel=cancel)

    def install_chunked_code(
        self,
        canister_id: Principal,
        mode: InstallMode,
        chunk_hashes: Sequence[bytes],
        module_hash: bytes,
        arg: bytes = b"",
        *,
        store_id: Principal | None = None,
    ) -> None:
        """Puts a program together from stored chunks (of `store_id`, or the canister's own) and installs it.

        The message goes to the canister that is installed, wherever the chunks lie.
        """
        fields = {
            "mode": mode.to_candid(),
            "target_canister": canister_id,
            "store_canister": store_id,
            "chunk_hashes_list": [{"hash": digest} for digest in chunk_hashes],
            "wasm_module_hash": module_hash,
            "arg": arg,
        }
        self._call("install_chunked_code", canister_id, types.INSTALL_CHUNKED_CODE_ARGS, fields)

    def upload_chunk(self, canister_id: Principal, chunk: bytes) -> bytes:
        """Stores up to 1 MiB of a program; gives its SHA-256, which is checked. Raises SecurityError if it differs."""
        fields = {"canister_id": canister_id, "chunk": chunk}
        reply = self._call("upload_chunk", canister_id, types.UPLOAD_CHUNK_ARGS, fields)
        digest: bytes = candid.decode([types.UPLOAD_CHUNK_RESULT], reply)[0]["hash"]
        if digest != hashlib.sha256(chunk).digest():
            raise SecurityError("The network stored another chunk than the one sent.", next_step="Try again.")
        return digest

    def stored_chunks(self, canister_id: Principal) -> frozenset[bytes]:
        """The SHA-256 of every chunk in the canister's store."""
        reply = self._about("stored_chunks", canister_id)
        return frozenset(one["hash"] for one in candid.decode([types.STORED_CHUNKS_RESULT], reply)[0])

    def clear_chunk_store(self, canister_id: Principal) -> None:
        """Forgets all stored chunks."""
        self._about("clear_chunk_store", canister_id)

    def update_settings(self, canister_id: Principal, settings: CanisterSettings) -> None:
        """Changes the settings that are not None."""
        fields = {"canister_id": canister_id, "settings": settings.to_candid()}
        self._call("update_settings", canister_id, types.UPDATE_SETTINGS_ARGS, fields)

    def canister_status(self, canister_id: Principal) -> CanisterStatus:
        """The certified status; for controllers. A frozen canister cannot pay for that: one node tells, and signs."""
        try:
            reply = self._about("canister_status", canister_id)
        except OutOfCyclesError:
            arg = candid.encode([types.CANISTER_ID_ARGS], [{"canister_id": canister_id}])
            reply = self._agent.query(MANAGEMENT, "canister_status", arg, effective_id=canister_id)
        return _status(candid.decode([_STATUS_AS_READ], reply)[0])

    def start_canister(self, canister_id: Principal) -> None:
        """Lets the canister take calls."""
        self._about("start_canister", canister_id)

    def stop_canister(self, canister_id: Principal) -> None:
        """Stops the canister once its open calls are answered."""
        self._about("stop_canister", canister_id)

    def uninstall_code(self, canister_id: Principal) -> None:
        """Removes program and memory; the canister and its cycles stay."""
        self._call("uninstall_code", canister_id, types.UNINSTALL_CODE_ARGS, {"canister_id": canister_id})

    def delete_canister(self, canister_id: Principal) -> None:
        """Deletes a stopped canister for ever, with the cycles in it."""
        self._about("delete_canister", canister_id)

    def logs(self, canister_id: Principal, *, from_index: int = 0) -> list[LogLine]:
        """What the canister printed, as far as it is kept, from number `from_index` on. Told by one node, signed."""
        until = (1 << 64) - 1
        fields = {"canister_id": canister_id, "filter": ("by_idx", {"start": from_index, "end": until})}
        arg = candid.encode([types.FETCH_LOGS_ARGS], [fields])
        reply = self._agent.query(MANAGEMENT, "fetch_canister_logs", arg, effective_id=canister_id)
        records = candid.decode([types.FETCH_LOGS_RESULT], reply)[0]["canister_log_records"]
        lines = [LogLine(one["idx"], one["timestamp_nanos"], one["content"]) for one in records]
        return [line for line in lines if line.index >= from_index]  # networks may not know the filter yet

    def provisional_create_canister(self, cycles: int, settings: CanisterSettings | None = None) -> Principal:
        """A canister with cycles out of nothing: on development networks (kind `local`) only."""
        if self._agent.profile.kind != "local":
            raise FormatError("Canisters are made without a ledger on development networks only.")
        fields = {"amount": cycles, "settings": None if settings is None else settings.to_candid()}
        args = types.PROVISIONAL_CREATE_CANISTER_WITH_CYCLES_ARGS
        reply = self._call("provisional_create_canister_with_cycles", MANAGEMENT, args, fields)
        canister_id: Principal = candid.decode([types.CREATE_CANISTER_RESULT], reply)[0]["canister_id"]
        return canister_id


def _status(fields: dict[str, Any]) -> CanisterStatus:
    settings, memory = fields["settings"], fields["memory_metrics"] or {}
    return CanisterStatus(
        state=RunState(fields["status"][0]),
        controllers=tuple(settings["controllers"]),
        module_hash=fields["module_hash"],
        version=fields["version"],
        cycles=fields["cycles"],
        reserved_cycles=fields["reserved_cycles"],
        idle_cycles_per_day=fields["idle_cycles_burned_per_day"],
        memory_bytes=fields["memory_size"],
        heap_bytes=memory.get("wasm_memory_size"),
        stable_bytes=memory.get("stable_memory_size"),
        freezing_threshold_s=settings["freezing_threshold"],
        memory_allocation_bytes=settings["memory_allocation"],
        compute_allocation_percent=settings["compute_allocation"],
        reserved_cycles_limit=settings["reserved_cycles_limit"],
        wasm_memory_limit_bytes=settings["wasm_memory_limit"],
    )
