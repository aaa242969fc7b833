"""The management canister's corners: addresses, settings, logs, chunks, and what only canisters may call."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.common.errors import NetworkError, RejectedError
from personal_ai.ic import management_types as types
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Type, decode, encode
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.management import Management
from personal_ai.ic.principal import MANAGEMENT, Principal
from tests.replica.network.running import Running, identity


def call(agent: Agent, method: str, type_: Type, fields: dict[str, Any], effective_id: Principal) -> bytes:
    return agent.update(MANAGEMENT, method, encode([type_], [fields]), effective_id=effective_id)


def refused(attempt: Any) -> str | None:
    with pytest.raises(RejectedError) as caught:
        attempt()
    return caught.value.error_code


def test_the_address_must_be_the_canister_that_the_argument_names(
    network: Running, owner_agent: Agent, echo: Principal
) -> None:
    other = network.create_canister(owner_agent)
    with pytest.raises(NetworkError, match="effective canister id"):
        call(owner_agent, "canister_status", types.CANISTER_ID_ARGS, {"canister_id": echo}, other)
    with pytest.raises(NetworkError, match="effective canister id"):
        owner_agent.update(echo, "echo", b"", effective_id=other)
    fields = {
        "mode": ("install", None), "target_canister": other, "store_canister": echo, "chunk_hashes_list": [],
        "wasm_module_hash": b"", "arg": b"",
    }  # fmt: skip
    with pytest.raises(NetworkError, match="effective canister id"):
        call(owner_agent, "install_chunked_code", types.INSTALL_CHUNKED_CODE_ARGS, fields, echo)


def test_canisters_of_other_networks_are_unknown_here(owner_agent: Agent) -> None:
    elsewhere = Principal.from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai")
    with pytest.raises(NetworkError, match="does not belong"):
        owner_agent.query(elsewhere, "symbol", b"")


def test_what_only_canisters_may_call(owner_agent: Agent, echo: Principal) -> None:
    for method in ("raw_rand", "create_canister", "deposit_cycles", "canister_info", "vetkd_derive_key"):
        arguments = (owner_agent, method, types.CANISTER_ID_ARGS, {"canister_id": echo}, echo)
        assert refused(lambda arguments=arguments: call(*arguments)) == "IC0406"
    assert (
        refused(lambda: call(owner_agent, "no_such", types.CANISTER_ID_ARGS, {"canister_id": echo}, echo)) == "IC0536"
    )


def test_arguments_that_are_no_candid(owner_agent: Agent, echo: Principal) -> None:
    with pytest.raises(NetworkError, match="decoding"):
        owner_agent.update(MANAGEMENT, "canister_status", b"junk", effective_id=echo)
    arg = encode([types.CANISTER_ID_ARGS], [{"canister_id": echo}])
    assert refused(lambda: owner_agent.update(MANAGEMENT, "upload_chunk", arg, effective_id=echo)) == "IC0408"


def test_status_by_query(network: Running, owner_agent: Agent, echo: Principal) -> None:
    arg = encode([types.CANISTER_ID_ARGS], [{"canister_id": echo}])
    reply = owner_agent.query(MANAGEMENT, "canister_status", arg, effective_id=echo)
    status = decode([types.CANISTER_STATUS_RESULT], reply)[0]
    assert status["status"] == ("running", None)
    assert status["memory_metrics"]["custom_sections_size"] == len("candid:service") + len("service : {}")
    assert status["memory_size"] == sum(status["memory_metrics"].values())
    agent = network.agent(AnonymousIdentity())
    assert refused(lambda: agent.query(MANAGEMENT, "canister_status", arg, effective_id=echo)) == "IC0512"
    agent.close()


def test_settings_that_mean_nothing_here_are_not_taken_silently(owner_agent: Agent, echo: Principal) -> None:
    for name, value in (
        ("snapshot_visibility", ("public", None)),
        ("minimum_incoming_canister_call_cycles", 5),
        ("memory_allocation", 1 << 64),
        ("environment_variables", [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]),
        ("log_visibility", ("allowed_viewers", [identity(str(n)).principal for n in range(11)])),
        ("controllers", [identity(str(n)).principal for n in range(11)]),
    ):
        fields = {"canister_id": echo, "settings": {name: value}}
        arguments = (owner_agent, "update_settings", types.UPDATE_SETTINGS_ARGS, fields, echo)
        assert refused(lambda arguments=arguments: call(*arguments)) == "IC0408", name


def test_logs_are_shown_to_whom_the_settings_say(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    for line in (b"one", b"two"):
        owner_agent.update(canister_id, "print", line)
    with pytest.raises(RejectedError):
        owner_agent.update(canister_id, "trap_after_write", b"")

    def logs(agent: Agent, **fields: Any) -> list[bytes]:
        arg = encode([types.FETCH_LOGS_ARGS], [{"canister_id": canister_id, **fields}])
        reply = agent.query(MANAGEMENT, "fetch_canister_logs", arg, effective_id=canister_id)
        return [record["content"] for record in decode([types.FETCH_LOGS_RESULT], reply)[0]["canister_log_records"]]

    shown = logs(owner_agent)
    assert shown[:2] == [b"one", b"two"]
    assert b"after writing" in shown[2]
    assert logs(owner_agent, filter=("by_idx", {"start": 1, "end": 2})) == [b"two"]
    viewer = identity("a viewer of logs")
    agent = network.agent(viewer)
    assert refused(lambda: logs(agent)) == "IC0406"
    for visibility in (("allowed_viewers", [viewer.principal]), ("public", None)):
        fields = {"canister_id": canister_id, "settings": {"log_visibility": visibility}}
        call(owner_agent, "update_settings", types.UPDATE_SETTINGS_ARGS, fields, canister_id)
        assert logs(agent) == shown
    agent.close()


def test_chunk_stores_have_limits(network: Running, owner_agent: Agent) -> None:
    canister_id = network.create_canister(owner_agent)
    management = Management(owner_agent)
    assert refused(lambda: management.upload_chunk(canister_id, bytes((1 << 20) + 1))) == "IC0408"
    for index in range(100):
        management.upload_chunk(canister_id, bytes([index]))
    assert refused(lambda: management.upload_chunk(canister_id, b"one too many")) == "IC0408"
    assert len(management.stored_chunks(canister_id)) == 100
    assert management.canister_status(canister_id).memory_bytes == 100 << 20
