"""The endpoints of the HTTPS interface: which path, the older path where a network lacks it, and safe retries.

Sending a request again is always safe here: the same signed bytes have one request id, and reads change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.errors import FormatError, NetworkError
from personal_ai.common.jobs import Cancel, interruptible
from personal_ai.ic import cbor
from personal_ai.ic.principal import Principal
from personal_ai.ic.rejections import GatewayRefusedError
from personal_ai.ic.transport import (
    BUSY_STATUSES,
    MAX_RESPONSE_SIZE_BYTES,
    ConnectionLostError,
    GatewayLateError,
    Request,
    Response,
    Transport,
)

TIMEOUT_S = 30.0  # the network itself holds a synchronous call for 10 s, and a body of 2 MiB may take a while
RETRIES = 4
FIRST_RETRY_WAIT_S = 0.5
OK, ACCEPTED = 200, 202
_NOT_FOUND = 404


class MalformedAnswerError(NetworkError):
    """What came back is no answer of this interface: perhaps not from the network at all."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The gateway sent something that is not an answer of the network. {why}".rstrip(),
            next_step="Check whether this connection asks for a login, or try another gateway.",
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A current path and its older form, each with a place for the id."""

    current: str
    older: str


CALL = Endpoint("/api/v4/canister/{}/call", "/api/v2/canister/{}/call")
QUERY = Endpoint("/api/v3/canister/{}/query", "/api/v2/canister/{}/query")
READ_CANISTER_STATE = Endpoint("/api/v3/canister/{}/read_state", "/api/v2/canister/{}/read_state")
READ_SUBNET_STATE = Endpoint("/api/v3/subnet/{}/read_state", "/api/v2/subnet/{}/read_state")
_STATUS_PATH = "/api/v2/status"


class HttpInterface:
    """Speaks to one network over a transport. Thread-safe as far as the transport is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._older: set[Endpoint] = set()  # those whose current path the network does not have

    def post(self, endpoint: Endpoint, effective_id: Principal, envelope: bytes, cancel: Cancel | None) -> Response:
        """The answer, of status 200 or 202. Raises GatewayRefusedError and what transports raise."""
        if endpoint not in self._older:
            response = self._send(Request(endpoint.current.format(effective_id), envelope), cancel)
            if response.status != _NOT_FOUND:
                return _accepted(response)
        response = _accepted(self._send(Request(endpoint.older.format(effective_id), envelope), cancel))
        self._older.add(endpoint)
        return response

    def status(self, cancel: Cancel | None) -> dict[str, object]:
        """The fields of the status answer."""
        return fields_of(_accepted(self._send(Request(_STATUS_PATH), cancel)))

    def close(self) -> None:
        self._transport.close()

    def _send(self, request: Request, cancel: Cancel | None) -> Response:
        """Sends, and sends again while the network is busy, through the next gateway where there are several."""
        wait_s = FIRST_RETRY_WAIT_S
        for _ in range(RETRIES):
            response = self._send_once(request, cancel)
            if response.status not in BUSY_STATUSES:
                return response
            (cancel or Cancel()).wait(wait_s)
            wait_s *= 2
        return self._send_once(request, cancel)

    def _send_once(self, request: Request, cancel: Cancel | None) -> Response:
        """A connection that broke is tried once more, and another gateway where one is late."""
        try:
            return self._exchange(request, cancel)
        except (ConnectionLostError, GatewayLateError):
            return self._exchange(request, cancel)

    def _exchange(self, request: Request, cancel: Cancel | None) -> Response:
        """Whoever may cancel does not wait for a slow network: the exchange is left to end by itself."""
        if cancel is None:
            return self._transport.send(request, TIMEOUT_S)
        return interruptible(lambda: self._transport.send(request, TIMEOUT_S), cancel)


def fields_of(response: Response) -> dict[str, object]:
    """The CBOR map in a body. Raises MalformedAnswerError."""
    try:
        fields = cbor.decode(response.body, MAX_RESPONSE_SIZE_BYTES)
    except FormatError as error:
        raise MalformedAnswerError(error.what) from error
    if not isinstance(fields, dict):
        raise MalformedAnswerError("")
    return fields


def _accepted(response: Response) -> Response:
    if response.status not in (OK, ACCEPTED):
        raise GatewayRefusedError(response.status, response.body.decode(errors="replace"))
    return response
