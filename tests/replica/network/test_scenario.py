"""The whole way with the program's own agent, which checks every certificate and every signature."""

from __future__ import annotations

import hashlib
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from personal_ai.common.errors import CanisterStoppedError, NetworkError, OutOfCyclesError, RejectedError
from personal_ai.ic import cbor
from personal_ai.ic.agent import Agent
from personal_ai.ic.certificate import Certificate
from personal_ai.ic.hash_tree import Absent, Found
from personal_ai.ic.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Delegation,
    Identity,
    Secp256k1Identity,
    SignedDelegation,
)
from personal_ai.ic.ledgers import CyclesLedger, InsufficientFundsError, LedgerError, LedgerWindowError
from personal_ai.ic.management import CanisterSettings, InstallMode, Management, RunState
from personal_ai.ic.principal import Principal
from tests.replica.network.running import TRILLION, Running, identity
from tests.support.programs import with_custom_section

STRANGER = Secp256k1Identity(b"a stranger to all test canisters")


def number(reply: bytes) -> int:
    return int.from_bytes(reply[:8], "little")


def test_status_names_the_root_key(network: Running, owner_agent: Agent) -> None:
    status = owner_agent.status()
    assert status.health == "healthy"
    assert status.root_key_der == bytes.fromhex(network.facts["root_key"])


def test_calls_and_queries(owner_agent: Agent, echo: Principal) -> None:
    assert owner_agent.update(echo, "echo", b"hello") == b"hello"
    assert owner_agent.query(echo, "echo_query", b"hello") == b"hello"
    before = number(owner_agent.query(echo, "get", b""))
    assert number(owner_agent.update(echo, "inc", b"")) == before + 1
    assert number(owner_agent.query(echo, "get", b"")) == before + 1


def test_a_query_method_can_be_called_for_a_certified_answer_and_changes_nothing(
    owner_agent: Agent, echo: Principal
) -> None:
    before = number(owner_agent.query(echo, "get", b""))
    assert number(owner_agent.update(echo, "inc_query", b"")) == before + 1
    assert number(owner_agent.update(echo, "get", b"")) == before


@pytest.mark.parametrize("somebody", [AnonymousIdentity(), STRANGER, identity("another stranger")], ids=str)
def test_the_canister_sees_who_calls(network: Running, echo: Principal, somebody: Identity) -> None:
    agent = network.agent(somebody)
    assert agent.query(echo, "caller", b"") == somebody.principal.bytes
    assert agent.update(echo, "caller", b"") == somebody.principal.bytes
    agent.close()


def delegated(targets: tuple[Principal, ...] | None) -> DelegatedIdentity:
    root, middle, session = (identity(name) for name in ("root", "middle", "session"))
    links = []
    for signer, key, link_targets in ((root, middle, None), (middle, session, targets)):
        delegation = Delegation(key.public_key_der, time.time_ns() + 10**12, link_targets)
        links.append(SignedDelegation(delegation, signer.sign(delegation.message)))
    return DelegatedIdentity(session, root.public_key_der, tuple(links))


def test_delegations(network: Running, echo: Principal) -> None:
    somebody = delegated(None)
    agent = network.agent(somebody)
    assert agent.update(echo, "caller", b"") == somebody.principal.bytes
    assert agent.query(echo, "caller", b"") == somebody.principal.bytes
    agent.close()
    agent = network.agent(delegated((echo,)))
    assert agent.update(echo, "echo", b"x") == b"x"
    signed = agent.sign_update(echo, "echo", b"y")
    assert agent.submit(signed) == agent.wait_for(signed) == b"y"
    agent.close()


def test_a_delegation_for_another_canister_is_refused(network: Running, echo: Principal) -> None:
    agent = network.agent(delegated((Principal(b"\0" * 8 + b"\1\1"),)))
    with pytest.raises(NetworkError, match="does not allow"):
        agent.update(echo, "echo", b"")
    agent.close()


def test_a_trap_changes_nothing(owner_agent: Agent, echo: Principal) -> None:
    before = number(owner_agent.query(echo, "get", b""))
    with pytest.raises(RejectedError) as caught:
        owner_agent.update(echo, "trap_after_write", b"")
    assert (caught.value.reject_code, caught.value.error_code) == (5, "IC0503")
    assert "after writing" in caught.value.reject_message
    assert number(owner_agent.query(echo, "get", b"")) == before


def test_a_reject_or_silence_of_the_canister_keeps_its_changes(owner_agent: Agent, echo: Principal) -> None:
    before = number(owner_agent.query(echo, "get", b""))
    with pytest.raises(RejectedError) as caught:
        owner_agent.update(echo, "refuse", b"")
    assert (caught.value.reject_code, caught.value.reject_message) == (4, "no")
    with pytest.raises(RejectedError) as caught:
        owner_agent.update(echo, "silent", b"")
    assert (caught.value.reject_code, caught.value.error_code) == (5, "IC0506")
    assert number(owner_agent.query(echo, "get", b"")) == before + 2


