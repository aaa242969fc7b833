"""The whole way against the real practice network: a process of its own behind the real interface."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import wasmtime

from personal_ai.common.errors import CanisterStoppedError, NetworkUnreachableError, RejectedError
from personal_ai.ic.agent import Agent, SignedUpdate, UnknownOutcomeError
from personal_ai.ic.certificate import CertificateError
from personal_ai.ic.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Delegation,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    SignedDelegation,
)
from personal_ai.ic.ledgers import CyclesLedger, InsufficientFundsError
from personal_ai.ic.management import CanisterSettings, InstallMode, Management, RunState
from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.profile import IC_ROOT_KEY_DER, NetworkProfile, practice
from personal_ai.ic.rejections import (
    CanisterNotFoundError,
    CanisterTrappedError,
    GatewayRefusedError,
    NotControllerError,
)

START_TIMEOUT_S = 60.0
TRILLION = 10**12
OWNER = Secp256k1Identity(b"\x0a" * 32)
STRANGER = Ed25519Identity(b"\x0b" * 32)

# Answers with its argument; `fail` first changes a global, then traps; `count` tells the global.
ECHO = bytes(
    wasmtime.wat2wasm("""
(module
  (import "ic0" "msg_arg_data_size" (func $size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (memory (export "memory") 40)
  (data (i32.const 0) "on purpose")
  (global $count (mut i32) (i32.const 0))
  (func $grow (global.set $count (i32.add (global.get $count) (i32.const 1))))
  (func $answer
    (call $copy (i32.const 64) (i32.const 0) (call $size))
    (call $append (i32.const 64) (call $size))
    (call $reply))
  (func (export "canister_query ask") (call $answer))
  (func (export "canister_update echo") (call $grow) (call $answer))
  (func (export "canister_update fail") (call $grow) (call $trap (i32.const 0) (i32.const 10)))
  (func (export "canister_query fail_query") (call $trap (i32.const 0) (i32.const 10)))
  (func (export "canister_query count")
    (i32.store (i32.const 16) (global.get $count))
    (call $append (i32.const 16) (i32.const 4))
    (call $reply)))
""")
)
ECHO_HASH = hashlib.sha256(ECHO).digest()


@dataclass
class Practice:
    """The running process, as its address file tells it."""

    url: str
    root_key_der: bytes
    token: str

    def profile(self) -> NetworkProfile:
        return practice(self.url, self.root_key_der)

    def control(self, method: str, action: str, **body: str) -> httpx.Response:
        headers = {"X-Practice-Token": self.token}
        address = f"{self.url}/_/practice/{action}"
        return httpx.request(method, address, json=body or None, headers=headers, trust_env=False, timeout=60)

    def fund(self, principal: Principal, cycles: int) -> None:
        self.control("POST", "fund", principal=str(principal), cycles=str(cycles)).raise_for_status()


def start(folder: Path) -> tuple[subprocess.Popen[bytes], Practice]:
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "personal_ai.replica", "--state", str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address = folder / "network.json"
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not address.exists() or json.loads(address.read_bytes())["pid"] != process.pid:
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline_s, "the practice network did not start"
        time.sleep(0.05)
    fields = json.loads(address.read_bytes())
    return process, Practice(fields["url"], bytes.fromhex(fields["root_key"]), fields["control_token"])


def stop(process: subprocess.Popen[bytes], network: Practice) -> None:
    if process.poll() is None:
        network.control("POST", "stop")
    try:
        process.wait(60)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    process, running = start(tmp_path_factory.mktemp("practice"))
    running.fund(OWNER.principal, 1000 * TRILLION)
    yield running
    stop(process, running)


@pytest.fixture(scope="module")
def agents(network: Practice) -> Iterator[Any]:
    """`agents(identity)` gives an agent that is closed in the end."""
    made: list[Agent] = []

    def make(identity: Identity) -> Agent:
        made.append(Agent(network.profile(), identity))
        return made[-1]

    yield make
    for agent in made:
        agent.close()


@pytest.fixture(scope="module")
def owner(agents: Any) -> Agent:
    agent: Agent = agents(OWNER)
    return agent


def create(owner: Agent) -> Principal:
    created = CyclesLedger(owner).create_canister(
        10 * TRILLION, created_at_time_ns=time.time_ns(), controllers=[owner.identity.principal]
    )
    return created.canister_id


@pytest.fixture(scope="module")
def canister(owner: Agent) -> Principal:
    """A canister with the echo program."""
    canister_id = create(owner)
    Management(owner).install_code(canister_id, InstallMode.INSTALL, ECHO)
    return canister_id


def count(agent: Agent, canister: Principal) -> int:
    return int.from_bytes(agent.query(canister, "count", b""), "little")


# ---- money and canisters


def test_cycles_make_one_canister_however_often_it_is_asked_for(owner: Agent) -> None:
    ledger, now_ns = CyclesLedger(owner), time.time_ns()
    before = ledger.balance(OWNER.principal)
    asked = {"created_at_time_ns": now_ns, "controllers": [OWNER.principal]}
    first = ledger.create_canister(2 * TRILLION, **asked)  # type: ignore[arg-type]
    assert ledger.create_canister(2 * TRILLION, **asked) == first  # type: ignore[arg-type]
    assert before - ledger.balance(OWNER.principal) == 2 * TRILLION + ledger.fee()


def test_a_top_up_arrives_once(owner: Agent, canister: Principal) -> None:
    ledger, management, now_ns = CyclesLedger(owner), Management(owner), time.time_ns()
    before = management.canister_status(canister).cycles
    block = ledger.withdraw(canister, TRILLION, now_ns)
    assert ledger.withdraw(canister, TRILLION, now_ns) == block
    arrived = management.canister_status(canister).cycles - before
    assert 0.99 * TRILLION < arrived <= TRILLION  # less what the calls cost


def test_cycles_go_to_another_account(owner: Agent) -> None:
    ledger = CyclesLedger(owner)
    ledger.transfer(STRANGER.principal, 5 * TRILLION, time.time_ns())
    assert ledger.balance(STRANGER.principal) == 5 * TRILLION
    with pytest.raises(InsufficientFundsError):
        ledger.transfer(STRANGER.principal, 10**18, time.time_ns())


# ---- installing


def test_a_kept_installation_is_carried_out_once(owner: Agent) -> None:
    canister_id = create(owner)
    assert owner.module_hash(canister_id) is None
    kept = Management(owner).sign_install_code(canister_id, InstallMode.INSTALL, ECHO).to_bytes()
    owner.submit(SignedUpdate.from_bytes(kept))
    version = Management(owner).canister_status(canister_id).version
    owner.submit(SignedUpdate.from_bytes(kept))
    owner.wait_for(SignedUpdate.from_bytes(kept))
    assert Management(owner).canister_status(canister_id).version == version
    assert owner.module_hash(canister_id) == ECHO_HASH


def test_a_program_in_chunks(owner: Agent) -> None:
    canister_id, management = create(owner), Management(owner)
    hashes = [management.upload_chunk(canister_id, chunk) for chunk in (ECHO[:100], ECHO[100:])]
    assert management.stored_chunks(canister_id) == set(hashes)
    management.install_chunked_code(canister_id, InstallMode.INSTALL, hashes, ECHO_HASH)
    assert owner.module_hash(canister_id) == ECHO_HASH
    management.clear_chunk_store(canister_id)
    assert management.stored_chunks(canister_id) == set()


def test_settings_and_status(owner: Agent) -> None:
    canister_id, management = create(owner), Management(owner)
    both = (OWNER.principal, STRANGER.principal)
    management.update_settings(canister_id, CanisterSettings(controllers=both, freezing_threshold=86_400))
    status = management.canister_status(canister_id)
    assert (set(status.controllers), status.freezing_threshold_s) == (set(both), 86_400)
    assert (status.state, status.module_hash) == (RunState.RUNNING, None)


def test_the_end_of_a_canister(owner: Agent) -> None:
    canister_id, management = create(owner), Management(owner)
    management.install_code(canister_id, InstallMode.INSTALL, ECHO)
    management.stop_canister(canister_id)
    assert management.canister_status(canister_id).state is RunState.STOPPED
    with pytest.raises(CanisterStoppedError):
        owner.update(canister_id, "echo", b"")
    management.start_canister(canister_id)
    assert owner.update(canister_id, "echo", b"back") == b"back"
    management.uninstall_code(canister_id)
    assert owner.module_hash(canister_id) is None
    management.stop_canister(canister_id)
    management.delete_canister(canister_id)
    with pytest.raises(CanisterNotFoundError):
        owner.update(canister_id, "echo", b"")


# ---- calls


def delegated() -> DelegatedIdentity:
    session = Ed25519Identity(b"\x0c" * 32)
    assert session.public_key_der is not None
    assert OWNER.public_key_der is not None
    delegation = Delegation(session.public_key_der, time.time_ns() + 3600 * 10**9)
    return DelegatedIdentity(
        session, OWNER.public_key_der, (SignedDelegation(delegation, OWNER.sign(delegation.message)),)
    )


@pytest.mark.parametrize("identity", [AnonymousIdentity(), OWNER, STRANGER, delegated()], ids=repr)
def test_every_kind_of_identity_asks_and_calls(agents: Any, canister: Principal, identity: Identity) -> None:
    agent = agents(identity)
    assert agent.query(canister, "ask", b"question") == b"question"
    assert agent.update(canister, "echo", b"word") == b"word"


def test_a_delegated_identity_has_the_rights_of_its_root(agents: Any, canister: Principal) -> None:
    assert OWNER.principal in Management(agents(delegated())).canister_status(canister).controllers


@pytest.mark.parametrize("size", [0, 1, 1_900_000])
def test_sizes(owner: Agent, canister: Principal, size: int) -> None:
    said = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert owner.update(canister, "echo", said) == said
    assert owner.query(canister, "ask", said) == said


def test_a_trap_changes_nothing(owner: Agent, canister: Principal) -> None:
    before = count(owner, canister)
    with pytest.raises(CanisterTrappedError, match="on purpose"):
        owner.update(canister, "fail", b"")
    with pytest.raises(CanisterTrappedError, match="on purpose"):
        owner.query(canister, "fail_query", b"")
    assert count(owner, canister) == before
    owner.update(canister, "echo", b"")
    assert count(owner, canister) == before + 1


def test_a_call_sent_twice_counts_once(owner: Agent, canister: Principal) -> None:
    before = count(owner, canister)
    signed = owner.sign_update(canister, "echo", b"once")
    assert [owner.submit(signed) for _ in range(3)] == [b"once"] * 3
    assert count(owner, canister) == before + 1


def test_a_call_that_was_never_sent_is_unknown_once_it_has_expired(owner: Agent, canister: Principal) -> None:
    past = Agent(owner.profile, OWNER, clock_ns=lambda: time.time_ns() - 250 * 10**9)
    signed = past.sign_update(canister, "echo", b"")
    past.close()
    with pytest.raises(UnknownOutcomeError, match="expired"):
        owner.wait_for(signed)


def test_refusals_are_typed(agents: Any, owner: Agent, canister: Principal) -> None:
    with pytest.raises(NotControllerError):
        Management(agents(STRANGER)).canister_status(canister)
    with pytest.raises(RejectedError):
        owner.update(canister, "no such method", b"")
    with pytest.raises(RejectedError):
        owner.query(canister, "no such method", b"")
    with pytest.raises(GatewayRefusedError, match="HTTP 400"):  # it names no canister that it is about
        owner.update(MANAGEMENT, "no such method", b"", effective_id=canister)


def test_many_threads_at_once(owner: Agent, canister: Principal) -> None:
    before, answers = count(owner, canister), []

    def work(number: int) -> None:
        said = bytes((number,))
        answers.append(owner.update(canister, "echo", said) + owner.query(canister, "ask", said))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [bytes((number, number)) for number in range(12)]
    assert count(owner, canister) == before + 12


# ---- whom to believe


def test_without_a_pinned_key_this_computers_network_names_its_own(network: Practice, canister: Principal) -> None:
    agent = Agent(NetworkProfile("dev", "local", (network.url,), None), OWNER)
    assert agent.status().root_key_der == network.root_key_der
    assert agent.module_hash(canister) == ECHO_HASH
    agent.close()


def test_under_another_key_nothing_is_believed(network: Practice, canister: Principal) -> None:
    agent = Agent(practice(network.url, IC_ROOT_KEY_DER), OWNER)
    for ask in (
        lambda: agent.query(canister, "ask", b""),
        lambda: agent.update(canister, "echo", b""),
        lambda: agent.module_hash(canister),
    ):
        with pytest.raises(CertificateError, match="does not hold"):
            ask()
    agent.close()


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_clock_that_is_wrong_is_named(network: Practice, canister: Principal, seconds: int) -> None:
    agent = Agent(network.profile(), OWNER, clock_ns=lambda: time.time_ns() + seconds * 10**9)
    with pytest.raises(GatewayRefusedError, match="Check the time and date"):
        agent.update(canister, "echo", b"")
    agent.close()


# ---- stopping


def test_a_stopped_network_is_unreachable_and_comes_back_with_its_state(tmp_path: Path) -> None:
    process, network = start(tmp_path)
    network.fund(OWNER.principal, 100 * TRILLION)
    agent = Agent(network.profile(), OWNER)
    canister_id = create(agent)
    Management(agent).install_code(canister_id, InstallMode.INSTALL, ECHO)
    agent.update(canister_id, "echo", b"")
    stop(process, network)
    for ask in (lambda: agent.query(canister_id, "ask", b""), lambda: agent.update(canister_id, "echo", b"")):
        with pytest.raises(NetworkUnreachableError):
            ask()
    agent.close()

    process, again = start(tmp_path)
    assert again.root_key_der == network.root_key_der
    agent = Agent(again.profile(), OWNER)
    assert agent.module_hash(canister_id) == ECHO_HASH
    assert count(agent, canister_id) == 1
    agent.close()
    stop(process, again)
