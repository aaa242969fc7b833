"""Whatever is not certified or signed as it must be is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.common.errors import (
    NetworkTimeoutError,
)
from personal_ai.ic import bls, cbor
from personal_ai.ic.agent import Agent
from personal_ai.ic.certificate import CertificateError
from personal_ai.ic.identity import AnonymousIdentity, Ed25519Identity, Secp256k1Identity
from personal_ai.ic.principal import Principal
from personal_ai.ic.query_signatures import QuerySignatureError
from personal_ai.ic.transport import Response

pytestmark = pytest.mark.usefixtures("no_waiting")


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