@pytest.mark.parametrize(
    ("method", "error_code"), [("private", "IC0406"), ("no_such_method", "IC0536"), ("get_nothing", "IC0536")]
)
def test_refused_before_anything_happens(
    network: Running, owner_agent: Agent, echo: Principal, method: str, error_code: str
) -> None:
    calls_before = len(network.calls())
    with pytest.raises(RejectedError) as caught:
        owner_agent.update(echo, method, b"")
    assert caught.value.error_code == error_code
    assert len(network.calls()) == calls_before


def test_unknown_and_empty_canisters(network: Running, owner_agent: Agent) -> None:
    unknown = Principal(0xFFFF_FFFF_FFEF_0000.to_bytes(8, "big") + b"\1\1")
    for ask in (owner_agent.update, owner_agent.query):
        with pytest.raises(RejectedError) as caught:
            ask(unknown, "get", b"")
        assert (caught.value.reject_code, caught.value.error_code) == (3, "IC0301")
    empty = network.create_canister(owner_agent)
    for ask in (owner_agent.update, owner_agent.query):
        with pytest.raises(RejectedError) as caught:
            ask(empty, "get", b"")
        assert (caught.value.reject_code, caught.value.error_code) == (5, "IC0537")


def test_stop_start_uninstall_delete(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    management = Management(owner_agent)
    with pytest.raises(RejectedError, match="stopped before"):
        management.delete_canister(canister_id)
    management.stop_canister(canister_id)
    assert management.canister_status(canister_id).state is RunState.STOPPED
    for ask in (owner_agent.update, owner_agent.query):
        with pytest.raises(CanisterStoppedError):
            ask(canister_id, "get", b"")
    management.start_canister(canister_id)
    assert number(owner_agent.update(canister_id, "inc", b"")) == 1
    management.uninstall_code(canister_id)
    assert owner_agent.module_hash(canister_id) is None
    assert management.canister_status(canister_id).memory_bytes == 0
    management.stop_canister(canister_id)
    management.delete_canister(canister_id)
    with pytest.raises(RejectedError) as caught:
        management.canister_status(canister_id)
    assert caught.value.error_code == "IC0301"
    path = (b"canister", canister_id.bytes, b"controllers")
    assert owner_agent.read_state(canister_id, [path]).lookup(path) == Absent()


def test_certified_facts_about_a_canister(owner_agent: Agent, echo: Principal, echo_wasm: bytes) -> None:
    assert owner_agent.module_hash(echo) == hashlib.sha256(echo_wasm).digest()
    metadata = (b"canister", echo.bytes, b"metadata", b"candid:service")
    missing = (b"canister", echo.bytes, b"metadata", b"no such section")
    certificate = owner_agent.read_state(echo, [metadata, missing])
    assert certificate.lookup(metadata) == Found(b"service : {}")
    assert certificate.lookup(missing) == Absent()


def test_certified_data_reaches_queries(network: Running, owner_agent: Agent, echo: Principal) -> None:
    assert owner_agent.query(echo, "certificate", b"") != b""
    owner_agent.update(echo, "certify", b"root of my data")
    shown = owner_agent.query(echo, "certificate", b"")
    root_key = bytes.fromhex(network.facts["root_key"])
    certificate = Certificate.verified(shown, root_key, canister_id=echo, now_ns=time.time_ns())
    assert certificate.lookup((b"canister", echo.bytes, b"certified_data")) == Found(b"root of my data")


def test_only_controllers_manage(network: Running, echo: Principal, echo_wasm: bytes) -> None:
    agent = network.agent(STRANGER)
    management = Management(agent)
    refused = [
        lambda: management.install_code(echo, InstallMode.REINSTALL, echo_wasm),
        lambda: management.stop_canister(echo),
        lambda: management.update_settings(echo, CanisterSettings(controllers=(STRANGER.principal,))),
        lambda: management.upload_chunk(echo, b"x"),
        lambda: management.canister_status(echo),
    ]
    for attempt in refused:
        with pytest.raises(RejectedError) as caught:
            attempt()
        assert caught.value.error_code == "IC0512"
    agent.close()


def test_settings(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    management = Management(owner_agent)
    both = (owner_agent.identity.principal, STRANGER.principal)
    management.update_settings(
        canister_id, CanisterSettings(controllers=both, freezing_threshold=77, wasm_memory_limit=1 << 32)
    )
    status = management.canister_status(canister_id)
    assert set(status.controllers) == set(both)
    assert (status.freezing_threshold_s, status.wasm_memory_limit_bytes) == (77, 1 << 32)
    with pytest.raises(RejectedError) as caught:
        management.update_settings(canister_id, CanisterSettings(compute_allocation=101))
    assert caught.value.error_code == "IC0408"


def test_an_upgrade_can_keep_the_heap(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    keeping = with_custom_section(echo_wasm, "icp:private enhanced-orthogonal-persistence", b"")
    canister_id = network.install(owner_agent, keeping)
    owner_agent.update(canister_id, "inc", b"")
    Management(owner_agent).install_code(canister_id, InstallMode.UPGRADE_KEEPING_HEAP, keeping)
    assert number(owner_agent.query(canister_id, "get", b"")) == 1


def test_private_metadata_is_for_controllers(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, with_custom_section(echo_wasm, "icp:private notes", b"mine"))
    path = (b"canister", canister_id.bytes, b"metadata", b"notes")
    assert owner_agent.read_state(canister_id, [path]).lookup(path) == Found(b"mine")
    agent = network.agent(STRANGER)
    with pytest.raises(NetworkError, match="controllers"):
        agent.read_state(canister_id, [path])
    agent.close()


def test_a_failed_upgrade_changes_nothing(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    management = Management(owner_agent)
    owner_agent.update(canister_id, "stable_write", struct.pack("<Q", 0) + b"kept over upgrades")
    owner_agent.update(canister_id, "inc", b"")
    newer = with_custom_section(echo_wasm, "note", b"newer")
    with pytest.raises(RejectedError, match="in init"):
        management.install_code(canister_id, InstallMode.UPGRADE, newer, b"trap")
    assert owner_agent.module_hash(canister_id) == hashlib.sha256(echo_wasm).digest()
    assert number(owner_agent.query(canister_id, "get", b"")) == 1
    management.install_code(canister_id, InstallMode.UPGRADE, newer)
    assert owner_agent.module_hash(canister_id) == hashlib.sha256(newer).digest()
    assert number(owner_agent.query(canister_id, "get", b"")) == 0  # the heap is new
    assert owner_agent.query(canister_id, "stable_read", struct.pack("<QQ", 0, 18)) == b"kept over upgrades"


def test_installing_from_chunks(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.create_canister(owner_agent)
    management = Management(owner_agent)
    half = len(echo_wasm) // 2
    pieces = [echo_wasm[:half], echo_wasm[half:]]
    hashes = [management.upload_chunk(canister_id, piece) for piece in (*pieces, pieces[0])]
    assert management.stored_chunks(canister_id) == set(hashes)
    wrong = hashlib.sha256(b"another module").digest()
    with pytest.raises(RejectedError) as caught:
        management.install_chunked_code(canister_id, InstallMode.INSTALL, hashes[:2], wrong)
    assert caught.value.error_code == "IC0408"
    module_hash = hashlib.sha256(echo_wasm).digest()
    management.install_chunked_code(canister_id, InstallMode.INSTALL, hashes[:2], module_hash)
    assert owner_agent.module_hash(canister_id) == module_hash
    management.clear_chunk_store(canister_id)
    assert management.stored_chunks(canister_id) == frozenset()


def test_one_request_runs_once_however_often_it_is_sent(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    signed = owner_agent.sign_update(canister_id, "inc", b"")
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: owner_agent.submit(signed), range(16)))
    assert {number(reply) for reply in replies} == {1}
    assert owner_agent.wait_for(signed) == replies[0]
    assert [call["method"] for call in network.calls() if call["canister_id"] == str(canister_id)] == ["inc"]


def test_parallel_calls_all_happen(network: Running, owner_agent: Agent, echo_wasm: bytes) -> None:
    canister_id = network.install(owner_agent, echo_wasm)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: number(owner_agent.update(canister_id, "inc", b"")), range(40)))
    assert sorted(replies) == list(range(1, 41))


def test_the_call_log_tells_what_was_done(network: Running, owner_agent: Agent, echo: Principal) -> None:
    last = max(call["seq"] for call in network.calls())
    owner_agent.update(echo, "echo", b"logged")
    with pytest.raises(RejectedError):
        owner_agent.update(echo, "refuse", b"")
    replied, rejected = network.calls(after=last)
    assert (replied["method"], replied["outcome"]) == ("echo", "replied")
    assert replied["arg_sha256"] == hashlib.sha256(b"logged").hexdigest()
    assert (replied["arg_bytes"], replied["caller"]) == (6, str(owner_agent.identity.principal))
    assert replied["instructions"] > 80_000  # a page was touched at least
    assert replied["pages_touched"] > 0
    assert replied["cycles"] == 1_200_000 + 2_000 * (6 + 4 + 16) + 5_000_000 + replied["instructions"]
    assert rejected["outcome"].startswith("rejected IC0406")


def test_a_canister_without_cycles_is_refused_and_a_withdrawal_helps(
    network: Running, owner_agent: Agent, echo_wasm: bytes
) -> None:
    canister_id = network.create_canister(owner_agent, 510_000_000_000)  # 10 B are left after the creation
    management, ledger = Management(owner_agent), CyclesLedger(owner_agent)
    with pytest.raises(OutOfCyclesError):
        management.install_code(canister_id, InstallMode.INSTALL, echo_wasm)
    network.fund(owner_agent.identity.principal, 2 * TRILLION)
    ledger.withdraw(canister_id, TRILLION, time.time_ns())
    management.install_code(canister_id, InstallMode.INSTALL, echo_wasm)
    spent = 10_000_000_000 + TRILLION - management.canister_status(canister_id).cycles
    assert 0 < spent < 50_000_000_000  # of the 300 B held back for the installation, the unused part came back


def test_the_cycles_ledger(network: Running) -> None:
    agent = network.agent(identity("the only owner of this account"))
    ledger, owner = CyclesLedger(agent), agent.identity.principal
    fee = ledger.fee()
    assert (fee, ledger.balance(owner)) == (100_000_000, 0)
    with pytest.raises(InsufficientFundsError):
        ledger.create_canister(TRILLION, created_at_time_ns=time.time_ns(), controllers=[owner])
    network.fund(owner, 3 * TRILLION)
    now_ns = time.time_ns()
    first = ledger.create_canister(TRILLION, created_at_time_ns=now_ns, controllers=[owner])
    assert ledger.create_canister(TRILLION, created_at_time_ns=now_ns, controllers=[owner]) == first
    assert ledger.balance(owner) == 2 * TRILLION - fee
    assert Management(agent).canister_status(first.canister_id).cycles > TRILLION // 2 - 10**9
    block = ledger.withdraw(first.canister_id, 10**9, now_ns)
    assert ledger.withdraw(first.canister_id, 10**9, now_ns) == block
    assert ledger.balance(owner) == 2 * TRILLION - 2 * fee - 10**9
    ledger.transfer(STRANGER.principal, 10**9, now_ns)
    assert ledger.balance(owner) == 2 * TRILLION - 3 * fee - 2 * 10**9
    day_ns = 24 * 3600 * 10**9
    for wrong_ns, variant in ((now_ns - 2 * day_ns, "TooOld"), (now_ns + day_ns, "CreatedInFuture")):
        with pytest.raises(LedgerWindowError) as window:
            ledger.withdraw(first.canister_id, 10**9, wrong_ns)
        assert window.value.variant == variant
    agent.close()


def test_failed_withdrawals_and_creations_give_the_cycles_back_less_fees(network: Running) -> None:
    agent = network.agent(identity("somebody who is out of luck"))
    ledger, owner = CyclesLedger(agent), agent.identity.principal
    fee = ledger.fee()
    network.fund(owner, TRILLION)
    nowhere = Principal(0xFFFF_FFFF_FFEF_0000.to_bytes(8, "big") + b"\1\1")
    with pytest.raises(LedgerError) as caught:
        ledger.withdraw(nowhere, 10**10, time.time_ns())
    assert caught.value.variant == "FailedToWithdraw"
    assert ledger.balance(owner) == TRILLION - 2 * fee
    with pytest.raises(LedgerError) as caught:
        ledger.create_canister(10**10, created_at_time_ns=time.time_ns(), controllers=[owner])
    assert caught.value.variant == "FailedToCreate"
    assert ledger.balance(owner) == TRILLION - 4 * fee
    with pytest.raises(LedgerError) as caught:
        ledger.withdraw(STRANGER.principal, 10**10, time.time_ns())
    assert caught.value.variant == "InvalidReceiver"
    agent.close()


def test_both_forms_of_canister_ranges_are_certified(owner_agent: Agent, echo: Principal) -> None:
    subnet_id = owner_agent.read_state(echo, [(b"time",)]).subnet_id
    certificate = owner_agent.read_state(echo, [(b"subnet",)])
    ranges = certificate.lookup((b"subnet", subnet_id.bytes, b"canister_ranges"))
    assert isinstance(ranges, Found)
    assert isinstance(certificate.lookup((b"subnet", subnet_id.bytes, b"public_key")), Found)
    decoded: Any = cbor.decode(ranges.value)
    first, _ = decoded[0]
    shard = (b"canister_ranges", subnet_id.bytes, first)
    certificate = owner_agent._read_subnet_state(subnet_id, [shard[:2]])
    assert certificate.lookup(shard) == ranges
