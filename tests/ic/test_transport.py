from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from personal_ai.common.errors import NetworkError, NetworkTimeoutError, NetworkUnreachableError
from personal_ai.ic import transport
from personal_ai.ic.profile import NetworkProfile
from personal_ai.ic.transport import (
    ConnectionLostError,
    FailoverTransport,
    GatewayLateError,
    HttpxTransport,
    Request,
    Response,
    connect,
)


class Gateway(ThreadingHTTPServer):
    """A real server on loopback; `answer` is called with each request's handler."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer: Callable[[Any], object] = lambda handler: handler.say(200, b"hello")
        self.seen: list[tuple[str, str, bytes, dict[str, str], tuple[str, int]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server: Any = self.server
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.seen.append((self.command, self.path, body, headers, self.client_address))
        server.answer(self)

    do_GET = do_POST = _handle  # noqa: N815 - the standard library's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sender(gateway: Gateway) -> Iterator[HttpxTransport]:
    made = HttpxTransport(gateway.url)
    yield made
    made.close()


def unused_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_body_is_posted_and_none_is_fetched(gateway: Gateway, sender: HttpxTransport) -> None:
    assert sender.send(Request("/api/v2/status"), 5) == Response(200, b"hello")
    sender.send(Request("/api/v4/call", b"body"), 5)
    assert [seen[:3] for seen in gateway.seen] == [("GET", "/api/v2/status", b""), ("POST", "/api/v4/call", b"body")]
    headers = gateway.seen[1][3]
    assert (headers["content-type"], headers["accept-encoding"]) == ("application/cbor", "identity")
    assert "authorization" not in headers
    assert "cookie" not in headers


def test_one_connection_serves_many_requests(gateway: Gateway, sender: HttpxTransport) -> None:
    for _ in range(3):
        sender.send(Request("/", b"x"), 5)
    assert len({seen[4] for seen in gateway.seen}) == 1


def test_environment_proxies_do_not_touch_loopback(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, unused_url())
    made = HttpxTransport(gateway.url)
    assert made.send(Request("/"), 5).status == 200
    made.close()


def test_statuses_and_redirects_are_handed_on(gateway: Gateway, sender: HttpxTransport) -> None:
    gateway.answer = lambda handler: handler.say(302, b"", Location="https://example.org/")
    assert sender.send(Request("/"), 5).status == 302
    assert len(gateway.seen) == 1


def test_nobody_there() -> None:
    made = HttpxTransport(unused_url())
    with pytest.raises(NetworkUnreachableError, match="cannot be reached") as caught:
        made.send(Request("/"), 5)
    assert "start it" in str(caught.value.next_step)  # on this computer it is not the connection that is missing
    made.close()


def test_no_answer_in_time(gateway: Gateway, sender: HttpxTransport) -> None:
    waiting = threading.Event()
    gateway.answer = lambda _: waiting.wait(60)
    with pytest.raises(NetworkTimeoutError, match="in time"):
        sender.send(Request("/"), 0.1)
    waiting.set()


def test_an_answer_that_drips_ends_in_time(gateway: Gateway, sender: HttpxTransport) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):  # for 20 s
            try:
                handler.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.02)

    gateway.answer = drip
    with pytest.raises(NetworkTimeoutError):  # after the last byte it would be an answer
        sender.send(Request("/"), 0.2)


def test_a_connection_that_breaks(gateway: Gateway, sender: HttpxTransport) -> None:
    def hang_up(handler: Any) -> None:
        handler.close_connection = True

    gateway.answer = hang_up
    with pytest.raises(ConnectionLostError, match="broke"):
        sender.send(Request("/", b"x"), 5)


def test_an_endless_answer_is_cut(gateway: Gateway, sender: HttpxTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_RESPONSE_SIZE_BYTES", 1000)
    gateway.answer = lambda handler: handler.say(200, bytes(1001))
    with pytest.raises(NetworkError, match="too long"):
        sender.send(Request("/"), 5)
    gateway.answer = lambda handler: handler.say(200, bytes(1000))
    assert len(sender.send(Request("/"), 5).body) == 1000


def test_a_compressed_answer_is_not_unpacked(gateway: Gateway, sender: HttpxTransport) -> None:
    gateway.answer = lambda handler: handler.say(200, b"\x1f\x8b", Content_Encoding="gzip")
    assert sender.send(Request("/"), 5).body == b"\x1f\x8b"


def test_many_threads_share_one_transport(gateway: Gateway, sender: HttpxTransport) -> None:
    gateway.answer = lambda handler: handler.say(200, handler.path.encode())
    failures: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            path = f"/{number}/{turn}"
            if sender.send(Request(path), 5).body != path.encode():
                failures.append(path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ---- several gateways


class Scripted:
    """A transport that does what it is told."""

    def __init__(self, *steps: Response | Exception) -> None:
        self.steps = list(steps)
        self.closed = False

    def send(self, request: Request, timeout_s: float) -> Response:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


DOWN = NetworkUnreachableError("down")
OK = Response(200, b"")


def test_the_next_gateway_takes_over_and_is_kept() -> None:
    first, second = Scripted(DOWN), Scripted(OK, OK)
    both = FailoverTransport([first, second])
    assert both.send(Request("/"), 1) == OK
    assert both.send(Request("/"), 1) == OK
    assert not first.steps
    both.close()
    assert first.closed
    assert second.closed


def test_all_gateways_down() -> None:
    with pytest.raises(NetworkUnreachableError):
        FailoverTransport([Scripted(DOWN), Scripted(DOWN)]).send(Request("/"), 1)


@pytest.mark.parametrize("error", [ConnectionLostError("broke"), NetworkTimeoutError("late")])
def test_what_may_have_arrived_does_not_go_to_another_gateway_unasked(error: Exception) -> None:
    second = Scripted(OK)
    both = FailoverTransport([Scripted(error), second])
    with pytest.raises(type(error)):
        both.send(Request("/"), 1)
    assert second.steps
    assert both.send(Request("/"), 1) == OK  # asked again, it goes to the next one


def test_a_late_gateway_says_that_there_is_another() -> None:
    with pytest.raises(GatewayLateError, match="late"):
        FailoverTransport([Scripted(NetworkTimeoutError("late")), Scripted(OK)]).send(Request("/"), 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_gateway_is_left_for_the_next_request(status: int) -> None:
    both = FailoverTransport([Scripted(Response(status, b""), OK), Scripted(OK, Response(404, b""), OK)])
    assert [both.send(Request("/"), 1).status for _ in range(4)] == [status, 200, 404, 200]


def _profile(*gateways: str) -> NetworkProfile:
    return NetworkProfile("mine", "local", gateways, None)


def test_an_unreachable_network_is_called_by_its_name() -> None:
    made = connect(_profile(unused_url()))
    with pytest.raises(NetworkUnreachableError, match="The network mine cannot be reached"):
        made.send(Request("/"), 5)
    made.close()


def test_a_profiles_gateways_are_connected(gateway: Gateway) -> None:
    one, two = connect(_profile(gateway.url)), connect(_profile(unused_url(), gateway.url))
    assert isinstance(one, HttpxTransport)
    assert isinstance(two, FailoverTransport)
    for made in (one, two):
        assert made.send(Request("/"), 5).status == 200
        made.close()
