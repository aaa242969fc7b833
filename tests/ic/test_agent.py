from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from personal_ai.common.errors import (
    Cancelled,
    CanisterStoppedError,
    NetworkError,
    NetworkTimeoutError,
    NetworkUnreachableError,
    OutOfCyclesError,
    RejectedError,
    SecurityError,
)
from personal_ai.common.jobs import Cancel
from personal_ai.ic import bls, cbor
from personal_ai.ic.agent import Agent, SignedUpdate, UnknownOutcomeError
from personal_ai.ic.certificate import CertificateError
from personal_ai.ic.http_interface import MalformedAnswerError
from personal_ai.ic.identity import AnonymousIdentity, Ed25519Identity, Secp256k1Identity
from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.profile import IC, NetworkProfile
from personal_ai.ic.query_signatures import QuerySignatureError
from personal_ai.ic.rejections import (
    CanisterNotFoundError,
    CanisterTrappedError,
    GatewayRefusedError,
    NotControllerError,
)
from personal_ai.ic.transport import ConnectionLostError, FailoverTransport, GatewayLateError, Request, Response

pytestmark = pytest.mark.usefixtures("no_waiting")
IDENTITIES = [AnonymousIdentity(), Ed25519Identity(b"\x01" * 32), Secp256k1Identity(b"\x01" * 32)]


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
    assert repr(network.agent()) == f"Agent(practice, {IDENTITIES[1].principal})"


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


# ---- trouble on the way


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_network_is_asked_again_with_the_same_bytes(
    network: Any, canister: Principal, status: int, no_waiting: list[float]
) -> None:
    network.steps = [status, status]
    assert network.agent().update(canister, "echo", b"x") == b"x"
    assert len({request.body for request in network.requests}) == 1
    assert no_waiting == [0.5, 1.0]


def test_a_network_that_stays_busy(network: Any, canister: Principal) -> None:
    network.steps = [503] * 10
    with pytest.raises(GatewayRefusedError) as raised:
        network.agent().update(canister, "echo", b"")
    assert (raised.value.status, len(network.requests)) == (503, 5)


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refused_request_is_not_sent_again(network: Any, canister: Principal, status: int) -> None:
    network.steps = [status]
    with pytest.raises(GatewayRefusedError, match=f"HTTP {status}.*told to"):
        network.agent().update(canister, "echo", b"")
    assert len(network.requests) == 1


def test_neither_endpoint_is_there(network: Any, canister: Principal) -> None:
    network.steps = [404, 404]
    with pytest.raises(GatewayRefusedError, match="404"):
        network.agent().update(canister, "echo", b"")


def test_a_broken_connection_is_tried_once_more(network: Any, canister: Principal) -> None:
    network.steps = [ConnectionLostError("broke")]
    assert network.agent().update(canister, "echo", b"x") == b"x"
    network.steps = [ConnectionLostError("broke")] * 2
    with pytest.raises(ConnectionLostError):
        network.agent().update(canister, "echo", b"")


def test_another_gateway_is_asked_once_where_one_is_late(network: Any, canister: Principal) -> None:
    network.steps = [GatewayLateError("late")]
    assert network.agent().update(canister, "echo", b"x") == b"x"
    assert len({request.body for request in network.requests}) == 1  # the same bytes: it is carried out once
    network.steps = [GatewayLateError("late")] * 2
    with pytest.raises(NetworkTimeoutError):
        network.agent().update(canister, "echo", b"")


def test_answers_lost_at_every_gateway_do_not_carry_a_call_out_twice(network: Any, canister: Principal) -> None:
    """Two gateways: the first carries the call to the network and loses the answer, the second is busy at first."""

    class Losing:
        def send(self, request: Request, timeout_s: float) -> Response:
            network.send(request, timeout_s)
            raise ConnectionLostError("broke")

        def close(self) -> None:
            pass

    class BusyAtFirst:
        busy = True

        def send(self, request: Request, timeout_s: float) -> Response:
            busy, self.busy = self.busy, False
            return Response(503, b"") if busy else network.send(request, timeout_s)

        def close(self) -> None:
            pass

    transport = FailoverTransport([Losing(), BusyAtFirst()])
    agent = Agent(network.profile(), Ed25519Identity(b"\x01" * 32), transport, clock_ns=lambda: network.now_ns)
    assert agent.update(canister, "echo", b"x") == b"x"
    assert len(network.executed) == 1
    assert sum(request.path.endswith("/call") for request in network.requests) > 1


def test_a_call_that_hangs_can_be_cancelled(network: Any, canister: Principal) -> None:
    cancel, let_go = Cancel(), threading.Event()

    class Hanging:
        def send(self, request: Request, timeout_s: float) -> Response:
            cancel.cancel()
            let_go.wait(timeout_s)
            return Response(503, b"")

        def close(self) -> None:
            let_go.set()

    agent = Agent(network.profile(), Ed25519Identity(b"\x01" * 32), Hanging(), clock_ns=lambda: network.now_ns)
    with pytest.raises(Cancelled):
        agent.update(canister, "echo", b"x", cancel=cancel)
    agent.close()


