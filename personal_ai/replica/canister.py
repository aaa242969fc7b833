"""What the network knows of a canister, apart from the contents of its memories."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field

WASM_PAGE_BYTES = 65_536


class Status(enum.Enum):
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class CanisterSettings:
    """Settings as update_settings takes them; the defaults are the network's."""

    compute_allocation: int = 0  # percent
    memory_allocation: int = 0  # bytes
    freezing_threshold_s: int = 2_592_000
    reserved_cycles_limit: int = 5_000_000_000_000
    wasm_memory_limit: int = 3 << 30  # bytes
    wasm_memory_threshold: int = 0  # bytes
    log_visibility: str | tuple[bytes, ...] = "controllers"  # "controllers", "public" or the allowed viewers
    environment_variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Global:
    """A mutable global's type (i32, i64, f32, f64, v128) and value as its bit pattern."""

    type: str
    bits: int


@dataclass(frozen=True, slots=True)
class CanisterState:
    """One canister as of its last committed message. Change it with `dataclasses.replace` and `StateStore.save`."""

    id: bytes
    controllers: tuple[bytes, ...]
    settings: CanisterSettings = field(default_factory=CanisterSettings)
    status: Status = Status.RUNNING
    module_hash: bytes | None = None  # SHA-256 of the module as it was sent, None while empty
    cycles: int = 0
    reserved_cycles: int = 0
    globals: tuple[Global, ...] = ()
    heap_pages: int = 0
    stable_pages: int = 0
    heap_generation: int = 0  # which heap file is the committed one
    stable_generation: int = 0
    certified_data: bytes = b""
    global_timer_ns: int = 0  # absolute, 0 when off
    canister_version: int = 0

    @property
    def memory_bytes(self) -> int:
        """Heap and stable memory together."""
        return (self.heap_pages + self.stable_pages) * WASM_PAGE_BYTES


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One line of a canister's log, as fetch_canister_logs shows it."""

    index: int
    time_ns: int
    content: bytes


def to_document(state: CanisterState) -> str:
    """JSON of a canister, bytes as hex."""
    settings = state.settings
    visibility = settings.log_visibility
    return json.dumps(
        {
            "id": state.id.hex(),
            "controllers": [controller.hex() for controller in state.controllers],
            "settings": {
                "compute_allocation": settings.compute_allocation,
                "memory_allocation": settings.memory_allocation,
                "freezing_threshold_s": settings.freezing_threshold_s,
                "reserved_cycles_limit": settings.reserved_cycles_limit,
                "wasm_memory_limit": settings.wasm_memory_limit,
                "wasm_memory_threshold": settings.wasm_memory_threshold,
                "log_visibility": visibility
                if isinstance(visibility, str)
                else [viewer.hex() for viewer in visibility],
                "environment_variables": settings.environment_variables,
            },
            "status": state.status.value,
            "module_hash": None if state.module_hash is None else state.module_hash.hex(),
            "cycles": state.cycles,
            "reserved_cycles": state.reserved_cycles,
            "globals": [[item.type, item.bits] for item in state.globals],
            "heap_pages": state.heap_pages,
            "stable_pages": state.stable_pages,
            "heap_generation": state.heap_generation,
            "stable_generation": state.stable_generation,
            "certified_data": state.certified_data.hex(),
            "global_timer_ns": state.global_timer_ns,
            "canister_version": state.canister_version,
        }
    )


def from_document(document: str) -> CanisterState:
    """The canister that `to_document` wrote."""
    fields = json.loads(document)
    settings = dict(fields.pop("settings"))
    visibility = settings.pop("log_visibility")
    variables = tuple((name, value) for name, value in settings.pop("environment_variables"))
    module_hash = fields.pop("module_hash")
    return CanisterState(
        id=bytes.fromhex(fields.pop("id")),
        controllers=tuple(bytes.fromhex(controller) for controller in fields.pop("controllers")),
        settings=CanisterSettings(
            **settings,
            log_visibility=visibility if isinstance(visibility, str) else tuple(map(bytes.fromhex, visibility)),
            environment_variables=variables,
        ),
        status=Status(fields.pop("status")),
        module_hash=None if module_hash is None else bytes.fromhex(module_hash),
        globals=tuple(Global(kind, bits) for kind, bits in fields.pop("globals")),
        certified_data=bytes.fromhex(fields.pop("certified_data")),
        **fields,
    )
