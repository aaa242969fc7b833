"""The agent: queries, updates and certified reads on one network as one identity.

Everything that comes back is checked: certificates down to the root key, answers to queries against the signatures
of the subnet's nodes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from personal_ai.common.errors import FormatError, NetworkError, NetworkTimeoutError, RejectedError, SecurityError
from personal_ai.common.jobs import Cancel
from personal_ai.ic import bls, http_interface, query_signatures, requests
from personal_ai.ic.certificate import Certificate, CertificateError
from personal_ai.ic.hash_tree import Found, Path
from personal_ai.ic.http_interface import Endpoint, HttpInterface, MalformedAnswerError
from personal_ai.ic.identity import Identity
from personal_ai.ic.leb128 import read_unsigned
from personal_ai.ic.principal import Principal, self_authenticating
from personal_ai.ic.profile import NetworkProfile
from personal_ai.ic.query_signatures import NodeKeys, UnknownNodeError
from personal_ai.ic.rejections import rejection
from personal_ai.ic.requests import SignedRequest, SignedUpdate
from personal_ai.ic.transport import Response, Transport, connect

__all__ = ["Agent", "NetworkStatus", "SignedUpdate", "UnknownOutcomeError"]

UPDATE_TIMEOUT_S = 300.0
_FIRST_POLL_S = 0.1
_LAST_POLL_S = 2.0
_POLL_GROWTH = 1.5
_NODE_KEYS_LIFETIME_S = 3600.0


class UnknownOutcomeError(NetworkError):
    """The network no longer tells what became of a message: look at what it should have changed."""


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """What a gateway says of its network, unproven. `root_key_der` only on development networks."""

    health: str | None
    version: str | None
    root_key_der: bytes | None


class Agent:
    """One identity on one network, with connections of its own. Thread-safe."""

    def __init__(
        self,
        profile: NetworkProfile,
        identity: Identity,
        transport: Transport | None = None,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.profile = profile
        self.identity = identity
        self._http = HttpInterface(transport or connect(profile))
        self.clock_ns = clock_ns
        self._lock = threading.Lock()
        self._root_key_der = profile.root_key_der
        self._subnets: dict[Principal, Principal] = {}  # by canister
        self._node_keys: dict[Principal, tuple[float, NodeKeys]] = {}  # by subnet, with the time they were read

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"Agent({self.profile.name}, {self.identity.principal})"

    def query(self, canister_id: Principal, method: str, arg: bytes, *, effective_id: Principal | None = None) -> bytes:
        """The answer of one node, its signature checked. Raises RejectedError, NetworkError, SecurityError."""
        effective_id = effective_id or canister_id
        signed = self._sign(requests.query_content(canister_id, method, arg))
        answer = http_interface.fields_of(self._post(http_interface.QUERY, effective_id, signed))
        self._check_query_signature(effective_id, answer, signed)
        match answer:
            case {"status": "replied", "reply": {"arg": bytes(reply)}}:
                return reply
            case {"status": "rejected"}:
                raise _uncertified_rejection(answer)
        raise MalformedAnswerError("It neither replies nor rejects.")

    def update(
        self,
        canister_id: Principal,
        method: str,
        arg: bytes,
        *,
        effective_id: Principal | None = None,
        cancel: Cancel | None = None,
        timeout_s: float = UPDATE_TIMEOUT_S,
    ) -> bytes:
        """Carries out a call and gives its certified answer; see `submit` for what it raises."""
        signed = self.sign_update(canister_id, method, arg, effective_id=effective_id)
        return self.submit(signed, cancel=cancel, timeout_s=timeout_s)

    def sign_update(
        self, canister_id: Principal, method: str, arg: bytes, effective_id: Principal | None = None
    ) -> SignedUpdate:
        """A signed call that can be kept on disk before it is sent. `effective_id`: for management calls."""
        signed = self._sign(requests.call_content(canister_id, method, arg))
        return SignedUpdate.from_envelope(signed.envelope, effective_id or canister_id)

    def submit(
        self, signed: SignedUpdate, *, cancel: Cancel | None = None, timeout_s: float = UPDATE_TIMEOUT_S
    ) -> bytes:
        """Sends a signed call and waits for its certified answer; sent again, it is not carried out again.

        Raises RejectedError (and its kinds), GatewayRefusedError, NetworkUnreachableError, NetworkTimeoutError,
        UnknownOutcomeError, SecurityError, Cancelled. After a time-out or a cancel the call may still be carried out.
        """
        deadline_s = time.monotonic() + timeout_s
        response = self._http.post(http_interface.CALL, signed.effective_id, signed.envelope, cancel)
        reply = None
        if response.status == http_interface.OK:
            answer = http_interface.fields_of(response)
            match answer:
                case {"status": "replied", "certificate": bytes(certificate)}:
                    reply = _outcome(self._verified(certificate, canister_id=signed.effective_id), signed)
                case {"reject_code": _}:
                    raise _uncertified_rejection(answer)
                case _:
                    raise MalformedAnswerError("It neither replies nor rejects.")
        return self._poll(signed, cancel, deadline_s) if reply is None else reply

    def wait_for(
        self, signed: SignedUpdate, *, cancel: Cancel | None = None, timeout_s: float = UPDATE_TIMEOUT_S
    ) -> bytes:
        """The certified answer of a call that was sent before, perhaps by an earlier run; sends nothing again.

        Raises as `submit` does.
        """
        return self._poll(signed, cancel, time.monotonic() + timeout_s)

    def read_state(self, effective_id: Principal, paths: Iterable[Path]) -> Certificate:
        """A verified certificate that shows `paths` of the canister's subnet. Raises NetworkError, SecurityError."""
        return self._read_canister_state(effective_id, paths, None)

    def module_hash(self, canister_id: Principal) -> bytes | None:
        """The certified SHA-256 of the canister's program, None where it has none."""
        path = (b"canister", canister_id.bytes, b"module_hash")
        return self.read_state(canister_id, [path]).value(path)

    def verified(self, certificate: bytes, canister_id: Principal) -> Certificate:
        """A certificate that came inside an answer, checked as all others are. Raises SecurityError."""
        return self._verified(certificate, canister_id=canister_id)

    def status(self) -> NetworkStatus:
        """Asks whether the network is there. Raises NetworkError."""
        fields = self._http.status(None)
        health, version, key = (fields.get(name) for name in ("replica_health_status", "impl_version", "root_key"))
        return NetworkStatus(
            health if isinstance(health, str) else None,
            version if isinstance(version, str) else None,
            key if isinstance(key, bytes) else None,
        )

    def prove_network(self) -> NetworkStatus:
        """Has the network certify the time by the key that it is held to. Raises NetworkError, SecurityError."""
        status = self.status()
        self._read_subnet_state(self_authenticating(self._root_key()), [(b"time",)])
        return status

    def _sign(self, content: Mapping[str, object]) -> SignedRequest:
        return requests.sign(content, self.identity, self.clock_ns())

    def _post(
        self, endpoint: Endpoint, effective_id: Principal, signed: SignedRequest, cancel: Cancel | None = None
    ) -> Response:
        return self._http.post(endpoint, effective_id, signed.envelope, cancel)

    def _poll(self, signed: SignedUpdate, cancel: Cancel | None, deadline_s: float) -> bytes:
        if signed.sender != self.identity.principal:
            raise ValueError("the network tells the answer of a call to its sender only")
        wait_s = _FIRST_POLL_S
        while True:
            certificate = self._read_canister_state(
                signed.effective_id, [(b"request_status", signed.request_id)], cancel
            )
            reply = _outcome(certificate, signed)
            if reply is not None:
                return reply
            if time.monotonic() + wait_s > deadline_s:
                raise NetworkTimeoutError(
                    f"The network did not finish {signed.method!r} in time.",
                    not_lost="It may still be carried out.",
                    next_step="Ask for its answer again; it is not carried out twice.",
                )
            (cancel or Cancel()).wait(wait_s)
            wait_s = min(wait_s * _POLL_GROWTH, _LAST_POLL_S)

    def _read_canister_state(
        self, effective_id: Principal, paths: Iterable[Path], cancel: Cancel | None
    ) -> Certificate:
        signed = self._sign(requests.read_state_content(paths))
        response = self._post(http_interface.READ_CANISTER_STATE, effective_id, signed, cancel)
        return self._verified(_certificate_in(response), canister_id=effective_id)

    def _read_subnet_state(self, subnet_id: Principal, paths: Iterable[Path]) -> Certificate:
        signed = self._sign(requests.read_state_content(paths))
        response = self._post(http_interface.READ_SUBNET_STATE, subnet_id, signed)
        return self._verified(_certificate_in(response), subnet_id=subnet_id)

    def _verified(
        self, data: bytes, *, canister_id: Principal | None = None, subnet_id: Principal | None = None
    ) -> Certificate:
        root_key_der = self._root_key()
        now_ns = self.clock_ns()
        return Certificate.verified(data, root_key_der, canister_id=canister_id, subnet_id=subnet_id, now_ns=now_ns)

    def _root_key(self) -> bytes:
        """The pinned key; on this computer alone, the key that the network names itself."""
        if self._root_key_der is not None:
            return self._root_key_der
        if not self.profile.is_loopback:
            raise SecurityError("A root key is never asked for from another computer.")
        key_der = self.status().root_key_der
        if key_der is None:
            raise MalformedAnswerError("It names no root key.")
        try:
            bls.public_key_from_der(key_der)
        except FormatError as error:
            raise MalformedAnswerError(error.what) from error
        self._root_key_der = key_der
        return key_der

    def _check_query_signature(
        self, effective_id: Principal, answer: Mapping[str, object], signed: SignedRequest
    ) -> None:
        """Where the signing node is not known, asks once more for the subnet's nodes: they come and go."""
        try:
            query_signatures.verify(answer, signed.request_id, self._keys_of_nodes(effective_id), self.clock_ns())
        except UnknownNodeError:
            keys = self._read_keys_of_nodes(effective_id)
            query_signatures.verify(answer, signed.request_id, keys, self.clock_ns())

    def _keys_of_nodes(self, canister_id: Principal) -> NodeKeys:
        with self._lock:
            subnet_id = self._subnets.get(canister_id)
            kept = self._node_keys.get(subnet_id) if subnet_id is not None else None
        if kept is not None and time.monotonic() - kept[0] < _NODE_KEYS_LIFETIME_S:
            return kept[1]
        return self._read_keys_of_nodes(canister_id)

    def _read_keys_of_nodes(self, canister_id: Principal) -> NodeKeys:
        """First which subnet the canister is on, as its certificates say, then that subnet's nodes."""
        subnet_id = self.read_state(canister_id, [(b"time",)]).subnet_id
        certificate = self._read_subnet_state(subnet_id, [query_signatures.node_keys_path(subnet_id)])
        keys = query_signatures.node_keys(certificate)
        with self._lock:
            self._subnets[canister_id] = subnet_id
            self._node_keys[subnet_id] = (time.monotonic(), keys)
        return keys


