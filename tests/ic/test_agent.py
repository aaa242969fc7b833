"""The agent: queries, updates and the waiting for them, rejections, root keys, threads."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from personal_ai.common.errors import (
    Cancelled,
    CanisterStoppedError,
    NetworkTimeoutError,
    OutOfCyclesError,
    RejectedError,
    SecurityError,
)
from personal_ai.common.jobs import Cancel
from personal_ai.ic import cbor
from personal_ai.ic.agent import Agent, SignedUpdate, UnknownOutcomeError
from personal_ai.ic.certificate import CertificateError
from personal_ai.ic.http_interface import MalformedAnswerError
from personal_ai.ic.identity import AnonymousIdentity, Ed25519Identity, Secp256k1Identity
from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.profile import IC, NetworkProfile
from personal_ai.ic.rejections import (
    CanisterNotFoundError,
    CanisterTrappedError,
    NotControllerError,
)
from personal_ai.ic.transport import Response

pytestmark = pytest.mark.usefixtures("no_waiting")
SIGNER = Ed25519Identity(b"\x01" * 32)
IDENTITIES = [AnonymousIdentity(), SIGNER, Secp256k1Identity(b"\x01" * 32)]


# ---- the plain ways


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("delegated", [False, True])
def test_query_and_update(new_network: Any, canister: Principal, identity: Any, delegated: bool) -> None:
    network = new_network(delegated=delegated, handlers={"echo": lambda arg: arg + b"!"})
    agent = network.agent(identity)
    assert agent.query(canister, "echo", b"hello") == b"hello!"
    assert agent.update(canister, "echo", b"hello") == b"hello!"
    agent.close()
    assert network.closed


def test_current_endpoints_are_used(network: Any, canister: Principal) -> None:
    agent = network.agent()
    agent.query(canister, "echo", b"")
    agent.update(canister, "echo", b"")
    assert [request.path for request in network.requests] == [
        f"/api/v3/canister/{canister}/query",
        f"/api/v3/canister/{canister}/read_state",
        f"/api/v3/subnet/{network.subnet_id}/read_state",
        f"/api/v4/canister/{canister}/call",
    ]


def test_older_endpoints_are_found_once(new_network: Any, canister: Principal) -> None:
    network = new_network(handlers={"echo": lambda arg: arg}, missing_paths=("/v3/", "/v4/"))
    agent = network.agent()
    for _ in range(2):
        assert agent.query(canister, "echo", b"q") == b"q"
        assert agent.update(canister, "echo", b"u") == b"u"
    tried = [request.path for request in network.requests if "/v3/" in request.path or "/v4/" in request.path]
    assert len(tried) == len(set(tried)) == 4
    assert len(network.executed) == 2


def test_management_calls_go_to_the_canister_that_they_are_about(network: Any, canister: Principal) -> None:
    network.agent().update(MANAGEMENT, "echo", b"", effective_id=canister)
    assert network.requests[-1].path == f"/api/v4/canister/{canister}/call"
    assert network.agent().query(MANAGEMENT, "echo", b"q", effective_id=canister) == b"q"


def test_state(new_network: Any, canister: Principal) -> None:
    network = new_network(state={b"canister": {canister.bytes: {b"module_hash": b"\x05" * 32}}})
    assert network.agent().module_hash(canister) == b"\x05" * 32
    assert network.agent().module_hash(Principal(b"\x01")) is None
    certificate = network.agent().read_state(canister, [(b"time",)])
    assert certificate.time_ns == network.now_ns


def test_status(network: Any) -> None:
    status = network.agent().status()
    assert (status.health, status.version, status.root_key_der) == ("healthy", None, network.root.public_key_der)


def test_the_agent_shows_no_secret(network: Any) -> None:
    assert repr(network.agent()) == f"Agent(practice, {SIGNER.principal})"


# ---- waiting for an update


def test_a_late_call_is_polled_with_growing_waits(network: Any, canister: Principal, no_waiting: list[float]) -> None:
    network.late_call, network.polls_until_done = True, 9
    assert network.agent().update(canister, "echo", b"late") == b"late"
    assert len(no_waiting) == 9
    assert no_waiting[0] < no_waiting[3] < no_waiting[-1] <= 2
    assert len(network.executed) == 1


def test_a_synchronous_answer_without_an_outcome_is_polled(network: Any, canister: Principal) -> None:
    network.polls_until_done = 1
    assert network.agent().update(canister, "echo", b"x") == b"x"


def test_polling_ends_in_time(network: Any, canister: Principal) -> None:
    network.late_call, network.polls_until_done = True, 10**6
    with pytest.raises(NetworkTimeoutError, match="in time") as raised:
        network.agent().update(canister, "echo", b"", timeout_s=0)
    assert "may still be carried out" in raised.value.not_lost


def test_polling_can_be_cancelled(network: Any, canister: Principal) -> None:
    network.late_call, network.polls_until_done = True, 10**6
    cancel = Cancel()
    network.change_answer = lambda _: cancel.cancel()
    with pytest.raises(Cancelled):
        network.agent().update(canister, "echo", b"", cancel=cancel)


def test_a_kept_update_is_sent_again_and_carried_out_once(network: Any, canister: Principal) -> None:
    signed = network.agent().sign_update(canister, "echo", b"once")
    kept = signed.to_bytes()
    assert network.agent().submit(signed) == b"once"
    assert network.agent().submit(SignedUpdate.from_bytes(kept)) == b"once"
    assert network.agent().wait_for(SignedUpdate.from_bytes(kept)) == b"once"
    assert len(network.executed) == 1


def test_what_became_of_an_expired_update_is_said_to_be_unknown(network: Any, canister: Principal) -> None:
    agent = network.agent()
    signed = agent.sign_update(canister, "echo", b"")
    network.now_ns = signed.ingress_expiry_ns + 1
    with pytest.raises(UnknownOutcomeError, match="expired"):
        agent.wait_for(signed)


def test_an_update_that_may_still_arrive_is_waited_for(network: Any, canister: Principal) -> None:
    agent = network.agent()
    signed = agent.sign_update(canister, "echo", b"")
    with pytest.raises(NetworkTimeoutError):
        agent.wait_for(signed, timeout_s=0)


def test_a_forgotten_answer(network: Any, canister: Principal) -> None:
    network.change_tree = lambda tree: tree.update(
        {b"request_status": {number: {b"status": b"done"} for number in network.outcomes}}
    )
    with pytest.raises(UnknownOutcomeError, match="forgotten"):
        network.agent().update(canister, "echo", b"")


def test_only_the_sender_may_wait(network: Any, canister: Principal) -> None:
    signed = network.agent().sign_update(canister, "echo", b"")
    with pytest.raises(ValueError, match="sender"):
        network.agent(Ed25519Identity(b"\x02" * 32)).wait_for(signed)


# ---- rejections


@pytest.mark.parametrize(
    "case",
    [
        ("IC0508", CanisterStoppedError),
        ("IC0509", CanisterStoppedError),
        ("IC0207", OutOfCyclesError),
        ("IC0501", OutOfCyclesError),
        ("IC0301", CanisterNotFoundError),
        ("IC0503", CanisterTrappedError),
        ("IC0512", NotControllerError),
        ("IC9999", RejectedError),
        (None, RejectedError),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_rejections_are_typed(new_network: Any, rejected: Any, canister: Principal, case: Any, late: bool) -> None:
    error_code, kind = case
    network = new_network(handlers={"no": lambda _: rejected(5, "IC0508: no\n\x1b[31m", error_code)}, late_call=late)
    for ask in (network.agent().query, network.agent().update):
        with pytest.raises(RejectedError) as raised:
            ask(canister, "no", b"")
        assert type(raised.value) is kind
        assert (raised.value.reject_code, raised.value.error_code) == (5, error_code)
        assert "\x1b" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_refusal_before_execution(network: Any, canister: Principal) -> None:
    answer = {"status": "non_replicated_rejection", "reject_code": 1, "reject_message": "no", "error_code": "IC0207"}
    network.steps = [Response(200, cbor.encode(answer))]
    with pytest.raises(OutOfCyclesError):
        network.agent().update(canister, "echo", b"")
    assert not network.executed


# ---- root keys


def test_on_this_computer_the_root_key_is_asked_for_once(network: Any, canister: Principal) -> None:
    profile = NetworkProfile("dev", "local", ("http://127.0.0.1:1",), None)
    agent = Agent(profile, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    assert agent.update(canister, "echo", b"x") == b"x"
    assert agent.query(canister, "echo", b"x") == b"x"
    assert [request.path for request in network.requests].count("/api/v2/status") == 1


@pytest.mark.parametrize("key", [None, b"", b"\x00" * 133, "text"])
def test_a_network_that_names_no_root_key(network: Any, canister: Principal, key: Any) -> None:
    network.change_answer = lambda answer: answer.update(root_key=key) if "root_key" in answer else None
    profile = NetworkProfile("dev", "local", ("http://127.0.0.1:1",), None)
    agent = Agent(profile, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    with pytest.raises(MalformedAnswerError):
        agent.read_state(canister, [(b"time",)])


def test_a_root_key_is_never_asked_for_from_another_computer(network: Any, canister: Principal) -> None:
    profile = NetworkProfile("mine", "custom", ("https://example.org",), network.root.public_key_der)
    object.__setattr__(profile, "root_key_der", None)  # what a profile itself does not let happen
    agent = Agent(profile, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    with pytest.raises(SecurityError, match="never"):
        agent.read_state(canister, [(b"time",)])
    assert "/api/v2/status" not in [request.path for request in network.requests]


def test_the_internet_computer_is_checked_against_its_own_key(network: Any, canister: Principal) -> None:
    agent = Agent(IC, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    with pytest.raises(CertificateError):
        agent.read_state(canister, [(b"time",)])


# ---- many threads


def test_one_agent_serves_many_threads(network: Any, canister: Principal) -> None:
    agent = network.agent()
    answers: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(3):
            said = f"{number} {turn}".encode()
            answers.extend((agent.query(canister, "echo", said), agent.update(canister, "echo", said)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 36
    assert len(set(answers)) == 18


def test_profiles_differ_only_in_data(network: Any, canister: Principal) -> None:
    profile = replace(network.profile(), name="another", kind="custom")
    agent = Agent(profile, AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns)
    assert agent.update(canister, "echo", b"x") == b"x"
