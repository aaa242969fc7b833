"""Who signs: anonymous, secp256k1, Ed25519 and delegated identities, and the checks of their signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from personal_ai.common.errors import FormatError, SecurityError
from personal_ai.ic.domains import DELEGATION
from personal_ai.ic.principal import ANONYMOUS, Principal, self_authenticating
from personal_ai.ic.request_id import hash_of_map

SECRET_SIZE_BYTES = 32
MAX_DELEGATIONS = 20
MAX_TARGETS = 1000
_COORDINATE_SIZE_BYTES = 32
_SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MAX_PUBLIC_KEY_SIZE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Delegation:
    """One key lets another sign for it until `expiration_ns` (since 1970), at `targets` only where they are given."""

    public_key_der: bytes
    expiration_ns: int
    targets: tuple[Principal, ...] | None = None
    permissions: str | None = None

    def to_wire(self) -> dict[str, object]:
        """The map as it is sent and hashed."""
        wire: dict[str, object] = {"pubkey": self.public_key_der, "expiration": self.expiration_ns}
        if self.targets is not None:
            wire["targets"] = [target.bytes for target in self.targets]
        if self.permissions is not None:
            wire["permissions"] = self.permissions
        return wire

    @property
    def message(self) -> bytes:
        """What the delegating key signs."""
        return DELEGATION + hash_of_map(self.to_wire())


@dataclass(frozen=True, slots=True)
class SignedDelegation:
    """A delegation with the signature of the key above it."""

    delegation: Delegation
    signature: bytes

    def to_wire(self) -> dict[str, object]:
        return {"delegation": self.delegation.to_wire(), "signature": self.signature}

    @classmethod
    def from_wire(cls, wire: object) -> SignedDelegation:
        """Reads one link of an envelope's sender_delegation. Raises FormatError."""
        match wire:
            case {"delegation": {"pubkey": bytes(key), "expiration": int(expiration), **rest}, "signature": bytes(sig)}:
                return cls(
                    Delegation(key, expiration, _targets(rest.get("targets")), _permissions(rest.get("permissions"))),
                    sig,
                )
        raise FormatError("The delegation is malformed.")


def _targets(targets: object) -> tuple[Principal, ...] | None:
    if targets is None:
        return None
    if not isinstance(targets, list) or len(targets) > MAX_TARGETS or not all(isinstance(t, bytes) for t in targets):
        raise FormatError("The delegation's targets are malformed.")
    return tuple(Principal(target) for target in targets)


def _permissions(permissions: object) -> str | None:
    if permissions is not None and permissions not in ("all", "queries"):
        raise FormatError("The delegation's permissions are malformed.")
    return None if permissions is None else str(permissions)


class Identity(Protocol):
    """Signs requests. `public_key_der` is None for the anonymous identity alone."""

    @property
    def principal(self) -> Principal: ...

    @property
    def public_key_der(self) -> bytes | None: ...

    @property
    def delegations(self) -> tuple[SignedDelegation, ...]: ...

    def sign(self, message: bytes) -> bytes:
        """The signature of `message` (with its domain separator)."""
        ...


class AnonymousIdentity:
    """The sender 2vxsx-fae: no key, no signature."""

    principal = ANONYMOUS
    public_key_der = None
    delegations: tuple[SignedDelegation, ...] = ()

    def sign(self, message: bytes) -> bytes:
        raise TypeError("the anonymous identity signs nothing")

    def __repr__(self) -> str:
        return "AnonymousIdentity()"


class _KeyIdentity:
    """What both kinds of key share."""

    delegations: tuple[SignedDelegation, ...] = ()

    def __init__(self, public_key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> None:
        self.public_key_der = public_key_to_der(public_key)
        self.principal = self_authenticating(self.public_key_der)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.principal})"


class Secp256k1Identity(_KeyIdentity):
    """A secp256k1 key; signatures are r || s (64 bytes) over SHA-256 with the smaller s."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the 32-byte private number. Raises FormatError."""
        number = int.from_bytes(secret, "big")
        if len(secret) != SECRET_SIZE_BYTES or not 0 < number < _SECP256K1_ORDER:
            raise FormatError("This is not a secp256k1 private key.")
        self._key = ec.derive_private_key(number, ec.SECP256K1())
        super().__init__(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        s = min(s, _SECP256K1_ORDER - s)
        return r.to_bytes(_COORDINATE_SIZE_BYTES, "big") + s.to_bytes(_COORDINATE_SIZE_BYTES, "big")


class Ed25519Identity(_KeyIdentity):
    """An Ed25519 key; signatures have 64 bytes."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: the 32-byte private seed. Raises FormatError."""
        if len(secret) != SECRET_SIZE_BYTES:
            raise FormatError("This is not an Ed25519 private key.")
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        super().__init__(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class DelegatedIdentity:
    """Acts for `root_key_der` with the key of `inner`, by a chain of delegations that ends at that key."""

    def __init__(self, inner: Identity, root_key_der: bytes, chain: tuple[SignedDelegation, ...]) -> None:
        """Raises SecurityError where a link is not signed by the one above, or the chain ends at another key."""
        if verify_delegation_chain(root_key_der, chain) != inner.public_key_der or not chain:
            raise SecurityError("The delegation does not end at this key.")
        self._inner = inner
        self.delegations = chain
        self.public_key_der = root_key_der
        self.principal = self_authenticating(root_key_der)

    def sign(self, message: bytes) -> bytes:
        return self._inner.sign(message)

    def __repr__(self) -> str:
        return f"DelegatedIdentity({self.principal})"


def verify_delegation_chain(root_key_der: bytes, chain: tuple[SignedDelegation, ...]) -> bytes:
    """The key (DER) that may sign in the end. Times and targets are the caller's to judge. Raises SecurityError."""
    if len(chain) > MAX_DELEGATIONS:
        raise SecurityError(f"A delegation has at most {MAX_DELEGATIONS} links.")
    key_der = root_key_der
    for link in chain:
        if not verify_signature(key_der, link.delegation.message, link.signature):
            raise SecurityError("A delegation's signature does not hold.")
        key_der = link.delegation.public_key_der
    return key_der


def public_key_to_der(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo, points uncompressed."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def verify_signature(public_key_der: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519, secp256k1 or P-256 key (DER) made `signature` (64 bytes) on `message`.

    Other kinds of key and hostile bytes give False.
    """
    if len(public_key_der) > _MAX_PUBLIC_KEY_SIZE_BYTES or len(signature) != 2 * _COORDINATE_SIZE_BYTES:
        return False
    try:
        key = serialization.load_der_public_key(public_key_der)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256K1 | ec.SECP256R1):
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
