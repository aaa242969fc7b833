from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from personal_ai.common.errors import FormatError, SecurityError
from personal_ai.ic import candid, management_types
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Nat, Principal_, Record, Variant, Vec
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.management import CanisterSettings, InstallMode, Management, RunState
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal


@pytest.fixture
def calls() -> list[tuple[str, Any]]:
    """What the management canister was asked, decoded with the interface's full types."""
    return []


@pytest.fixture
def answers() -> dict[str, bytes]:
    """What it answers, by method; nothing where nothing is put in."""
    return {}


ARGS = {
    "install_code": management_types.INSTALL_CODE_ARGS,
    "install_chunked_code": management_types.INSTALL_CHUNKED_CODE_ARGS,
    "update_settings": management_types.UPDATE_SETTINGS_ARGS,
    "upload_chunk": management_types.UPLOAD_CHUNK_ARGS,
    "uninstall_code": management_types.UNINSTALL_CODE_ARGS,
    "provisional_create_canister_with_cycles": management_types.PROVISIONAL_CREATE_CANISTER_WITH_CYCLES_ARGS,
}
ABOUT = ("start_canister", "stop_canister", "delete_canister", "clear_chunk_store", "canister_status", "stored_chunks")


@pytest.fixture
def management(network: Any, calls: list[tuple[str, Any]], answers: dict[str, bytes]) -> Management:
    def answering(method: str, type_: candid.Type) -> Any:
        def handle(arg: bytes) -> bytes:
            calls.append((method, candid.decode([type_], arg)[0]))
            return answers.get(method, candid.encode([], []))

        return handle

    for method in ABOUT:
        network.handlers[method] = answering(method, management_types.CANISTER_ID_ARGS)
    for method, type_ in ARGS.items():
        network.handlers[method] = answering(method, type_)
    return Management(network.agent())


@pytest.mark.parametrize(
    "case",
    [
        (InstallMode.INSTALL, ("install", None)),
        (InstallMode.REINSTALL, ("reinstall", None)),
        (InstallMode.UPGRADE, ("upgrade", None)),
        (
            InstallMode.UPGRADE_KEEPING_HEAP,
            ("upgrade", {"skip_pre_upgrade": None, "wasm_memory_persistence": ("keep", None)}),
        ),
    ],
)
def test_install_code(
    network: Any, management: Management, calls: Any, canister: Principal, case: tuple[InstallMode, Any]
) -> None:
    mode, wire = case
    management.install_code(canister, mode, b"\x00asm", b"arg")
    expected = {"canister_id": canister, "wasm_module": b"\x00asm", "arg": b"arg", "sender_canister_version": None}
    assert calls == [("install_code", expected | {"mode": wire})]
    assert network.requests[-1].path == f"/api/v4/canister/{canister}/call"


def test_a_signed_installation_can_be_kept(management: Management, calls: Any, canister: Principal) -> None:
    signed = management.sign_install_code(canister, InstallMode.INSTALL, b"\x00asm")
    assert (signed.canister_id, signed.effective_id, signed.method) == (MANAGEMENT, canister, "install_code")
    assert calls == []


def test_chunks(
    network: Any, answers: dict[str, bytes], management: Management, calls: Any, canister: Principal
) -> None:
    digest = hashlib.sha256(b"chunk").digest()
    answers["upload_chunk"] = candid.encode([management_types.UPLOAD_CHUNK_RESULT], [{"hash": digest}])
    answers["stored_chunks"] = candid.encode([management_types.STORED_CHUNKS_RESULT], [[{"hash": digest}]])
    assert management.upload_chunk(canister, b"chunk") == digest
    assert management.stored_chunks(canister) == {digest}
    management.install_chunked_code(canister, InstallMode.INSTALL, [digest], b"\x01" * 32)
    management.clear_chunk_store(canister)
    assert [method for method, _ in calls] == [
        "upload_chunk",
        "stored_chunks",
        "install_chunked_code",
        "clear_chunk_store",
    ]
    assert calls[2][1]["chunk_hashes_list"] == [{"hash": digest}]
    assert (calls[2][1]["target_canister"], calls[2][1]["store_canister"]) == (canister, None)
    assert {request.path for request in network.requests} == {f"/api/v4/canister/{canister}/call"}


def test_a_chunk_that_was_stored_wrong_is_seen(
    answers: dict[str, bytes], management: Management, canister: Principal
) -> None:
    answers["upload_chunk"] = candid.encode([management_types.UPLOAD_CHUNK_RESULT], [{"hash": bytes(32)}])
    with pytest.raises(SecurityError):
        management.upload_chunk(canister, b"chunk")


