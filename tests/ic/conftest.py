"""A network in memory behind the transport's seam: it signs as a real one does and can be told to misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from personal_ai.ic import bls, cbor, hash_tree, leb128
from personal_ai.ic.agent import Agent
from personal_ai.ic.domains import REQUEST, RESPONSE, STATE_ROOT
from personal_ai.ic.identity import Ed25519Identity, Identity, verify_signature
from personal_ai.ic.principal import Principal, self_authenticating
from personal_ai.ic.profile import NetworkProfile, practice
from personal_ai.ic.request_id import hash_of_map, request_id
from personal_ai.ic.transport import Request, Response

NOW_NS = 1_790_000_000 * 10**9
CANISTER = Principal.from_text("um5iw-rqaaa-aaaaq-qaaba-cai")
RANGES = [[bytes(8) + b"\x01\x01", bytes([0] * 4 + [0xFF] * 4) + b"\x01\x01"]]


@dataclass
class Rejected:
    """What a handler gives to reject a message."""

    code: int
    message: str
    error_code: str | None = None


Handler = Callable[[bytes], bytes | Rejected]


@dataclass
class FakeNetwork:
    """Implements Transport. `delegated`: the canisters are on a subnet below the root.

    steps: taken one for each request before it is answered: an HTTP status, a Response, an exception, or None to go on.
    node: who signs the answers to queries; listed_nodes: who is on the subnet, where that differs.
    query_age_s: how long ago answers to queries claim to be signed.
    change_tree, change_answer: applied before signing (the tree's map) and to the fields of an answer.
    """

    delegated: bool = False
    handlers: dict[str, Handler] = field(default_factory=dict)
    state: dict[bytes, Any] = field(default_factory=dict)
    now_ns: int = NOW_NS
    missing_paths: tuple[str, ...] = ()
    polls_until_done: int = 0
    late_call: bool = False
    steps: list[Any] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    ranges: list[list[bytes]] = field(default_factory=lambda: RANGES)
    ranges_sharded: bool = True
    change_tree: Callable[[dict[bytes, Any]], None] = lambda _: None
    change_answer: Callable[[dict[str, Any]], None] = lambda _: None
    executed: list[bytes] = field(default_factory=list)
    node: Identity = field(default_factory=lambda: Ed25519Identity(b"\x07" * 32))
    listed_nodes: list[Identity] | None = None
    query_age_s: int = 0

    def __post_init__(self) -> None:
        self.root = bls.SigningKey(b"root")
        self.subnet = bls.SigningKey(b"subnet") if self.delegated else self.root
        self.subnet_id = self_authenticating(self.subnet.public_key_der)
        self.outcomes: dict[bytes, bytes | Rejected] = {}
        self.closed = False

    # ---- Transport

    def send(self, request: Request, timeout_s: float) -> Response:
        self.requests.append(request)
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):
            return Response(step, b"told to")
        if isinstance(step, Response):
            return step
        if any(path in request.path for path in self.missing_paths):
            return Response(404, b"")
        if request.body is None:
            return self._answer({"replica_health_status": "healthy", "root_key": self.root.public_key_der})
        return self._route(request.path.split("/"), request.body)

    def close(self) -> None:
        self.closed = True

    # ---- what it does

    def _route(self, path: list[str], body: bytes) -> Response:
        _, _, version, of, name, kind = path
        content = self._checked(body)
        if kind == "query":
            return self._query(content)
        if kind == "call":
            return self._call(content, Principal.from_text(name), synchronous=version == "v4")
        assert kind == "read_state"
        if of == "subnet":
            assert name == str(self.subnet_id)
        return self._answer({"certificate": self.certificate([tuple(path) for path in content["paths"]])})

    def _checked(self, body: bytes) -> dict[str, Any]:
        """Checks expiry, nonce and signature as a replica does."""
        envelope: Any = cbor.decode(body)
        content: dict[str, Any] = envelope["content"]
        assert self.now_ns < content["ingress_expiry"] <= self.now_ns + 300 * 10**9
        assert len(content["nonce"]) == 16
        if content["sender"] == b"\x04":
            assert envelope.keys() == {"content"}
        else:
            assert content["sender"] == self_authenticating(envelope["sender_pubkey"]).bytes
            message = REQUEST + request_id(content)
            assert verify_signature(envelope["sender_pubkey"], message, envelope["sender_sig"])
        return content

    def _query(self, content: dict[str, Any]) -> Response:
        outcome = self.handlers[content["method_name"]](content["arg"])
        if isinstance(outcome, Rejected):
            answer = {"status": "rejected", "reject_code": outcome.code, "reject_message": outcome.message}
            if outcome.error_code:
                answer["error_code"] = outcome.error_code
        else:
            answer = {"status": "replied", "reply": {"arg": outcome}}
        time_ns = self.now_ns - self.query_age_s * 10**9
        message = RESPONSE + hash_of_map(answer | {"timestamp": time_ns, "request_id": request_id(content)})
        signature = {
            "timestamp": time_ns,
            "signature": self.node.sign(message),
            "identity": self.node.principal.bytes,
        }
        return self._answer(answer | {"signatures": [signature]})

    def _call(self, content: dict[str, Any], effective_id: Principal, *, synchronous: bool) -> Response:
        number = request_id(content)
        if number not in self.outcomes:
            self.executed.append(number)
            self.outcomes[number] = self.handlers[content["method_name"]](content["arg"])
        if not synchronous or self.late_call:
            return Response(202, b"")
        return self._answer({"status": "replied", "certificate": self.certificate([(b"request_status", number)])})

    def _answer(self, fields: dict[str, Any]) -> Response:
        self.change_answer(fields)
        return Response(200, cbor.encode(fields))

    # ---- certificates

    def certificate(self, paths: list[tuple[bytes, ...]]) -> bytes:
        tree: dict[bytes, Any] = {
            b"time": leb128.unsigned(self.now_ns),
            b"subnet": {self.subnet_id.bytes: self._subnet()},
            b"request_status": {number: self._status(number) for number in self.outcomes},
            **self.state,
        }
        self.change_tree(tree)
        built = hash_tree.prune(hash_tree.build(tree), [(b"time",), *paths])
        fields: dict[str, Any] = {
            "tree": built,
            "signature": self.subnet.sign(STATE_ROOT + hash_tree.root_hash(built)),
        }
        if self.delegated:
            fields["delegation"] = {"subnet_id": self.subnet_id.bytes, "certificate": self.delegation()}
        return cbor.encode(fields)

    def delegation(self) -> bytes:
        ranges = cbor.encode(self.ranges)
        subnet: dict[bytes, Any] = {b"public_key": self.subnet.public_key_der}
        tree: dict[bytes, Any] = {
            b"time": leb128.unsigned(self.now_ns),
            b"subnet": {self.subnet_id.bytes: subnet},
        }
        if self.ranges_sharded:
            tree[b"canister_ranges"] = {self.subnet_id.bytes: {self.ranges[0][0]: ranges}}
        else:
            subnet[b"canister_ranges"] = ranges
        built = hash_tree.build(tree)
        signature = self.root.sign(STATE_ROOT + hash_tree.root_hash(built))
        return cbor.encode({"tree": built, "signature": signature})

    def _subnet(self) -> dict[bytes, Any]:
        nodes = [self.node] if self.listed_nodes is None else self.listed_nodes
        listed = {node.principal.bytes: {b"public_key": node.public_key_der} for node in nodes}
        return {b"public_key": self.subnet.public_key_der, b"node": listed}

    def _status(self, number: bytes) -> dict[bytes, bytes]:
        if self.polls_until_done > 0:
            self.polls_until_done -= 1
            return {b"status": b"processing"}
        outcome = self.outcomes[number]
        if isinstance(outcome, bytes):
            return {b"status": b"replied", b"reply": outcome}
        status = {
            b"status": b"rejected",
            b"reject_code": leb128.unsigned(outcome.code),
            b"reject_message": outcome.message.encode(),
        }
        return status | ({b"error_code": outcome.error_code.encode()} if outcome.error_code else {})

    # ---- for tests

    def profile(self) -> NetworkProfile:
        return practice("http://127.0.0.1:1", self.root.public_key_der)

    def agent(self, identity: Identity | None = None) -> Agent:
        return Agent(
            self.profile(), identity or Ed25519Identity(b"\x01" * 32), transport=self, clock_ns=lambda: self.now_ns
        )


@pytest.fixture
def new_network() -> Callable[..., FakeNetwork]:
    """Makes networks in memory: `new_network(delegated=True, handlers={...})`."""
    return FakeNetwork


@pytest.fixture
def network() -> FakeNetwork:
    """A network in memory whose only subnet is the root, with an echo canister."""
    return FakeNetwork(handlers={"echo": lambda arg: arg})


@pytest.fixture
def rejected() -> type[Rejected]:
    return Rejected


@pytest.fixture
def canister() -> Principal:
    return CANISTER


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Back-offs take no time; gives the seconds that would have been waited."""
    waits: list[float] = []
    monkeypatch.setattr("personal_ai.common.jobs.Cancel.wait", lambda _, timeout_s: waits.append(timeout_s))
    yield waits
