"""The public directory: asked in its own words, and believed in nothing that it says wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from personal_ai.deployments.directory import PublicDirectory
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal

CANISTER = "lxzze-o7777-77777-aaaaa-cai"


class Service(ThreadingHTTPServer):
    """Answers every request with `status` and `content`."""

    daemon_threads = True
    status, content = 200, b""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def directory(self) -> PublicDirectory:
        return PublicDirectory(f"http://127.0.0.1:{self.server_address[1]}/api/v3/canisters")


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


def test_it_names_the_canisters_of_a_controller(service: Service) -> None:
    service.content = json.dumps(
        {"data": [{"canister_id": CANISTER, "controllers": []}], "total_canisters": 1}
    ).encode()
    assert service.directory(ANONYMOUS) == [Principal.from_text(CANISTER)]
    asked = parse_qs(urlsplit(service.asked[0]).query)
    assert asked == {"controller_id": [str(ANONYMOUS)], "limit": ["100"]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data": 5}',
        b'{"data": [7]}',
        b'{"data": [{"canister_id": "not a principal"}]}',
        b"[" * 100_000,
        b'{"data": []}' + b" " * (1 << 20),
    ],
)
def test_what_is_no_answer_names_nothing(service: Service, content: bytes) -> None:
    service.content = content
    assert service.directory(MANAGEMENT) == []


def test_a_service_that_fails_or_is_away_names_nothing(service: Service) -> None:
    service.status, service.content = 500, b"{}"
    assert service.directory(MANAGEMENT) == []
    assert PublicDirectory("http://127.0.0.1:1/")(MANAGEMENT) == []
    assert PublicDirectory(service.directory.url, proxy="socks5h://127.0.0.1:1")(MANAGEMENT) == [], "never around it"
    assert len(service.asked) == 1
