"""Keys: derived from a seed along m/44'/223'/0'/0/i, or taken from the PEM files of dfx and others.

Source of the derivation: BIP32 and BIP44 (223 is the Internet Computer's number).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from personal_ai.common.errors import FormatError
from personal_ai.ic.identity import SECRET_SIZE_BYTES, Ed25519Identity, Identity, Secp256k1Identity
from personal_ai.identities.errors import KeyImportError

Algorithm = Literal["secp256k1", "ed25519"]

_HARDENED = 1 << 31
_ACCOUNT_PATH = (44 + _HARDENED, 223 + _HARDENED, 0 + _HARDENED, 0)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MASTER_SALT = b"Bitcoin seed"
_MAX_PEM_SIZE_BYTES = 16 << 10
_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
# dfx writes Ed25519 keys as PKCS#8 version 2, with the public key behind the secret one; many readers refuse that.
_ED25519_V2_PREFIX = bytes.fromhex("3053020101300506032b657004220420")


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


def from_pem(content: bytes) -> SecretKey:
    """The secp256k1 or Ed25519 key in a PEM file. Raises KeyImportError."""
    block = _PEM_BLOCK.search(content) if len(content) <= _MAX_PEM_SIZE_BYTES else None
    if block is None:
        raise KeyImportError("There is no private key in this file.", next_step="Choose a PEM file.")
    if b"ENCRYPTED" in block.group():
        raise KeyImportError("The key in this file is encrypted.", next_step="Export it without a password first.")
    try:
        return _load(block.group())
    except (ValueError, TypeError, UnsupportedAlgorithm, FormatError):  # never with the key's text in it
        raise KeyImportError("The private key in this file cannot be read.") from None


def _load(pem: bytes) -> SecretKey:
    body = _pem_body(pem)
    if body.startswith(_ED25519_V2_PREFIX):
        start = len(_ED25519_V2_PREFIX)
        secret = body[start : start + SECRET_SIZE_BYTES]
        if Ed25519Identity(secret).public_key_der[-SECRET_SIZE_BYTES:] != body[-SECRET_SIZE_BYTES:]:
            raise ValueError("the public key is another one's")
        return SecretKey("ed25519", secret)
    key = serialization.load_pem_private_key(pem, password=None)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return SecretKey("ed25519", key.private_bytes_raw())
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256K1):
        number = key.private_numbers().private_value
        return SecretKey("secp256k1", number.to_bytes(SECRET_SIZE_BYTES, "big"))
    raise KeyImportError("This kind of key is not known here.", next_step="Choose a secp256k1 or an Ed25519 key.")


def _pem_body(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(line for line in pem.splitlines() if not line.startswith(b"-")))
