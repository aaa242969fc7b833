"""Answers to queries are signed by the node that gave them; here the signatures are checked."""

from __future__ import annotations

from collections.abc import Mapping

from personal_ai.common.errors import FormatError, SecurityError
from personal_ai.ic.certificate import Certificate
from personal_ai.ic.domains import RESPONSE
from personal_ai.ic.hash_tree import Found, lookup
from personal_ai.ic.identity import verify_signature
from personal_ai.ic.principal import Principal
from personal_ai.ic.request_id import hash_of_map

MAX_AGE_S = 300.0
_MAX_SIGNATURES = 100
_NS_PER_S = 1_000_000_000
_ED25519_DER_PREFIX = bytes.fromhex("302a300506032b6570032100")

NodeKeys = Mapping[bytes, bytes]  # node id to public key (DER)


class QuerySignatureError(SecurityError):
    """No valid signature of a node of the canister's subnet is on the answer."""

    def __init__(self, what: str, *, next_step: str = "Try another gateway; if it happens again, report it.") -> None:
        super().__init__(what, not_lost="The answer was thrown away.", next_step=next_step)


class UnknownNodeError(QuerySignatureError):
    """The answer is signed by a node that is not among the keys known: they may have changed."""


def node_keys_path(subnet_id: Principal) -> tuple[bytes, ...]:
    """Where a subnet's certificate lists its nodes."""
    return (b"subnet", subnet_id.bytes, b"node")


def node_keys(certificate: Certificate) -> NodeKeys:
    """The public keys (DER) of the nodes of the certificate's subnet, by node id."""
    keys = {}
    for label, tree in certificate.children(node_keys_path(certificate.subnet_id)):
        match lookup(tree, (b"public_key",)):
            case Found(key_der):
                keys[label] = key_der
    return keys


def verify(answer: Mapping[str, object], request_id: bytes, keys: NodeKeys, now_ns: int) -> None:
    """Checks every signature on a query's answer (at least one).

    Raises UnknownNodeError, QuerySignatureError.
    """
    signatures = answer.get("signatures")
    if not isinstance(signatures, list) or not 0 < len(signatures) <= _MAX_SIGNATURES:
        raise QuerySignatureError("The answer to the query is not signed.")
    for signature in signatures:
        match signature:
            case {"timestamp": int(timestamp_ns), "signature": bytes(signed), "identity": bytes(node)}:
                _check_age(timestamp_ns, now_ns)
                _check(answer, request_id, timestamp_ns, signed, keys.get(node))
            case _:
                raise QuerySignatureError("The signature on the answer to the query is malformed.")


def _check(
    answer: Mapping[str, object], request_id: bytes, timestamp_ns: int, signature: bytes, key_der: bytes | None
) -> None:
    if key_der is None:
        raise UnknownNodeError("The answer to the query is signed by a node that is not on the canister's subnet.")
    names = ("status", "reply", "reject_code", "reject_message", "error_code")
    signed = {name: answer[name] for name in names if name in answer}
    try:
        message = RESPONSE + hash_of_map(signed | {"timestamp": timestamp_ns, "request_id": request_id})
    except FormatError:
        raise QuerySignatureError("The answer to the query is malformed.") from None
    if not key_der.startswith(_ED25519_DER_PREFIX) or not verify_signature(key_der, message, signature):
        raise QuerySignatureError("The signature on the answer to the query does not hold.")


def _check_age(timestamp_ns: int, now_ns: int) -> None:
    age_s = (now_ns - timestamp_ns) / _NS_PER_S
    if abs(age_s) > MAX_AGE_S:
        raise QuerySignatureError(
            f"The answer to the query was signed {abs(age_s):.0f} seconds {'ago' if age_s > 0 else 'in the future'}.",
            next_step="Check the time and date of this computer, then try again.",
        )
