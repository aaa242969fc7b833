"""Keys, and their derivation from a seed along m/44'/223'/0'/0/i.

Source: BIP32 and BIP44 (223 is the Internet Computer's number).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from personal_ai.ic.identity import SECRET_SIZE_BYTES, Ed25519Identity, Identity, Secp256k1Identity

Algorithm = Literal["secp256k1", "ed25519"]

_HARDENED = 1 << 31
_ACCOUNT_PATH = (44 + _HARDENED, 223 + _HARDENED, 0 + _HARDENED, 0)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MASTER_SALT = b"Bitcoin seed"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A private key as the vault keeps it: 32 bytes, never shown."""

    algorithm: Algorithm
    secret: bytes = field(repr=False)

    def identity(self) -> Identity:
        """Raises FormatError if the bytes are no key."""
        return Secp256k1Identity(self.secret) if self.algorithm == "secp256k1" else Ed25519Identity(self.secret)


def derive(seed: bytes, index: int) -> SecretKey:
    """The secp256k1 key number `index` (below 2^31) of a seed; number 0 is the one dfx and quill use."""
    if not 0 <= index < _HARDENED:
        raise ValueError("an identity's number is below 2^31")
    digest = hmac.digest(_MASTER_SALT, seed, hashlib.sha512)
    secret, chain_code = int.from_bytes(digest[:32], "big"), digest[32:]
    for step in (*_ACCOUNT_PATH, index):
        secret, chain_code = _child(secret, chain_code, step)
    return SecretKey("secp256k1", secret.to_bytes(SECRET_SIZE_BYTES, "big"))


def _child(secret: int, chain_code: bytes, step: int) -> tuple[int, bytes]:
    """BIP32's private child derivation. (Its invalid cases have a chance of 2^-127 and raise in Secp256k1Identity.)"""
    if step >= _HARDENED:
        parent = b"\x00" + secret.to_bytes(SECRET_SIZE_BYTES, "big")
    else:
        public_key = ec.derive_private_key(secret, ec.SECP256K1()).public_key()
        parent = public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    digest = hmac.digest(chain_code, parent + step.to_bytes(4, "big"), hashlib.sha512)
    return (int.from_bytes(digest[:32], "big") + secret) % _ORDER, digest[32:]