def _certificate_in(response: Response) -> bytes:
    match http_interface.fields_of(response):
        case {"certificate": bytes(certificate)}:
            return certificate
    raise MalformedAnswerError("It has no certificate.")


def _outcome(certificate: Certificate, signed: SignedUpdate) -> bytes | None:
    """The reply to a call, None while there is none. Raises what it was rejected with, and UnknownOutcomeError."""
    path = (b"request_status", signed.request_id)
    found = certificate.lookup((*path, b"status"))
    status = found.value if isinstance(found, Found) else None
    if status == b"replied":
        return _present(certificate, (*path, b"reply"))
    if status == b"rejected":
        raise _certified_rejection(certificate, path)
    if status == b"done":
        raise UnknownOutcomeError(
            f"{signed.method!r} was carried out, but the network has forgotten its answer.",
            next_step="Look at what it changed.",
        )
    if status is None and certificate.time_ns > signed.ingress_expiry_ns:
        raise UnknownOutcomeError(
            f"{signed.method!r} has expired, and the network does not tell what became of it.",
            next_step="Look whether it was carried out before you try again.",
        )
    return None


def _certified_rejection(certificate: Certificate, path: tuple[bytes, ...]) -> RejectedError:
    message = _present(certificate, (*path, b"reject_message")).decode(errors="replace")
    code = certificate.lookup((*path, b"error_code"))
    error_code = code.value.decode(errors="replace") if isinstance(code, Found) else None
    try:
        return rejection(read_unsigned(_present(certificate, (*path, b"reject_code"))), message, error_code)
    except FormatError as error:
        raise CertificateError("The network's certificate has a reject code that is malformed.") from error


def _present(certificate: Certificate, path: tuple[bytes, ...]) -> bytes:
    value = certificate.value(path)
    if value is None:
        raise CertificateError("The network's certificate contradicts itself: an outcome without its parts.")
    return value


def _uncertified_rejection(answer: Mapping[str, object]) -> RejectedError:
    match answer:
        case {"reject_code": int(code), "reject_message": str(message)}:
            error_code = answer.get("error_code")
            return rejection(code, message, error_code if isinstance(error_code, str) else None)
    raise MalformedAnswerError("Its rejection is malformed.")
