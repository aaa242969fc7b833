"""Candid types of the management canister aaaaa-aa, shared by its client and the practice network.

Names follow the interface's own; what is left out here is not used by this program. Source: the interface
specification's ic.did (2026-08).
"""

from __future__ import annotations

from personal_ai.ic.candid import (
    Blob,
    Bool,
    Float32,
    Float64,
    Int32,
    Int64,
    Nat,
    Nat64,
    Null,
    Opt,
    Principal_,
    Record,
    Reserved,
    Text,
    Variant,
    Vec,
)

VISIBILITY = Variant({"controllers": Null, "public": Null, "allowed_viewers": Vec(Principal_)})
ENVIRONMENT_VARIABLE = Record({"name": Text, "value": Text})

CANISTER_SETTINGS = Record(
    {
        "controllers": Opt(Vec(Principal_)),
        "compute_allocation": Opt(Nat),
        "memory_allocation": Opt(Nat),
        "freezing_threshold": Opt(Nat),
        "reserved_cycles_limit": Opt(Nat),
        "minimum_incoming_canister_call_cycles": Opt(Nat),
        "log_visibility": Opt(VISIBILITY),
        "log_memory_limit": Opt(Nat),
        "snapshot_visibility": Opt(VISIBILITY),
        "status_visibility": Opt(VISIBILITY),
        "wasm_memory_limit": Opt(Nat),
        "wasm_memory_threshold": Opt(Nat),
        "environment_variables": Opt(Vec(ENVIRONMENT_VARIABLE)),
    }
)
DEFINITE_CANISTER_SETTINGS = Record(
    {
        "controllers": Vec(Principal_),
        "compute_allocation": Nat,
        "memory_allocation": Nat,
        "freezing_threshold": Nat,
        "reserved_cycles_limit": Nat,
        "minimum_incoming_canister_call_cycles": Nat,
        "log_visibility": VISIBILITY,
        "log_memory_limit": Nat,
        "snapshot_visibility": VISIBILITY,
        "status_visibility": VISIBILITY,
        "wasm_memory_limit": Nat,
        "wasm_memory_threshold": Nat,
        "environment_variables": Vec(ENVIRONMENT_VARIABLE),
    }
)

WASM_MEMORY_PERSISTENCE = Variant({"keep": Null, "replace": Null})
INSTALL_MODE = Variant(
    {
        "install": Null,
        "reinstall": Null,
        "upgrade": Opt(
            Record({"skip_pre_upgrade": Opt(Bool), "wasm_memory_persistence": Opt(WASM_MEMORY_PERSISTENCE)})
        ),
    }
)
INSTALL_CODE_ARGS = Record(
    {
        "mode": INSTALL_MODE,
        "canister_id": Principal_,
        "wasm_module": Blob,
        "arg": Blob,
        "sender_canister_version": Opt(Nat64),
    }
)
CHUNK_HASH = Record({"hash": Blob})
INSTALL_CHUNKED_CODE_ARGS = Record(
    {
        "mode": INSTALL_MODE,
        "target_canister": Principal_,
        "store_canister": Opt(Principal_),
        "chunk_hashes_list": Vec(CHUNK_HASH),
        "wasm_module_hash": Blob,
        "arg": Blob,
        "sender_canister_version": Opt(Nat64),
    }
)
UPLOAD_CHUNK_ARGS = Record({"canister_id": Principal_, "chunk": Blob})
UPLOAD_CHUNK_RESULT = CHUNK_HASH
STORED_CHUNKS_RESULT = Vec(CHUNK_HASH)

# start_canister, stop_canister, delete_canister, canister_status, clear_chunk_store, stored_chunks, deposit_cycles
CANISTER_ID_ARGS = Record({"canister_id": Principal_})
UNINSTALL_CODE_ARGS = Record({"canister_id": Principal_, "sender_canister_version": Opt(Nat64)})
UPDATE_SETTINGS_ARGS = Record(
    {"canister_id": Principal_, "settings": CANISTER_SETTINGS, "sender_canister_version": Opt(Nat64)}
)
CREATE_CANISTER_ARGS = Record({"settings": Opt(CANISTER_SETTINGS), "sender_canister_version": Opt(Nat64)})
CREATE_CANISTER_RESULT = Record({"canister_id": Principal_})

