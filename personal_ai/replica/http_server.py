"""The practice network on a loopback port: the HTTPS interface's paths, and beside them the control of the network.

Loopback is no wall: pages in a browser can send requests to it. So the Host header must name this computer (no
other name can be bound to it by DNS), nothing allows cross-origin reading, bodies must be CBOR (which no page can
send without asking first), and control needs a token.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import socketserver
import sqlite3
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from personal_ai.common.errors import FormatError, StorageError
from personal_ai.ic.principal import Principal
from personal_ai.replica.control import Control, ControlRefusedError
from personal_ai.replica.endpoints import Answer, Endpoints
from personal_ai.replica.envelope import RequestRefusedError
from personal_ai.replica.read_state import Scope

MAX_BODY_BYTES = 5 << 20
_IDLE_TIMEOUT_S = 120.0
_LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))
_CBOR, _TEXT, _JSON = "application/cbor", "text/plain; charset=utf-8", "application/json"
_API_PATH = re.compile(r"/api/(v[234])/(canister|subnet)/([a-z0-9-]{1,63})/(call|query|read_state)")
_CONTROL_PREFIX = "/_/practice/"
_TOKEN_HEADER = "X-Practice-Token"  # noqa: S105 - a header's name

_log = logging.getLogger(__name__)


class HttpServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1; `port` 0 takes a free one. Raises OSError."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two programs share the port
    request_queue_size = 128

    def __init__(self, port: int, endpoints: Endpoints, control: Control) -> None:
        self.endpoints, self.control = endpoints, control
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Without the look-up of this computer's name that HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            _log.exception("a connection failed")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    server_version = "personal-ai-practice"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_TIMEOUT_S
    wbufsize = -1  # one packet for head and body
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_HEAD(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Nothing: addresses and ids are nobody's business, and the call log says what was done."""

    def _serve(self, action: Callable[[], tuple[int, str, bytes]]) -> None:
        try:
            self._check_host()
            status, kind, body = action()
        except _Refused as refusal:
            status, kind, body = refusal.status, _TEXT, str(refusal).encode()
        except RequestRefusedError as refusal:
            status, kind, body = refusal.http_status, _TEXT, refusal.what.encode()
        except (StorageError, sqlite3.Error) as error:
            status, kind, body = 503, _TEXT, str(error).encode()
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except Exception:
            _log.exception("a request failed")
            status, kind, body = 500, _TEXT, b"the practice network failed: this is a bug"
        self._send(status, kind, body)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _check_host(self) -> None:
        name = re.sub(r":\d+$", "", self.headers.get("Host", "")).lower()
        if name not in _LOOPBACK_NAMES:
            self.close_connection = True
            raise _Refused(403, "this server answers to the names of this computer only")

    def _get(self) -> tuple[int, str, bytes]:
        url = urlsplit(self.path)
        if url.path == "/api/v2/status":
            return _in_cbor(self.server.endpoints.status())
        if url.path.startswith(_CONTROL_PREFIX):
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            return self._control("GET", url.path, query)
        raise _Refused(404, "no such path")

    def _post(self) -> tuple[int, str, bytes]:
        body = self._body()
        path = urlsplit(self.path).path
        if path.startswith(_CONTROL_PREFIX):
            return self._control("POST", path, _parsed_json(body))
        found = _API_PATH.fullmatch(path)
        if found is None:
            raise _Refused(404, "no such path")
        if self.headers.get_content_type() != _CBOR:
            raise _Refused(415, f"the body must be of type {_CBOR}")
        version, scope, text, request = found.groups()
        try:
            target = Principal.from_text(text)
        except FormatError:
            raise _Refused(400, f"{text} is no principal") from None
        return _in_cbor(self._api(version, scope, target, request, body))

    def _api(self, version: str, scope: str, target: Principal, request: str, body: bytes) -> Answer:
        endpoints = self.server.endpoints
        match (scope, request, version):
            case ("canister", "call", _):
                return endpoints.call(body, target, wait=version != "v2")
            case ("canister", "query", "v2" | "v3"):
                return endpoints.query(body, target)
            case ("canister", "read_state", "v2" | "v3"):
                return endpoints.read_state(body, Scope(canister=target))
            case ("subnet", "read_state", "v2" | "v3"):
                return endpoints.read_state(body, Scope(subnet=target))
        raise _Refused(404, "no such path")

    def _body(self) -> bytes:
        """Refusing a body unread ends the connection: what follows on it would be taken for the next request."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not re.fullmatch(r"\d{1,12}", length):
            self.close_connection = True
            raise _Refused(411, "the length of the body must be given")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise _Refused(413, f"a body has at most {MAX_BODY_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise ConnectionError("the body ended too early")
        return body

    def _control(self, method: str, path: str, fields: dict[str, object] | dict[str, str]) -> tuple[int, str, bytes]:
        token = self.headers.get(_TOKEN_HEADER, "")
        if not hmac.compare_digest(token.encode(), self.server.control.token.encode()):
            raise _Refused(403, "control needs the token of this network")
        try:
            answer = self.server.control.run(method, path.removeprefix(_CONTROL_PREFIX), dict(fields))
        except ControlRefusedError as refusal:
            raise _Refused(refusal.http_status, refusal.what) from None
        return 200, _JSON, json.dumps(answer).encode()


def _in_cbor(answer: Answer) -> tuple[int, str, bytes]:
    return answer.status, _CBOR, answer.body


def _parsed_json(body: bytes) -> dict[str, object]:
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _Refused(400, "the body must be a JSON object")
    return fields
