"""Requests as they arrive: the CBOR envelope, who sent it and whether they may say so.

Source: the interface specification, "HTTPS interface", sections "Authentication" and "Effective canister id".
WebAuthn keys and canister signatures, which only browsers and Internet Identity use, are refused.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar, Literal

from personal_ai.common.errors import BadInputError, FormatError, SecurityError
from personal_ai.ic import cbor
from personal_ai.ic.domains import REQUEST
from personal_ai.ic.identity import MAX_DELEGATIONS, SignedDelegation, verify_delegation_chain, verify_signature
from personal_ai.ic.principal import ANONYMOUS, Principal, self_authenticating
from personal_ai.ic.request_id import request_id

MAX_INGRESS_TTL_NS = (5 * 60 + 30) * 10**9  # five minutes and the drift that the network permits
MAX_NONCE_BYTES = 32
MAX_PATHS = 1000
MAX_LABELS = 127
_MAX_CBOR_DEPTH = 12
_MAX_NAT64 = (1 << 64) - 1

Kind = Literal["call", "query", "read_state"]

_COMMON_FIELDS = frozenset({"request_type", "sender", "ingress_expiry", "nonce"})
_CALL_FIELDS = _COMMON_FIELDS | {"canister_id", "method_name", "arg"}
_READ_STATE_FIELDS = _COMMON_FIELDS | {"paths"}
_ENVELOPE_FIELDS = frozenset({"content", "sender_pubkey", "sender_sig", "sender_delegation"})


class RequestRefusedError(BadInputError):
    """A request that the interface turns away before it means anything; its text goes to the sender."""

    http_status: ClassVar[int] = 400


@dataclass(frozen=True, slots=True)
class Request:
    """What all requests have. `targets`: the canisters that the sender's delegations are good for, None for all."""

    request_id: bytes
    sender: Principal
    ingress_expiry_ns: int
    targets: frozenset[Principal] | None


@dataclass(frozen=True, slots=True)
class Call(Request):
    """A call or a query: `method` of `canister_id` with `arg`. `size_bytes`: what its ingress cost is charged for."""

    canister_id: Principal
    method: str
    arg: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ReadState(Request):
    """The paths of the state tree that the sender wants to see."""

    paths: tuple[tuple[bytes, ...], ...]


def open_call(body: bytes, kind: Literal["call", "query"], now_ns: int | None = None) -> Call:
    """The authenticated call or query in a request body. Raises RequestRefusedError."""
    content, request = _open(body, kind, now_ns)
    canister_id, method, arg = (_field(content, name) for name in ("canister_id", "method_name", "arg"))
    if not (isinstance(canister_id, bytes) and isinstance(method, str) and isinstance(arg, bytes)):
        raise RequestRefusedError("canister_id, method_name or arg is malformed")
    target = _principal(canister_id)
    if request.targets is not None and target not in request.targets:
        raise RequestRefusedError(f"the delegation does not allow requests to canister {target}")
    nonce = content.get("nonce", b"")
    size_bytes = len(method.encode()) + len(arg) + len(nonce if isinstance(nonce, bytes) else b"")
    return Call(
        request.request_id, request.sender, request.ingress_expiry_ns, request.targets, target, method, arg, size_bytes
    )


def open_read_state(body: bytes, now_ns: int | None = None) -> ReadState:
    """The authenticated read_state request in a request body. Raises RequestRefusedError."""
    content, request = _open(body, "read_state", now_ns)
    paths = _field(content, "paths")
    if not isinstance(paths, list) or not all(isinstance(path, list) for path in paths):
        raise RequestRefusedError("paths is malformed")
    if len(paths) > MAX_PATHS or any(len(path) > MAX_LABELS for path in paths):
        raise RequestRefusedError(f"at most {MAX_PATHS} paths of at most {MAX_LABELS} labels may be read at once")
    if not all(isinstance(label, bytes) for path in paths for label in path):
        raise RequestRefusedError("paths has a label that is no blob")
    return ReadState(
        request.request_id, request.sender, request.ingress_expiry_ns, request.targets, tuple(map(tuple, paths))
    )


def _open(body: bytes, kind: Kind, now_ns: int | None) -> tuple[dict[str, object], Request]:
    now_ns = time.time_ns() if now_ns is None else now_ns
    envelope = _decode(body)
    content = _field(envelope, "content")
    if not isinstance(content, dict) or content.get("request_type") != kind:
        raise RequestRefusedError(f"this is no {kind} request")
    known = _READ_STATE_FIELDS if kind == "read_state" else _CALL_FIELDS
    if unknown := sorted(content.keys() - known):
        raise RequestRefusedError(f"unknown field {unknown[0]!r} in the content")
    nonce = content.get("nonce")
    if nonce is not None and not (isinstance(nonce, bytes) and len(nonce) <= MAX_NONCE_BYTES):
        raise RequestRefusedError(f"the nonce must be a blob of at most {MAX_NONCE_BYTES} bytes")
    sender = _field(content, "sender")
    if not isinstance(sender, bytes):
        raise RequestRefusedError("sender is malformed")
    principal, expiry_ns = _principal(sender), _expiry(content)
    if kind == "call" or principal != ANONYMOUS:
        _check_expiry(expiry_ns, now_ns)
    identity = _hash(content)
    return content, Request(identity, principal, expiry_ns, _authenticate(envelope, principal, identity, kind, now_ns))


