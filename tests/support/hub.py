"""A Hugging Face hub on loopback that fails on demand, with a storage on another port, as the public one has.

It serves the model's description, the list of files in pages, and the files: small ones itself, large ones by sending
the client on to the storage. It writes down each request.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

LARGE_FROM_BYTES = 1000
_PAGE_ENTRIES = 4
_PIECE_SIZE_BYTES = 64 << 10
DESCRIPTION, LISTING = "description", "listing"  # what a fault may befall besides a file


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of what should. `at` is a byte of the file, counted from its beginning."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None  # the connection ends there
    hold_at: int | None = None  # nothing more comes until `LoopbackHub.release`
    trickle_s: float | None = None  # a byte each so many seconds
    content: bytes | None = None  # other bytes than the file's, of any length
    body: bytes | None = None  # the whole answer


@dataclass(frozen=True)
class Seen:
    """One request: who was asked for what, from which byte on, with which headers (names in lower case)."""

    server: str
    path: str
    name: str
    start: int
    headers: dict[str, str]


@dataclass
class _Model:
    id: str
    commit: str
    files: dict[str, bytes]
    facts: dict[str, Any]
    listed: dict[str, dict[str, Any]]


class LoopbackHub:
    """Use as a context manager. `faults[name]` are used up one a request; `always[name]` befalls each request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.tokens: dict[str, str] = {}  # of private or gated models, by id
        self.storage_url: Callable[[str], str] = lambda path: f"{self._url(self._storage)}{path}"
        self.ranges = True  # whether a part of a file can be had
        self.holding, self._released = threading.Event(), threading.Event()
        self._models: dict[str, _Model] = {}
        self._servers = [_server(self, name) for name in ("hub", "storage")]
        self._storage = self._servers[1]

    @property
    def endpoint(self) -> str:
        return self._url(self._servers[0])

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, model_id: str, files: Mapping[str, bytes], **facts: Any) -> str:
        """Publishes a commit of a model as its newest; gives the commit. `facts` go into the description."""
        named = json.dumps({name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())})
        commit = hashlib.sha1(named.encode()).hexdigest()
        listed = {name: entry(name, content) for name, content in files.items()}
        known = {"id": model_id, "sha": commit, "gated": False, "private": False} | facts
        self._models[model_id] = _Model(model_id, commit, dict(files), known, listed)
        return commit

    def listed(self, model_id: str) -> dict[str, dict[str, Any]]:
        """The list of files by name, to be bent."""
        return self._models[model_id].listed

    def facts(self, model_id: str) -> dict[str, Any]:
        """The description, to be bent."""
        return self._models[model_id].facts

    def release(self) -> None:
        """Ends the held connections."""
        self._released.set()

    def rearm(self) -> None:
        self.holding.clear()
        self._released.clear()

    def starts(self, name: str) -> list[int]:
        """From which bytes on a file was asked for, at the end of the redirects."""
        server = "storage" if any(seen.server == "storage" and seen.name == name for seen in self.seen) else "hub"
        return [seen.start for seen in self.seen if seen.name == name and seen.server == server]

    @staticmethod
    def _url(server: ThreadingHTTPServer) -> str:
        return f"http://127.0.0.1:{server.server_address[1]}"

    def next_fault(self, name: str) -> Fault:
        waiting = self.faults[name]
        return waiting.popleft() if waiting else self.always.get(name, Fault())

    def hold(self) -> None:
        self.holding.set()
        self._released.wait(60)

    def model(self, model_id: str) -> _Model | None:
        return self._models.get(model_id)


def entry(name: str, content: bytes) -> dict[str, Any]:
    """How the list of files tells of a file."""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    told: dict[str, Any] = {"type": "file", "oid": git, "size": len(content), "path": name}
    if len(content) >= LARGE_FROM_BYTES:
        told["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return told


def _server(hub: LoopbackHub, name: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub, "server_name": name}))
    server.daemon_threads = True
    server.block_on_close = False
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: LoopbackHub
    server_name: str

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client was killed, or has had enough
            super().handle()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._describe(found[1], found[2])
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(.+)", path):
            self._list(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/(?:resolve|stored)/([0-9a-f]+)/(.+)", path):
            self._file(found[1], found[3])
        else:
            self._note("")
            self._say(404)

    def _describe(self, model_id: str, revision: str) -> None:
        fault, model = self._begin(DESCRIPTION), self.hub.model(model_id)
        if fault.status or fault.body is not None:
            self._say(fault.status or 200, fault.headers, fault.body or b"")
        elif model is None:
            self._say(401, {"X-Error-Code": "RepoNotFound"})  # as the public hub does
        elif model.facts["private"] and not self._allowed(model_id):
            self._say(401, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", model.commit):
            self._say(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            self._say(200, {}, json.dumps(model.facts).encode())

    def _list(self, model_id: str) -> None:
        fault, model = self._begin(LISTING), self.hub.model(model_id)
        if fault.status or fault.body is not None or model is None:
            self._say(fault.status or (200 if model else 404), fault.headers, fault.body or b"")
            return
        entries = list(model.listed.values())
        first = int(found[1]) if (found := re.search(r"cursor=(\d+)", self.path)) else 0
        last = first + _PAGE_ENTRIES
        base = f"{self.hub.endpoint}{urlsplit(self.path).path}"
        more = {"Link": f'<{base}?recursive=false&cursor={last}>; rel="next"'} if last < len(entries) else {}
        self._say(200, more, json.dumps(entries[first:last]).encode())

    def _file(self, model_id: str, name: str) -> None:
        model = self.hub.model(model_id)
        stored = self.server_name == "storage"
        content = None if model is None else model.files.get(name)
        large = content is not None and len(content) >= LARGE_FROM_BYTES
        fault = Fault() if large and not stored else self.hub.next_fault(name)
        start = self._note(name)
        if model is None or content is None:
            self._say(404, {"X-Error-Code": "EntryNotFound"})
        elif not stored and (model.facts["gated"] or model.facts["private"]) and not self._allowed(model_id):
            self._say(401, {"X-Error-Code": "GatedRepo"})
        elif large and not stored:
            told = {"X-Repo-Commit": model.commit, "X-Linked-Size": str(len(content))}
            self._say(302, told | {"Location": self.hub.storage_url(self.path.replace("/resolve/", "/stored/"))})
        elif fault.status:
            self._say(fault.status, fault.headers)
        else:
            self._send(content if fault.content is None else fault.content, start, fault)

    def _send(self, content: bytes, asked: int, fault: Fault) -> None:
        start = asked if self.hub.ranges else 0
        if start >= len(content) > 0:
            self._say(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        ends = [end for end in (fault.cut_at, fault.hold_at) if end is not None]
        end = max(start, min([*ends, len(content)]))
        piece_size_bytes = 1 if fault.trickle_s is not None else _PIECE_SIZE_BYTES
        for at in range(start, end, piece_size_bytes):
            self.wfile.write(content[at : min(at + piece_size_bytes, end)])
            if fault.trickle_s is not None:
                threading.Event().wait(fault.trickle_s)
        if fault.hold_at is not None:
            self.hub.hold()
        self.close_connection = self.close_connection or bool(ends)

    def _begin(self, name: str) -> Fault:
        self._note(name)
        return self.hub.next_fault(name)

    def _note(self, name: str) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.hub.seen.append(Seen(self.server_name, self.path, name, start, headers))
        return start

    def _allowed(self, model_id: str) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.tokens.get(model_id)}"

    def _say(self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Set-Cookie", "who=you")
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""
