"""Certificates: what the network states, checked down to the root key."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.errors import FormatError, SecurityError
from personal_ai.ic import bls, cbor, hash_tree, leb128
from personal_ai.ic.domains import STATE_ROOT
from personal_ai.ic.hash_tree import Absent, Found, HashTree, Lookup, Path, Unknown
from personal_ai.ic.principal import Principal, self_authenticating

MAX_SIZE_BYTES = 8 << 20
DEFAULT_MAX_AGE_S = 300.0
_NS_PER_S = 1_000_000_000


class CertificateError(SecurityError):
    """A certificate that does not hold. The answer that came with it must not be used."""

    def __init__(self, what: str, *, next_step: str = "Try another gateway; if it happens again, report it.") -> None:
        super().__init__(what, not_lost="The answer was thrown away.", next_step=next_step)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verified statement of one subnet at `time_ns`."""

    tree: HashTree
    time_ns: int
    subnet_id: Principal

    @classmethod
    def verified(
        cls,
        data: bytes,
        root_key_der: bytes,
        *,
        canister_id: Principal | None = None,
        subnet_id: Principal | None = None,
        now_ns: int,
        max_age_s: float = DEFAULT_MAX_AGE_S,
    ) -> Certificate:
        """Checks signature, delegation, who may speak for `canister_id` (or `subnet_id`), and age (to both sides).

        Exactly one of the two ids is given. Raises CertificateError.
        """
        if (canister_id is None) == (subnet_id is None):
            raise TypeError("a certificate is about a canister or a subnet")
        try:
            certificate = _verified(_Parts.parse(data), root_key_der, canister_id)
        except CertificateError:
            raise
        except FormatError as error:
            raise CertificateError(f"The network's certificate is malformed. {error.what}") from error
        if subnet_id is not None and certificate.subnet_id != subnet_id:
            raise CertificateError("The network's certificate is by another subnet than the one asked.")
        _check_age(certificate.time_ns, now_ns, max_age_s)
        return certificate

    def lookup(self, path: Path) -> Lookup:
        """What the certificate says about the value at `path`."""
        return hash_tree.lookup(self.tree, path)

    def children(self, path: Path) -> list[tuple[bytes, HashTree]]:
        """The labels that it shows below `path`, with their trees; empty where there is nothing to see."""
        below = hash_tree.subtree(self.tree, path)
        return hash_tree.children(below) if isinstance(below, tuple) else []

    def value(self, path: Path) -> bytes | None:
        """The value at `path`, None where it is proved absent. Raises CertificateError where it is hidden."""
        match self.lookup(path):
            case Found(value):
                return value
            case Absent():
                return None
            case Unknown():
                raise CertificateError("The network's certificate leaves out what was asked for.")


@dataclass(frozen=True, slots=True)
class _Parts:
    """A certificate as it is on the wire."""

    tree: HashTree
    signature: bytes
    delegation: tuple[Principal, bytes] | None

    @classmethod
    def parse(cls, data: bytes) -> _Parts:
        match cbor.decode(data, MAX_SIZE_BYTES):
            case {"tree": tree, "signature": bytes(signature), **rest} if rest.keys() <= {"delegation"}:
                return cls(hash_tree.parse(tree), signature, _parse_delegation(rest.get("delegation")))
        raise FormatError("Its parts are not those of a certificate.")

    def check_signature(self, key_der: bytes) -> None:
        message = STATE_ROOT + hash_tree.root_hash(self.tree)
        if not bls.verify(bls.public_key_from_der(key_der), message, self.signature):
            raise CertificateError("The signature of the network's certificate does not hold.")


def _parse_delegation(delegation: object) -> tuple[Principal, bytes] | None:
    match delegation:
        case None:
            return None
        case {"subnet_id": bytes(subnet_id), "certificate": bytes(certificate)}:
            return Principal(subnet_id), certificate
    raise FormatError("Its delegation is not one.")


def _verified(parts: _Parts, root_key_der: bytes, canister_id: Principal | None) -> Certificate:
    if parts.delegation is None:
        subnet_id, key_der = self_authenticating(root_key_der), root_key_der
    else:
        subnet_id, key_der = parts.delegation[0], _delegated_key(*parts.delegation, root_key_der, canister_id)
    parts.check_signature(key_der)
    return Certificate(parts.tree, _time_ns(parts.tree), subnet_id)


def _delegated_key(subnet_id: Principal, data: bytes, root_key_der: bytes, canister_id: Principal | None) -> bytes:
    """The key to which the root delegates the subnet, if the subnet may speak for the canister."""
    root = _Parts.parse(data)
    if root.delegation is not None:
        raise CertificateError("The delegation of the network's certificate is delegated again.")
    root.check_signature(root_key_der)
    if canister_id is not None and not _may_speak_for(root.tree, subnet_id, canister_id):
        raise CertificateError("The network's certificate is by a subnet that the canister is not on.")
    match hash_tree.lookup(root.tree, (b"subnet", subnet_id.bytes, b"public_key")):
        case Found(key_der):
            return key_der
    raise CertificateError("The delegation of the network's certificate names no key.")


def _may_speak_for(tree: HashTree, subnet_id: Principal, canister_id: Principal) -> bool:
    """Looks into the ranges of both places: sharded by first canister id, and the older single list."""
    shards = hash_tree.subtree(tree, (b"canister_ranges", subnet_id.bytes))
    if isinstance(shards, tuple):
        before = [shard for label, shard in hash_tree.children(shards) if label <= canister_id.bytes]
        listed = hash_tree.lookup(before[-1], ()) if before else Absent()
    else:
        listed = hash_tree.lookup(tree, (b"subnet", subnet_id.bytes, b"canister_ranges"))
    return isinstance(listed, Found) and any(
        first <= canister_id.bytes <= last for first, last in _parse_ranges(listed.value)
    )


def _parse_ranges(data: bytes) -> list[tuple[bytes, bytes]]:
    ranges: list[tuple[bytes, bytes]] = []
    listed = cbor.decode(data, MAX_SIZE_BYTES)
    for one in listed if isinstance(listed, list) else [None]:
        match one:
            case [bytes(first), bytes(last)]:
                ranges.append((first, last))
            case _:
                raise FormatError("Its canister ranges are malformed.")
    return ranges


def _time_ns(tree: HashTree) -> int:
    match hash_tree.lookup(tree, (b"time",)):
        case Found(value):
            return leb128.read_unsigned(value)
    raise CertificateError("The network's certificate does not say its time.")


def _check_age(time_ns: int, now_ns: int, max_age_s: float) -> None:
    age_s = (now_ns - time_ns) / _NS_PER_S
    if abs(age_s) > max_age_s:
        when = "old" if age_s > 0 else "ahead of this computer's clock"
        raise CertificateError(
            f"The network's certificate is {abs(age_s):.0f} seconds {when}.",
            next_step="Check the time and date of this computer, then try again.",
        )
