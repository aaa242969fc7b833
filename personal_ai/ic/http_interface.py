"""The endpoints of the HTTPS interface: which path, the older path where a network lacks it, and safe retries.

Sending a request again is always safe here: the same signed bytes have one request id, and reads change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.errors import FormatError, NetworkError
from personal_ai.common.jobs import Cancel
from personal_ai.ic import cbor
from personal_ai.ic.principal import Principal
from personal_ai.ic.rejections import GatewayRefusedError
from personal_ai.ic.transport import MAX_RESPONSE_SIZE_BYTES, ConnectionLostError, Request, Response, Transport

TIMEOUT_S = 30.0  # the network itself holds a synchronous call for 10 s, and a body of 2 MiB may take a while
RETRIES = 4
FIRST_RETRY_WAIT_S = 0.5
OK, ACCEPTED = 200, 202
_NOT_FOUND, _TOO_MANY_REQUESTS, _SERVER_ERRORS = 404, 429, 500


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

    def post(self, endpoint: Endpoint, effective_id: Principal, envelope: bytes, cancel: Cancel) -> Response:
        """The answer, of status 200 or 202. Raises GatewayRefusedError and what transports raise."""
        if endpoint not in self._older:
            response = self._send(Request(endpoint.current.format(effective_id), envelope), cancel)
            if response.status != _NOT_FOUND:
                return _accepted(response)
        response = _accepted(self._send(Request(endpoint.older.format(effective_id), envelope), cancel))
        self._older.add(endpoint)
        return response

    def status(self, cancel: Cancel) -> dict[str, object]:
        """The fields of the status answer."""
        return fields_of(_accepted(self._send(Request(_STATUS_PATH), cancel)))

    def close(self) -> None:
        self._transport.close()

    def _send(self, request: Request, cancel: Cancel) -> Response:
        """Sends, and sends again while the network is busy; a connection that broke is tried once more."""
        wait_s = FIRST_RETRY_WAIT_S
        for _ in range(RETRIES):
            response = self._send_once(request, cancel)
            if response.status != _TOO_MANY_REQUESTS and response.status < _SERVER_ERRORS:
                return response
            cancel.wait(wait_s)
            wait_s *= 2
        return self._send_once(request, cancel)

    def _send_once(self, request: Request, cancel: Cancel) -> Response:
        cancel.raise_if_cancelled()
        try:
            return self._transport.send(request, TIMEOUT_S)
        except ConnectionLostError:
            return self._transport.send(request, TIMEOUT_S)


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
