"""The vault's file: docs/formats/vault.md. Reading and writing bytes, sealing and opening; no keys are made here.

    magic (8) | version (1) | header length (2) | header (CBOR) | nonce (12) | sealed content | SHA-256 of all before

The last hash tells an accident from a wrong password; what protects the content is the seal, which covers the header.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from personal_ai.common.errors import FormatError, IdentityError, UnknownVersionError
from personal_ai.ic import cbor
from personal_ai.identities.errors import VaultDamagedError, WrongPasswordError

MAGIC = b"PAIVAULT"
VERSION = 2
KEY_SIZE_BYTES = 32
MAX_SIZE_BYTES = 1 << 20
_LENGTH_SIZE_BYTES = 2
_NONCE_SIZE_BYTES = 12
_TAG_SIZE_BYTES = 16
_SALT_SIZE_BYTES = 16
_CHECKSUM_SIZE_BYTES = 32
_MAX_ENTRY_LENGTH = 64
_MAX_SCRYPT_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """Work of turning a password into a key: memory 128 n r bytes. The default takes about 0.4 s and 128 MiB."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1

    @property
    def memory_bytes(self) -> int:
        return 128 * self.n * self.r


@dataclass(frozen=True, slots=True)
class PasswordLock:
    """The key comes from a password."""

    salt: bytes
    cost: ScryptCost

    @classmethod
    def fresh(cls, cost: ScryptCost) -> PasswordLock:
        return cls(secrets.token_bytes(_SALT_SIZE_BYTES), cost)

    def key(self, password: str) -> bytes:
        """32 bytes; one password gives one key however the system spells its letters (NFKC)."""
        return hashlib.scrypt(
            unicodedata.normalize("NFKC", password).encode(),
            salt=self.salt,
            n=self.cost.n,
            r=self.cost.r,
            p=self.cost.p,
            maxmem=2 * self.cost.memory_bytes + (1 << 20),
            dklen=KEY_SIZE_BYTES,
        )


@dataclass(frozen=True, slots=True)
class KeyringLock:
    """The key lies in the operating system's keyring under the name `entry`."""

    entry: str


@dataclass(frozen=True, slots=True)
class MemoryLock:
    """The key is in the memory of the program that made it and nowhere else: nothing opens the vault after it."""


Lock = PasswordLock | KeyringLock | MemoryLock


@dataclass(frozen=True, slots=True)
class SealedVault:
    """A vault's file, parsed and not yet opened."""

    version: int
    lock: Lock
    _head: bytes
    _nonce: bytes
    _sealed: bytes

    def open(self, key: bytes) -> bytes:
        """The content. Raises WrongPasswordError."""
        try:
            return ChaCha20Poly1305(key).decrypt(self._nonce, self._sealed, self._head)
        except InvalidTag:
            raise WrongPasswordError(
                "The vault does not open: the password is wrong, or somebody has changed the file.",
                not_lost="The vault is unchanged.",
                next_step="Type the password again; with the recovery phrase a new vault can be made at any time.",
            ) from None


def seal(content: bytes, lock: Lock, key: bytes) -> bytes:
    """The bytes of the file, under a fresh nonce. Raises IdentityError where they would be too many to be read."""
    header = lock_to_bytes(lock)
    head = MAGIC + bytes((VERSION,)) + len(header).to_bytes(_LENGTH_SIZE_BYTES, "big") + header
    nonce = secrets.token_bytes(_NONCE_SIZE_BYTES)
    whole = head + nonce + ChaCha20Poly1305(key).encrypt(nonce, content, head)
    if len(whole) + _CHECKSUM_SIZE_BYTES > MAX_SIZE_BYTES:
        raise IdentityError("The vault is full.", not_lost="It is unchanged.", next_step="Remove what you do not need.")
    return whole + hashlib.sha256(whole).digest()


def parse(data: bytes) -> SealedVault:
    """Reads a file without opening it. Raises VaultDamagedError, UnknownVersionError."""
    fixed = len(MAGIC) + 1 + _LENGTH_SIZE_BYTES
    if len(data) > MAX_SIZE_BYTES or not data.startswith(MAGIC) or len(data) < fixed:
        raise damaged("It is no vault.")
    version = data[len(MAGIC)]
    if not 1 <= version <= VERSION:
        raise UnknownVersionError(
            f"The vault has version {version}; this program knows version {VERSION} and older ones.",
            not_lost="The vault is unchanged.",
            next_step="Use a newer Personal AI.",
        )
    whole, checksum = data[:-_CHECKSUM_SIZE_BYTES], data[-_CHECKSUM_SIZE_BYTES:]
    if hashlib.sha256(whole).digest() != checksum:
        raise damaged("Its checksum is wrong.")
    end = fixed + int.from_bytes(data[fixed - _LENGTH_SIZE_BYTES : fixed], "big")
    nonce, sealed = whole[end : end + _NONCE_SIZE_BYTES], whole[end + _NONCE_SIZE_BYTES :]
    if len(sealed) < _TAG_SIZE_BYTES:
        raise damaged("It is cut short.")
    return SealedVault(version, lock_from_bytes(whole[fixed:end]), whole[:end], nonce, sealed)


def lock_to_bytes(lock: Lock) -> bytes:
    """The header: where the key comes from."""
    if isinstance(lock, KeyringLock):
        fields: dict[str, object] = {"lock": "keyring", "entry": lock.entry}
    elif isinstance(lock, MemoryLock):
        fields = {"lock": "memory"}
    else:
        fields = {"lock": "password", "salt": lock.salt, "n": lock.cost.n, "r": lock.cost.r, "p": lock.cost.p}
    return cbor.encode(fields, self_described=False)


def lock_from_bytes(header: bytes) -> Lock:
    """Reads a header. Raises VaultDamagedError, also for a cost that this computer should not bear."""
    try:
        fields = cbor.decode(header)
    except FormatError:
        fields = None
    match fields:
        case {"lock": "password", "salt": bytes(salt), "n": int(n), "r": int(r), "p": int(p)}:
            cost = ScryptCost(n, r, p)
            if len(salt) == _SALT_SIZE_BYTES and _is_bearable(cost):
                return PasswordLock(salt, cost)
        case {"lock": "keyring", "entry": str(entry)} if 0 < len(entry) <= _MAX_ENTRY_LENGTH:
            return KeyringLock(entry)
        case {"lock": "memory"}:
            return MemoryLock()
    raise damaged("Its header is malformed.")


def _is_bearable(cost: ScryptCost) -> bool:
    """A file from elsewhere must not make this computer work for hours."""
    power_of_two = cost.n > 1 and cost.n & (cost.n - 1) == 0
    return power_of_two and 1 <= cost.p <= 16 and cost.r >= 1 and cost.memory_bytes <= _MAX_SCRYPT_MEMORY_BYTES


def damaged(why: str) -> VaultDamagedError:
    """The error for a file that is not what was written."""
    return VaultDamagedError(
        f"The vault's file is damaged. {why}",
        not_lost="The identities of the recovery phrase can be restored with the phrase.",
        next_step="Put a copy of the file in its place, or make a new vault with your recovery phrase.",
    )
