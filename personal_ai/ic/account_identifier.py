"""Account identifiers: how the ICP ledger names an account, as 32 bytes or as 64 hexadecimal digits."""

from __future__ import annotations

import builtins
import hashlib
import zlib
from dataclasses import dataclass

from personal_ai.common.errors import FormatError
from personal_ai.ic.domains import ACCOUNT_ID
from personal_ai.ic.principal import SUBACCOUNT_SIZE_BYTES, Principal

SIZE_BYTES = 32
_CHECKSUM_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True, order=True)
class AccountIdentifier:
    """CRC-32 (big endian) of h, then h = SHA-224(separator, principal, subaccount). `str()` gives the digits.

    Raises FormatError where the checksum does not hold. Source: the ICP ledger's published interface.
    """

    bytes: builtins.bytes

    def __post_init__(self) -> None:
        digest = self.bytes[_CHECKSUM_SIZE_BYTES:]
        if len(self.bytes) != SIZE_BYTES or self.bytes[:_CHECKSUM_SIZE_BYTES] != _checksum(digest):
            raise FormatError(
                "This is not an account identifier.", next_step="Check it for missing or mistyped characters."
            )

    @classmethod
    def of(cls, owner: Principal, subaccount: builtins.bytes | None = None) -> AccountIdentifier:
        """The account of a principal; no subaccount is the same as one of zeros."""
        subaccount = builtins.bytes(SUBACCOUNT_SIZE_BYTES) if subaccount is None else subaccount
        if len(subaccount) != SUBACCOUNT_SIZE_BYTES:
            raise FormatError(f"A subaccount has {SUBACCOUNT_SIZE_BYTES} bytes.")
        digest = hashlib.sha224(ACCOUNT_ID + owner.bytes + subaccount).digest()
        return cls(_checksum(digest) + digest)

    @classmethod
    def from_text(cls, text: str) -> AccountIdentifier:
        """Reads 64 hexadecimal digits, large or small. Raises FormatError."""
        try:
            return cls(builtins.bytes.fromhex(text if len(text) == 2 * SIZE_BYTES else ""))
        except ValueError:
            return cls(b"")

    def __str__(self) -> str:
        return self.bytes.hex()

    def __repr__(self) -> str:
        return f"AccountIdentifier({self})"


def principal_subaccount(principal: Principal) -> bytes:
    """The subaccount that stands for a principal: its length, its bytes, zeros. Used by the cycles minting canister."""
    return (builtins.bytes([len(principal.bytes)]) + principal.bytes).ljust(SUBACCOUNT_SIZE_BYTES, b"\0")


def _checksum(digest: bytes) -> bytes:
    return zlib.crc32(digest).to_bytes(_CHECKSUM_SIZE_BYTES, "big")
