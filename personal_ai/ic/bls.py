"""BLS12-381 signatures as certificates use them: signature in G1 (48 bytes), public key in G2 (96 bytes)."""

from __future__ import annotations

import hashlib

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from personal_ai.common.errors import FormatError

PUBLIC_KEY_SIZE_BYTES = 96
SIGNATURE_SIZE_BYTES = 48
DER_PREFIX = bytes.fromhex("308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100")
_DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
_GROUP_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_MINUS_G2 = -G2Point()  # the bare constructor gives the generator
_INFINITY = 0x40  # flag bit of the compressed form


def public_key_to_der(public_key: bytes) -> bytes:
    """The 133-byte DER form in which root keys and subnet keys are kept."""
    return DER_PREFIX + public_key


def public_key_from_der(der: bytes) -> bytes:
    """The 96 bytes of a BLS public key. Raises FormatError for any other kind of key."""
    if not der.startswith(DER_PREFIX) or len(der) != len(DER_PREFIX) + PUBLIC_KEY_SIZE_BYTES:
        raise FormatError("This is not a BLS12-381 public key in DER form.")
    return der[len(DER_PREFIX) :]


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (48 bytes) on `message` is by `public_key` (96 bytes). Hostile bytes give False.

    Both points are checked to be in their group; the point at infinity, under which anything verifies, is refused.
    """
    if len(public_key) != PUBLIC_KEY_SIZE_BYTES or len(signature) != SIGNATURE_SIZE_BYTES:
        return False
    if (public_key[0] | signature[0]) & _INFINITY:
        return False
    try:
        signature_point = G1Point.from_compressed_bytes(signature)
        key_point = G2Point.from_compressed_bytes(public_key)
    except ValueError:
        return False
    message_point = G1Point.hash_to_curve(message, _DOMAIN)
    return bool(GT.pairing_check([signature_point, message_point], [_MINUS_G2, key_point]))


class SigningKey:
    """The key that a practice network signs its state with; derived from a seed, never shown."""

    def __init__(self, seed: bytes) -> None:
        number = int.from_bytes(hashlib.sha512(seed).digest(), "big") % (_GROUP_ORDER - 1) + 1
        self._scalar = Scalar.from_be_bytes(number.to_bytes(32, "big"))
        self.public_key = bytes((G2Point() * self._scalar).to_compressed_bytes())

    @property
    def public_key_der(self) -> bytes:
        return public_key_to_der(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """A signature of 48 bytes."""
        return bytes((G1Point.hash_to_curve(message, _DOMAIN) * self._scalar).to_compressed_bytes())

    def __repr__(self) -> str:
        return "SigningKey()"
