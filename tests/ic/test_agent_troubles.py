"""The agent on a bad line: busy, late, broken and malformed answers, and gateways that take over."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from personal_ai.common.errors import (
    Cancelled,
    NetworkError,
    NetworkTimeoutError,
    NetworkUnreachableError,
)
from personal_ai.common.jobs import Cancel
from personal_ai.ic import cbor
from personal_ai.ic.agent import Agent
from personal_ai.ic.http_interface import MalformedAnswerError
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.principal import Principal
from personal_ai.ic.rejections import (
    GatewayRefusedError,
)
from personal_ai.ic.transport import ConnectionLostError, FailoverTransport, GatewayLateError, Request, Response

pytestmark = pytest.mark.usefixtures("no_waiting")


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
