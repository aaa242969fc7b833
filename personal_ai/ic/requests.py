"""Requests as they are signed and sent, and signed updates as they are kept on disk."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.ic import cbor
from personal_ai.ic.domains import REQUEST
from personal_ai.ic.hash_tree import Path
from personal_ai.ic.identity import Identity
from personal_ai.ic.principal import Principal
from personal_ai.ic.request_id import request_id

INGRESS_LIFETIME_S = 240  # the network takes up to 5 minutes; one is left for clocks that differ
NONCE_SIZE_BYTES = 16
_NS_PER_S = 1_000_000_000
_FORMAT_VERSION = 1
_MAX_ENVELOPE_SIZE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request with its id, ready to be sent."""

    envelope: bytes
    request_id: bytes


@dataclass(frozen=True, slots=True)
class SignedUpdate:
    """A signed update call. Sending it twice carries it out once; after `ingress_expiry_ns` it is refused.

    `effective_id` is where it is sent: the canister itself, or the one that a management call is about.
    """

    envelope: bytes
    request_id: bytes
    ingress_expiry_ns: int
    sender: Principal
    canister_id: Principal
    effective_id: Principal
    method: str

    @classmethod
    def from_envelope(cls, envelope: bytes, effective_id: Principal) -> SignedUpdate:
        """Reads all that there is to know from the signed bytes themselves. Raises FormatError."""
        match cbor.decode(envelope, _MAX_ENVELOPE_SIZE_BYTES):
            case {
                "content": {
                    "request_type": "call",
                    "ingress_expiry": int(expiry),
                    "sender": bytes(sender),
                    "canister_id": bytes(canister_id),
                    "method_name": str(method),
                    "arg": bytes(),
                } as content
            }:
                fields = {str(name): value for name, value in content.items()}
                return cls(
                    envelope,
                    request_id(fields),
                    expiry,
                    Principal(sender),
                    Principal(canister_id),
                    effective_id,
                    method,
                )
        raise FormatError("This is not a signed update call.")

    def to_bytes(self) -> bytes:
        """What a journal keeps; it holds the message and its signature, and no key."""
        return cbor.encode(
            {"version": _FORMAT_VERSION, "effective_id": self.effective_id.bytes, "envelope": self.envelope}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedUpdate:
        """Reads what `to_bytes` wrote. Raises FormatError, UnknownVersionError."""
        match cbor.decode(data, _MAX_ENVELOPE_SIZE_BYTES):
            case {"version": 1, "effective_id": bytes(effective_id), "envelope": bytes(envelope)}:
                return cls.from_envelope(envelope, Principal(effective_id))
            case {"version": int(version)} if version != _FORMAT_VERSION:
                raise UnknownVersionError(f"A signed call was kept in version {version}, which is not known here.")
        raise FormatError("This is not a signed update call that was kept.")


def call_content(canister_id: Principal, method: str, arg: bytes) -> dict[str, object]:
    """The fields of an update call that are its own."""
    return {"request_type": "call", "canister_id": canister_id.bytes, "method_name": method, "arg": arg}


def query_content(canister_id: Principal, method: str, arg: bytes) -> dict[str, object]:
    """The fields of a query that are its own."""
    return call_content(canister_id, method, arg) | {"request_type": "query"}


def read_state_content(paths: Iterable[Path]) -> dict[str, object]:
    """The fields of a read_state that are its own."""
    return {"request_type": "read_state", "paths": [list(path) for path in paths]}


def sign(content: Mapping[str, object], identity: Identity, now_ns: int) -> SignedRequest:
    """Adds sender, expiry and a fresh nonce, and signs; two equal calls never share an id."""
    full = {
        **content,
        "sender": identity.principal.bytes,
        "ingress_expiry": now_ns + INGRESS_LIFETIME_S * _NS_PER_S,
        "nonce": secrets.token_bytes(NONCE_SIZE_BYTES),
    }
    number = request_id(full)
    envelope: dict[str, object] = {"content": full}
    if identity.public_key_der is not None:
        envelope |= {"sender_pubkey": identity.public_key_der, "sender_sig": identity.sign(REQUEST + number)}
        if identity.delegations:
            envelope["sender_delegation"] = [link.to_wire() for link in identity.delegations]
    return SignedRequest(cbor.encode(envelope), number)
