"""How bytes get to a gateway and back: a seam of one method, so that everything above it tests offline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from personal_ai.common.errors import NetworkError, NetworkTimeoutError, NetworkUnreachableError
from personal_ai.ic.profile import NetworkProfile, is_loopback

MAX_RESPONSE_SIZE_BYTES = 8 << 20
CONNECT_TIMEOUT_S = 10.0
BUSY_STATUSES = frozenset((429, *range(500, 600)))  # may be sent again, here or elsewhere
_MAX_CONNECTIONS = 16
_START_IT = "It runs on this computer: start it (the practice network with: personal-ai network start)."
_HEADERS = {
    "content-type": "application/cbor",
    "accept-encoding": "identity",  # no decompression bombs; and encrypted weights do not compress
    "user-agent": "personal-ai",
}


@dataclass(frozen=True, slots=True)
class Request:
    """POST with a body, GET without. `path` starts with a slash."""

    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What the gateway said; bodies are at most MAX_RESPONSE_SIZE_BYTES long."""

    status: int
    body: bytes


class ConnectionLostError(NetworkUnreachableError):
    """The connection broke after it stood: the request may have arrived. The same bytes may be sent again."""


class GatewayLateError(NetworkTimeoutError):
    """This gateway did not answer in time, and there is another to ask. The same bytes may be sent again."""


class Transport(Protocol):
    """Sends one request. Raises NetworkUnreachableError, NetworkTimeoutError, NetworkError."""

    def send(self, request: Request, timeout_s: float) -> Response: ...

    def close(self) -> None: ...


class HttpxTransport:
    """One gateway through one persistent client. Thread-safe."""

    def __init__(self, gateway: str, proxy: str | None = None, *, network: str | None = None) -> None:
        """`network`: what to call it in errors, the gateway's host if not given.

        `proxy`: like socks5://name:word@127.0.0.1:9050 (another name gives another circuit), never for loopback.
        """
        local = is_loopback(gateway)
        self._network = network or httpx.URL(gateway).host
        self._next_step = _START_IT if local else "Check the connection of this computer."
        self._client = httpx.Client(
            base_url=gateway,
            proxy=None if local else proxy,
            trust_env=not local and proxy is None,
            headers=_HEADERS,
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS),
        )

    def send(self, request: Request, timeout_s: float) -> Response:
        """The whole exchange takes at most about `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        method = "GET" if request.body is None else "POST"
        try:
            with self._client.stream(method, request.path, content=request.body, timeout=timeout) as answer:
                return Response(answer.status_code, self._read(answer, deadline_s))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise NetworkUnreachableError(f"{self._network} cannot be reached.", next_step=self._next_step) from error
        except httpx.TimeoutException as error:
            raise self._too_late() from error
        except httpx.TransportError as error:
            raise ConnectionLostError(f"The connection to {self._network} broke.", next_step="Try again.") from error

    def _read(self, answer: httpx.Response, deadline_s: float) -> bytes:
        pieces: list[bytes] = []
        size_bytes = 0
        for piece in answer.iter_raw():
            size_bytes += len(piece)
            if size_bytes > MAX_RESPONSE_SIZE_BYTES:
                raise NetworkError(
                    f"{self._network} sent an answer that is too long.", next_step="Try another gateway."
                )
            if time.monotonic() > deadline_s:
                raise self._too_late()
            pieces.append(piece)
        return b"".join(pieces)

    def _too_late(self) -> NetworkTimeoutError:
        return NetworkTimeoutError(f"{self._network} did not answer in time.", next_step="Try again.")

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()


class FailoverTransport:
    """Several gateways of one network: keeps to one as long as it answers, and goes to the next when it does not.

    Thread-safe as far as the gateways' transports are: threads may move on together, and none goes without a gateway.
    """

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = tuple(transports)
        self._current = 0

    def send(self, request: Request, timeout_s: float) -> Response:
        """Tries each gateway once where it cannot be reached.

        What may have arrived (a broken connection, a time-out, a busy answer) is for the caller to judge: it is sent
        nowhere unasked, and the next `send` goes to the next gateway.
        """
        first = self._current
        for offset in range(len(self._transports)):
            index = (first + offset) % len(self._transports)
            self._current = (index + 1) % len(self._transports)  # unless this one answers
            try:
                response = self._transports[index].send(request, timeout_s)
            except ConnectionLostError:
                raise
            except NetworkTimeoutError as error:
                raise GatewayLateError(error.what, not_lost=error.not_lost, next_step=error.next_step) from error
            except NetworkUnreachableError:
                if offset + 1 == len(self._transports):
                    raise
                continue
            if response.status not in BUSY_STATUSES:
                self._current = index
            return response
        raise ValueError("a failover transport needs a gateway")

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


def connect(profile: NetworkProfile, proxy: str | None = None) -> Transport:
    """The transport for a profile's gateways."""
    transports = [HttpxTransport(gateway, proxy, network=profile.title) for gateway in profile.gateways]
    return transports[0] if len(transports) == 1 else FailoverTransport(transports)
