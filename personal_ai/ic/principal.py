"""Principals: who somebody is on the Internet Computer, as bytes and as text."""

from __future__ import annotations

import base64
import binascii
import builtins
import hashlib
import zlib
from dataclasses import dataclass

from personal_ai.common.errors import FormatError

MAX_SIZE_BYTES = 29
SUBACCOUNT_SIZE_BYTES = 32
_CHECKSUM_SIZE_BYTES = 4
_MAX_TEXT_LENGTH = 63
_GROUP_LENGTH = 5
_SELF_AUTHENTICATING = b"\x02"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """Up to 29 bytes. `str()` gives the text form; the order is that of the bytes, as in canister ranges."""

    bytes: builtins.bytes

    def __post_init__(self) -> None:
        if not isinstance(self.bytes, builtins.bytes) or len(self.bytes) > MAX_SIZE_BYTES:
            raise FormatError(f"A principal has at most {MAX_SIZE_BYTES} bytes.")

    @classmethod
    def from_text(cls, text: str) -> Principal:
        """Reads the text form and accepts nothing but the one canonical spelling. Raises FormatError."""
        wrong = FormatError("This is not a principal.", next_step="Check it for missing or mistyped characters.")
        if len(text) > _MAX_TEXT_LENGTH or not text.isascii():
            raise wrong
        letters = text.replace("-", "").upper()
        try:
            decoded = base64.b32decode(letters + "=" * (-len(letters) % 8))
        except binascii.Error:
            raise wrong from None
        if not _CHECKSUM_SIZE_BYTES <= len(decoded) <= _CHECKSUM_SIZE_BYTES + MAX_SIZE_BYTES:
            raise wrong
        principal = cls(decoded[_CHECKSUM_SIZE_BYTES:])
        if str(principal) != text:
            raise wrong
        return principal

    def __str__(self) -> str:
        checksum = zlib.crc32(self.bytes).to_bytes(_CHECKSUM_SIZE_BYTES, "big")
        letters = base64.b32encode(checksum + self.bytes).decode("ascii").rstrip("=").lower()
        return "-".join(letters[start : start + _GROUP_LENGTH] for start in range(0, len(letters), _GROUP_LENGTH))

    def __repr__(self) -> str:
        return f"Principal({self})"


MANAGEMENT = Principal(b"")
ANONYMOUS = Principal(b"\x04")


def self_authenticating(public_key_der: bytes) -> Principal:
    """The principal of a public key: SHA-224 of its DER form, then 0x02. Also the id of a subnet from its key."""
    return Principal(hashlib.sha224(public_key_der).digest() + _SELF_AUTHENTICATING)