def test_settings_that_are_none_stay(management: Management, calls: Any, canister: Principal) -> None:
    management.update_settings(canister, CanisterSettings(controllers=(ANONYMOUS,), freezing_threshold=5))
    settings = calls[0][1]["settings"]
    assert (settings["controllers"], settings["freezing_threshold"]) == ([ANONYMOUS], 5)
    assert {name for name, value in settings.items() if value is not None} == {"controllers", "freezing_threshold"}


def test_life(management: Management, calls: Any, canister: Principal) -> None:
    management.start_canister(canister)
    management.stop_canister(canister)
    management.uninstall_code(canister)
    management.delete_canister(canister)
    assert [method for method, _ in calls] == ["start_canister", "stop_canister", "uninstall_code", "delete_canister"]
    assert all(fields["canister_id"] == canister for _, fields in calls)


SETTINGS: dict[str, Any] = {
    "controllers": [ANONYMOUS],
    "compute_allocation": 1,
    "memory_allocation": 2,
    "freezing_threshold": 3,
    "reserved_cycles_limit": 4,
    "minimum_incoming_canister_call_cycles": 0,
    "log_visibility": ("controllers", None),
    "log_memory_limit": 4096,
    "snapshot_visibility": ("allowed_viewers", [ANONYMOUS]),
    "status_visibility": ("public", None),
    "wasm_memory_limit": 5,
    "wasm_memory_threshold": 0,
    "environment_variables": [{"name": "a", "value": "b"}],
}
STATUS: dict[str, Any] = {
    "status": ("stopping", None),
    "ready_for_migration": False,
    "version": 7,
    "settings": SETTINGS,
    "module_hash": b"\x01" * 32,
    "memory_size": 1000,
    "memory_metrics": {field.label: 10 + place for place, field in enumerate(management_types.MEMORY_METRICS.fields)},
    "cycles": 10**15,
    "reserved_cycles": 11,
    "idle_cycles_burned_per_day": 12,
    "query_stats": {field.label: 0 for field in management_types.QUERY_STATS.fields},
}


def test_status(answers: dict[str, bytes], management: Management, canister: Principal) -> None:
    answers["canister_status"] = candid.encode([management_types.CANISTER_STATUS_RESULT], [STATUS])
    status = management.canister_status(canister)
    assert (status.state, status.controllers, status.module_hash) == (RunState.STOPPING, (ANONYMOUS,), b"\x01" * 32)
    assert (status.cycles, status.reserved_cycles, status.idle_cycles_per_day) == (10**15, 11, 12)
    assert (status.memory_bytes, status.version) == (1000, 7)
    assert status.heap_bytes == STATUS["memory_metrics"]["wasm_memory_size"]
    assert status.stable_bytes == STATUS["memory_metrics"]["stable_memory_size"]
    assert (status.compute_allocation_percent, status.memory_allocation_bytes, status.freezing_threshold_s) == (1, 2, 3)
    assert (status.reserved_cycles_limit, status.wasm_memory_limit_bytes) == (4, 5)


def test_status_of_an_older_network(answers: dict[str, bytes], management: Management, canister: Principal) -> None:
    older = Record(
        {
            "status": Variant({"running": candid.Null}),
            "settings": Record(
                {
                    "controllers": Vec(Principal_),
                    "freezing_threshold": Nat,
                    "memory_allocation": Nat,
                    "compute_allocation": Nat,
                }
            ),
            "memory_size": Nat,
            "cycles": Nat,
            "idle_cycles_burned_per_day": Nat,
        }
    )
    value = {
        "status": ("running", None),
        "settings": {"controllers": [], "freezing_threshold": 1, "memory_allocation": 0, "compute_allocation": 0},
        "memory_size": 0,
        "cycles": 5,
        "idle_cycles_burned_per_day": 0,
    }
    answers["canister_status"] = candid.encode([older], [value])
    status = management.canister_status(canister)
    assert (status.state, status.cycles) == (RunState.RUNNING, 5)
    unknown = (status.module_hash, status.heap_bytes, status.reserved_cycles, status.reserved_cycles_limit)
    assert unknown == (None, None, None, None)


def test_canisters_out_of_nothing_are_for_development_networks(
    network: Any, answers: dict[str, bytes], management: Management
) -> None:
    with pytest.raises(FormatError):
        management.provisional_create_canister(10**12)
    created = candid.encode([management_types.CREATE_CANISTER_RESULT], [{"canister_id": ANONYMOUS}])
    answers["provisional_create_canister_with_cycles"] = created
    profile = replace(network.profile(), name="dev", kind="local")
    agent = Agent(profile, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    assert Management(agent).provisional_create_canister(10**12) == ANONYMOUS