@pytest.mark.parametrize("error", [NetworkUnreachableError("gone"), NetworkTimeoutError("late")])
def test_an_unreachable_network_is_said_at_once(network: Any, canister: Principal, error: Exception) -> None:
    for ask in (network.agent().query, network.agent().update):
        network.requests.clear()
        network.steps = [error]
        with pytest.raises(type(error)):
            ask(canister, "echo", b"")
        assert len(network.requests) == 1


MALFORMED = [
    b"",
    b"<html>please log in</html>",
    b"\xff" * 100,
    b"\x81" * 100_000,
    cbor.encode([]),
    cbor.encode({}),
    cbor.encode({"status": "replied"}),
    cbor.encode({"status": "replied", "certificate": "text"}),
    cbor.encode({"status": "non_replicated_rejection", "reject_code": "one", "reject_message": "no"}),
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_answer_is_a_network_error(network: Any, canister: Principal, body: bytes) -> None:
    network.steps = [Response(200, body)]
    with pytest.raises(MalformedAnswerError):
        network.agent().update(canister, "echo", b"")
    network.steps = [Response(200, body)]
    with pytest.raises(MalformedAnswerError):
        network.agent().read_state(canister, [(b"time",)])


@pytest.mark.parametrize("body", MALFORMED[:5])
def test_a_malformed_answer_to_a_query(network: Any, canister: Principal, body: bytes) -> None:
    network.steps = [Response(200, body)]
    with pytest.raises(NetworkError):
        network.agent().query(canister, "echo", b"")
    network.steps = [Response(202, b"")]
    with pytest.raises(MalformedAnswerError):
        network.agent().query(canister, "echo", b"")


# ---- forgeries


def _all_ways(agent: Agent, canister: Principal) -> list[Any]:
    return [
        lambda: agent.update(canister, "echo", b""),
        lambda: agent.read_state(canister, [(b"time",)]),
        lambda: agent.module_hash(canister),
        lambda: agent.query(canister, "echo", b""),
    ]


@pytest.mark.parametrize("delegated", [False, True])
def test_a_network_with_another_key_is_not_believed(new_network: Any, canister: Principal, delegated: bool) -> None:
    network = new_network(delegated=delegated, handlers={"echo": lambda arg: arg})
    agent = network.agent()
    network.root = bls.SigningKey(b"forger")
    network.subnet = network.subnet if delegated else network.root
    for ask in _all_ways(agent, canister):
        with pytest.raises(CertificateError):
            ask()


def test_a_changed_certificate_is_not_believed(network: Any, canister: Principal) -> None:
    def forge(answer: dict[str, Any]) -> None:
        if "certificate" in answer:
            answer["certificate"] = answer["certificate"].replace(b"the truth", b"a lie, yo")

    network.change_answer = forge
    with pytest.raises(CertificateError, match="does not hold"):
        network.agent().update(canister, "echo", b"the truth")


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_stale_certificate_is_not_believed(network: Any, canister: Principal, seconds: int) -> None:
    agent = Agent(
        network.profile(), AnonymousIdentity(), transport=network, clock_ns=lambda: network.now_ns + seconds * 10**9
    )
    network._checked = lambda body: cbor.decode(body)["content"]  # type: ignore[index]
    for ask in _all_ways(agent, canister):
        with pytest.raises(CertificateError, match="seconds"):
            ask()


def test_a_subnet_does_not_speak_for_other_canisters(new_network: Any) -> None:
    outside = Principal(b"\xff" * 8 + b"\x01\x01")
    network = new_network(delegated=True, handlers={"echo": lambda arg: arg})
    for ask in _all_ways(network.agent(), outside):
        with pytest.raises(CertificateError, match="not on"):
            ask()


def test_a_certificate_of_another_call_is_no_answer(network: Any, canister: Principal) -> None:
    """An old reply, genuine as it is, does not stand for a new call."""
    agent = network.agent()
    agent.update(canister, "echo", b"old")
    [old] = network.executed
    network.steps = [
        Response(
            200, cbor.encode({"status": "replied", "certificate": network.certificate([(b"request_status", old)])})
        )
    ]
    with pytest.raises(NetworkTimeoutError):
        agent.update(canister, "echo", b"new", timeout_s=0)


def test_a_reply_that_is_left_out(network: Any, canister: Principal) -> None:
    network.change_tree = lambda tree: [status.pop(b"reply") for status in tree[b"request_status"].values()]
    with pytest.raises(CertificateError, match="contradicts"):
        network.agent().update(canister, "echo", b"")


def test_a_malformed_reject_code(new_network: Any, rejected: Any, canister: Principal) -> None:
    network = new_network(handlers={"no": lambda _: rejected(4, "no")})
    network.change_tree = lambda tree: [
        status.update({b"reject_code": b"\x80"}) for status in tree[b"request_status"].values()
    ]
    with pytest.raises(CertificateError, match="reject code"):
        network.agent().update(canister, "no", b"")


# ---- signatures of queries


def _signature(change: dict[str, Any]) -> Any:
    def apply(answer: dict[str, Any]) -> None:
        if "signatures" in answer:
            answer["signatures"][0].update(change)

    return apply


@pytest.mark.parametrize(
    "change",
    [
        {"signature": bytes(64)},
        {"signature": b""},
        {"signature": "text"},
        {"timestamp": 1_790_000_000 * 10**9 - 1},
        {"timestamp": 0},
        {"timestamp": -1},
        {"timestamp": 2**64 - 1},
        {"identity": b"\x01"},
        {"identity": bytes(1000)},
    ],
)
def test_a_changed_signature_is_not_believed(network: Any, canister: Principal, change: dict[str, Any]) -> None:
    network.change_answer = _signature(change)
    with pytest.raises(QuerySignatureError):
        network.agent().query(canister, "echo", b"")


@pytest.mark.parametrize("signatures", [None, [], [None], "text", [{}] * 1000])
def test_an_unsigned_answer_is_not_believed(network: Any, canister: Principal, signatures: Any) -> None:
    def strip(answer: dict[str, Any]) -> None:
        if "signatures" in answer:
            answer["signatures"] = signatures

    network.change_answer = strip
    with pytest.raises(QuerySignatureError):
        network.agent().query(canister, "echo", b"")


@pytest.mark.parametrize(
    "change",
    [
        {"reply": {"arg": b"a lie"}},
        {"status": "rejected", "reject_code": 4, "reject_message": "no"},
        {"error_code": "IC0508"},
        {"reject_code": True},
    ],
)
def test_a_changed_answer_is_not_believed(network: Any, canister: Principal, change: dict[str, Any]) -> None:
    network.change_answer = lambda answer: answer.update(change) if "signatures" in answer else None
    with pytest.raises(QuerySignatureError):
        network.agent().query(canister, "echo", b"the truth")


def test_a_changed_error_code_of_a_rejected_query(new_network: Any, rejected: Any, canister: Principal) -> None:
    network = new_network(handlers={"no": lambda _: rejected(5, "no", "IC0503")})
    network.change_answer = lambda answer: answer.update(error_code="IC0508") if "signatures" in answer else None
    with pytest.raises(QuerySignatureError):
        network.agent().query(canister, "no", b"")


def test_an_answer_to_another_query_is_not_believed(network: Any, canister: Principal) -> None:
    agent = network.agent()
    agent.query(canister, "echo", b"first")
    replayed: list[dict[str, Any]] = []
    network.change_answer = lambda answer: replayed.append(dict(answer))
    agent.query(canister, "echo", b"first")
    network.change_answer = lambda answer: answer.update(replayed[0])
    with pytest.raises(QuerySignatureError, match="does not hold"):
        agent.query(canister, "echo", b"first")


def test_keys_of_nodes_are_kept_and_asked_again_when_a_node_is_new(network: Any, canister: Principal) -> None:
    agent = network.agent()
    agent.query(canister, "echo", b"")
    agent.query(canister, "echo", b"")
    assert sum("read_state" in request.path for request in network.requests) == 2
    network.node = Ed25519Identity(b"\x08" * 32)
    assert agent.query(canister, "echo", b"new node") == b"new node"
    assert sum("read_state" in request.path for request in network.requests) == 4


def test_keys_of_nodes_are_asked_again_in_time(
    network: Any, canister: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = network.agent()
    agent.query(canister, "echo", b"")
    asked = len(network.requests)
    agent.query(canister, "echo", b"")
    assert len(network.requests) == asked + 1
    monkeypatch.setattr("personal_ai.ic.agent._NODE_KEYS_LIFETIME_S", 0.0)
    agent.query(canister, "echo", b"")
    assert len(network.requests) == asked + 4


def test_a_node_of_another_subnet_is_not_believed(network: Any, canister: Principal) -> None:
    """The keys are those that the subnet's own certificate lists."""
    network.listed_nodes = [Ed25519Identity(b"\x08" * 32)]
    with pytest.raises(QuerySignatureError, match="not on"):
        network.agent().query(canister, "echo", b"")


def test_a_key_of_another_kind_signs_no_query(network: Any, canister: Principal) -> None:
    network.node = Secp256k1Identity(b"\x01" * 32)
    with pytest.raises(QuerySignatureError, match="does not hold"):
        network.agent().query(canister, "echo", b"")


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_answer_is_not_believed(network: Any, canister: Principal, seconds: int) -> None:
    network.query_age_s = seconds
    with pytest.raises(QuerySignatureError, match="seconds"):
        network.agent().query(canister, "echo", b"")
    network.query_age_s = seconds // 2
    assert network.agent().query(canister, "echo", b"x") == b"x"


def test_more_signatures_than_a_subnet_has_nodes_are_not_even_checked(network: Any, canister: Principal) -> None:
    network.change_answer = lambda answer: answer.update(signatures=answer.get("signatures", []) * 101)
    with pytest.raises(QuerySignatureError, match="not signed"):
        network.agent().query(canister, "echo", b"")


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