CANISTER_RUN_STATE = Variant({"running": Null, "stopping": Null, "stopped": Null})
MEMORY_METRICS = Record(
    {
        "wasm_memory_size": Nat,
        "stable_memory_size": Nat,
        "global_memory_size": Nat,
        "wasm_binary_size": Nat,
        "custom_sections_size": Nat,
        "canister_history_size": Nat,
        "wasm_chunk_store_size": Nat,
        "snapshots_size": Nat,
        "log_memory_store_size": Nat,
    }
)
QUERY_STATS = Record(
    {
        "num_calls_total": Nat,
        "num_instructions_total": Nat,
        "request_payload_bytes_total": Nat,
        "response_payload_bytes_total": Nat,
    }
)
CANISTER_STATUS_RESULT = Record(
    {
        "status": CANISTER_RUN_STATE,
        "ready_for_migration": Bool,
        "version": Nat64,
        "settings": DEFINITE_CANISTER_SETTINGS,
        "module_hash": Opt(Blob),
        "memory_size": Nat,
        "memory_metrics": MEMORY_METRICS,
        "cycles": Nat,
        "reserved_cycles": Nat,
        "idle_cycles_burned_per_day": Nat,
        "query_stats": QUERY_STATS,
    }
)

SNAPSHOT_ARGS = Record({"canister_id": Principal_, "snapshot_id": Blob})
TAKE_SNAPSHOT_ARGS = Record(
    {
        "canister_id": Principal_,
        "replace_snapshot": Opt(Blob),
        "uninstall_code": Opt(Bool),
        "sender_canister_version": Opt(Nat64),
    }
)
LOAD_SNAPSHOT_ARGS = Record({"canister_id": Principal_, "snapshot_id": Blob, "sender_canister_version": Opt(Nat64)})
SNAPSHOT = Record({"id": Blob, "taken_at_timestamp": Nat64, "total_size": Nat64})
SNAPSHOTS_RESULT = Vec(SNAPSHOT)
_GLOBALS = Vec(Variant({"i32": Int32, "i64": Int64, "f32": Float32, "f64": Float64, "v128": Nat}))
_GLOBAL_TIMER = Opt(Variant({"inactive": Null, "active": Nat64}))
_LOW_MEMORY_HOOK = Opt(Variant({"condition_not_satisfied": Null, "ready": Null, "executed": Null}))
SNAPSHOT_METADATA = Record(
    {
        "source": Variant({"taken_from_canister": Reserved, "metadata_upload": Reserved}),
        "taken_at_timestamp": Nat64,
        "wasm_module_size": Nat64,
        "globals": _GLOBALS,
        "wasm_memory_size": Nat64,
        "stable_memory_size": Nat64,
        "wasm_chunk_store": Vec(CHUNK_HASH),
        "canister_version": Nat64,
        "certified_data": Blob,
        "global_timer": _GLOBAL_TIMER,
        "on_low_wasm_memory_hook_status": _LOW_MEMORY_HOOK,
    }
)
UPLOAD_SNAPSHOT_METADATA_ARGS = Record(
    {
        "canister_id": Principal_,
        "replace_snapshot": Opt(Blob),
        "wasm_module_size": Nat64,
        "globals": _GLOBALS,
        "wasm_memory_size": Nat64,
        "stable_memory_size": Nat64,
        "certified_data": Blob,
        "global_timer": _GLOBAL_TIMER,
        "on_low_wasm_memory_hook_status": _LOW_MEMORY_HOOK,
    }
)
UPLOAD_SNAPSHOT_METADATA_RESULT = Record({"snapshot_id": Blob})
_OFFSET = Record({"offset": Nat64})
UPLOAD_SNAPSHOT_DATA_ARGS = Record(
    {
        "canister_id": Principal_,
        "snapshot_id": Blob,
        "kind": Variant({"wasm_module": _OFFSET, "wasm_memory": _OFFSET, "stable_memory": _OFFSET, "wasm_chunk": Null}),
        "chunk": Blob,
    }
)
_RANGE = Record({"offset": Nat64, "size": Nat64})
READ_SNAPSHOT_ARGS = Record(
    {
        "canister_id": Principal_,
        "snapshot_id": Blob,
        "kind": Variant(
            {"wasm_module": _RANGE, "wasm_memory": _RANGE, "stable_memory": _RANGE, "wasm_chunk": CHUNK_HASH}
        ),
    }
)
SNAPSHOT_DATA = Record({"chunk": Blob})

LOG_RANGE = Record({"start": Nat64, "end": Nat64})
LOG_FILTER = Variant({"by_idx": LOG_RANGE, "by_timestamp_nanos": LOG_RANGE})
FETCH_LOGS_ARGS = Record({"canister_id": Principal_, "filter": Opt(LOG_FILTER)})
FETCH_LOGS_RESULT = Record(
    {"canister_log_records": Vec(Record({"idx": Nat64, "timestamp_nanos": Nat64, "content": Blob}))}
)

PROVISIONAL_CREATE_CANISTER_WITH_CYCLES_ARGS = Record(
    {
        "amount": Opt(Nat),
        "settings": Opt(CANISTER_SETTINGS),
        "specified_id": Opt(Principal_),
        "sender_canister_version": Opt(Nat64),
    }
)
PROVISIONAL_TOP_UP_CANISTER_ARGS = Record({"canister_id": Principal_, "amount": Nat})