def _decode(body: bytes) -> dict[str, object]:
    try:
        envelope = cbor.decode(body, max_depth=_MAX_CBOR_DEPTH)
    except FormatError as error:
        raise RequestRefusedError(f"could not parse the body as CBOR: {error.what}") from None
    if not isinstance(envelope, dict) or envelope.keys() - _ENVELOPE_FIELDS:
        raise RequestRefusedError("the body is no request envelope")
    return envelope


def _hash(content: dict[str, object]) -> bytes:
    try:
        return request_id(content)
    except (TypeError, ValueError, FormatError):
        raise RequestRefusedError("the content has a value of a kind that requests do not have") from None


def _field(fields: dict[str, object], name: str) -> object:
    if name not in fields:
        raise RequestRefusedError(f"missing field {name!r}")
    return fields[name]


def _principal(content: bytes) -> Principal:
    try:
        return Principal(content)
    except FormatError as error:
        raise RequestRefusedError(error.what) from None


def _expiry(content: dict[str, object]) -> int:
    expiry_ns = _field(content, "ingress_expiry")
    if not isinstance(expiry_ns, int) or isinstance(expiry_ns, bool) or not 0 <= expiry_ns <= _MAX_NAT64:
        raise RequestRefusedError("ingress_expiry is malformed")
    return expiry_ns


def _check_expiry(expiry_ns: int, now_ns: int) -> None:
    if not now_ns <= expiry_ns <= now_ns + MAX_INGRESS_TTL_NS:
        raise RequestRefusedError(
            f"specified ingress_expiry not within expected range: {expiry_ns} is not between {now_ns} and "
            f"{now_ns + MAX_INGRESS_TTL_NS}"
        )


def _authenticate(
    envelope: dict[str, object], sender: Principal, identity: bytes, kind: Kind, now_ns: int
) -> frozenset[Principal] | None:
    """Checks key, delegations and signature; gives the targets that the delegations leave, None for no limit."""
    key, signature = envelope.get("sender_pubkey"), envelope.get("sender_sig")
    chain = _chain(envelope.get("sender_delegation"))
    if sender == ANONYMOUS:
        if any(envelope.get(name) is not None for name in ("sender_pubkey", "sender_sig", "sender_delegation")):
            raise RequestRefusedError("an anonymous request has no key, no signature and no delegation")
        return None
    if not isinstance(key, bytes) or not isinstance(signature, bytes):
        raise RequestRefusedError("sender_pubkey and sender_sig must be given unless the sender is anonymous")
    if self_authenticating(key) != sender:
        raise RequestRefusedError(f"the public key does not belong to sender {sender}")
    _check_chain(key, chain, kind, now_ns)
    try:
        signer = verify_delegation_chain(key, chain)
    except SecurityError as error:
        raise RequestRefusedError(error.what) from None
    if not verify_signature(signer, REQUEST + identity, signature):
        raise RequestRefusedError("the signature does not hold, or the key is of a kind that is not supported")
    return _targets(chain)


def _chain(wire: object) -> tuple[SignedDelegation, ...]:
    if wire is None:
        return ()
    if not isinstance(wire, list) or len(wire) > MAX_DELEGATIONS:
        raise RequestRefusedError(f"sender_delegation must be a list of at most {MAX_DELEGATIONS} delegations")
    try:
        return tuple(SignedDelegation.from_wire(link) for link in wire)
    except FormatError as error:
        raise RequestRefusedError(error.what) from None


def _check_chain(key: bytes, chain: tuple[SignedDelegation, ...], kind: Kind, now_ns: int) -> None:
    """Each key once, no link expired, and none that allows queries only where a call is made."""
    keys = [key, *(link.delegation.public_key_der for link in chain)]
    if len(set(keys)) != len(keys):
        raise RequestRefusedError("the chain of delegations has a cycle")
    for link in chain:
        if not now_ns <= link.delegation.expiration_ns <= _MAX_NAT64:
            raise RequestRefusedError("a delegation has expired")
        if kind == "call" and link.delegation.permissions == "queries":
            raise RequestRefusedError("a delegation allows queries only")


def _targets(chain: tuple[SignedDelegation, ...]) -> frozenset[Principal] | None:
    limits = [frozenset(link.delegation.targets) for link in chain if link.delegation.targets is not None]
    return frozenset.intersection(*limits) if limits else None
