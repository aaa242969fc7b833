"""The vault: one recovery phrase, the identities that come from it, imported keys; encrypted whenever it is on disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from personal_ai.common.errors import BadInputError, FormatError, IdentityError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.ic.identity import Identity
from personal_ai.ic.principal import Principal
from personal_ai.identities import keys, pem, vault_file
from personal_ai.identities import phrase as phrases
from personal_ai.identities.errors import VaultDamagedError, VaultExistsError, VaultLockedError, WrongPasswordError
from personal_ai.identities.keys import SecretKey
from personal_ai.identities.vault_content import VAULT_SECRET_SIZE_BYTES, Content, Entry
from personal_ai.identities.vault_file import KeyringLock, Lock, PasswordLock, ScryptCost

__all__ = [
    "IdentityRecord",
    "ScryptCost",
    "Vault",
    "VaultDamagedError",
    "VaultExistsError",
    "VaultLockedError",
    "WrongPasswordError",
]

MAX_LABEL_LENGTH = 100
MAX_IDENTITIES = 5_000
_KEY_SIZE_BYTES = 32
_KEY_PURPOSE = b"personal-ai database key: "


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """What may be shown of an identity. `index` is its number under the phrase, None for an imported key."""

    index: int | None
    label: str
    principal: Principal

    @property
    def kind(self) -> Literal["derived", "imported"]:
        return "imported" if self.index is None else "derived"


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an open vault holds in memory."""

    key: bytes = field(repr=False)
    content: Content
    keys: dict[IdentityRecord, SecretKey]

    @classmethod
    def of(cls, key: bytes, content: Content) -> _Opened:
        seed = phrases.seed(content.phrase)
        found: dict[IdentityRecord, SecretKey] = {}
        for entry in content.entries:
            secret_key = entry.secret_key(seed)
            found[IdentityRecord(entry.index, entry.label, secret_key.identity().principal)] = secret_key
        return cls(key, content, found)


class Vault:
    """An open vault. Thread-safe; after `lock` it gives nothing more. Every change is on disk before it is used."""

    def __init__(self, path: Path, lock: Lock, opened: _Opened) -> None:
        """For `create` and `open` only."""
        self._path = path
        self._lock_kind = lock
        self._opened: _Opened | None = opened
        self._mutex = threading.RLock()

    @classmethod
    def create(cls, path: Path, phrase: str, password: str, *, cost: ScryptCost | None = None) -> Vault:
        """A new vault without identities.

        Raises VaultExistsError, PhraseError, BadInputError for an empty password, StorageError.
        """
        if not password:
            raise BadInputError("A vault needs a password.", next_step="Choose one that nobody guesses.")
        lock = PasswordLock.fresh(cost or ScryptCost())
        return cls._create(path, phrase, lock, lambda: lock.key(password))

    @classmethod
    def create_with_key(cls, path: Path, phrase: str, entry: str, key: bytes) -> Vault:
        """A new vault whose 32-byte key the caller keeps under the name `entry`; raises as `create` does."""
        return cls._create(path, phrase, KeyringLock(entry), lambda: key)

    @classmethod
    def open(cls, path: Path, password: str) -> Vault:
        """Raises WrongPasswordError, VaultDamagedError, UnknownVersionError, IdentityError, StorageError."""
        sealed = vault_file.parse(_read(path))
        if not isinstance(sealed.lock, PasswordLock):
            raise IdentityError("This vault opens with the system's keyring, not with a password.")
        key = sealed.lock.key(password)
        return cls(path, sealed.lock, _Opened.of(key, _content(sealed.open(key))))

    @classmethod
    def open_with_key(cls, path: Path, find_key: Callable[[str], bytes]) -> Vault:
        """`find_key` gives the key kept under an entry's name; raises as `open` does."""
        sealed = vault_file.parse(_read(path))
        if not isinstance(sealed.lock, KeyringLock):
            raise IdentityError("This vault opens with a password, not with the system's keyring.")
        key = find_key(sealed.lock.entry)
        return cls(path, sealed.lock, _Opened.of(key, _content(sealed.open(key))))

    @classmethod
    def _create(cls, path: Path, phrase: str, lock: Lock, make_key: Callable[[], bytes]) -> Vault:
        content = Content(phrases.check(phrase), secrets.token_bytes(VAULT_SECRET_SIZE_BYTES))
        if path.exists():
            raise VaultExistsError(
                "There is a vault here already.",
                not_lost="It is unchanged.",
                next_step="Open it, or move its file away first.",
            )
        opened = _Opened.of(make_key(), content)
        write_atomically(path, vault_file.seal(content.to_bytes(), lock, opened.key), mode=0o600)
        return cls(path, lock, opened)

    @property
    def identities(self) -> tuple[IdentityRecord, ...]:
        """In the order in which they were made."""
        return tuple(self._require().keys)

    def new_identity(self, label: str) -> IdentityRecord:
        """The next identity of the phrase; on chain nothing ties it to the others."""
        with self._mutex:
            self._read_again()
            return self._add(Entry(_checked_label(label), index=self._require().content.next_index))

    def import_pem(self, label: str, content: bytes, password: str | None = None) -> IdentityRecord:
        """Takes in the key of a PEM file; the phrase cannot restore it. Raises KeyImportError, IdentityError."""
        return self._import(label, pem.read(content, password))

    def import_phrase(self, label: str, phrase: str) -> IdentityRecord:
        """Takes in identity 0 of another phrase; this vault's own cannot restore it. Raises PhraseError."""
        return self._import(label, keys.derive(phrases.seed(phrases.check(phrase)), 0))

    def signer(self, of: IdentityRecord | Principal) -> Identity:
        """The identity that signs. Raises IdentityError if the vault has no such one."""
        principal = of if isinstance(of, Principal) else of.principal
        for record, secret_key in self._require().keys.items():
            if record.principal == principal:
                return secret_key.identity()
        raise IdentityError(
            f"The vault has no identity {principal}.", next_step="Restore it with its recovery phrase or key file."
        )

    def database_key(self, purpose: str) -> bytes:
        """32 bytes for encrypting files of this computer, another for each purpose (HKDF-SHA256 of a random secret).

        The phrase alone does not give them back: what they encrypt needs a backup.
        """
        derivation = HKDF(hashes.SHA256(), _KEY_SIZE_BYTES, salt=None, info=_KEY_PURPOSE + purpose.encode())
        return derivation.derive(self._require().content.secret)

    def reveal_phrase(self) -> str:
        """The recovery phrase, to be written down again. Ask for the password before showing it."""
        return self._require().content.phrase

    def lock(self) -> None:
        """Forgets all keys; open the vault anew to go on."""
        with self._mutex:
            self._opened = None

    @property
    def locked(self) -> bool:
        return self._opened is None

    def __repr__(self) -> str:
        return f"Vault({'locked' if self.locked else 'open'})"

    def _require(self) -> _Opened:
        opened = self._opened
        if opened is None:
            raise VaultLockedError("The vault is locked.", next_step="Unlock it, then try again.")
        return opened

    def _import(self, label: str, secret_key: SecretKey) -> IdentityRecord:
        with self._mutex:
            self._read_again()
            principal = secret_key.identity().principal
            if any(record.principal == principal for record in self._require().keys):
                raise IdentityError("This identity is in the vault already.")
            return self._add(Entry(_checked_label(label), imported=secret_key))

    def _read_again(self) -> None:
        """Another process may have added identities since: what is on disk counts."""
        opened = self._require()
        try:
            content = _content(vault_file.parse(_read(self._path)).open(opened.key))
        except WrongPasswordError as error:
            self._opened = None
            raise VaultLockedError("The vault's file is another one now.", next_step="Unlock it again.") from error
        if content != opened.content:
            self._opened = _Opened.of(opened.key, content)

    def _add(self, entry: Entry) -> IdentityRecord:
        opened = self._require()
        if len(opened.content.entries) >= MAX_IDENTITIES:
            raise IdentityError(f"A vault holds at most {MAX_IDENTITIES} identities.")
        content = replace(opened.content, entries=(*opened.content.entries, entry))
        grown = _Opened.of(opened.key, content)
        write_atomically(self._path, vault_file.seal(content.to_bytes(), self._lock_kind, opened.key), mode=0o600)
        self._opened = grown
        return list(grown.keys)[-1]


def opens_with_password(path: Path) -> bool:
    """Whether to ask for a password; otherwise the keyring has the key. Raises as `Vault.open` does."""
    return isinstance(vault_file.parse(_read(path)).lock, PasswordLock)


def _read(path: Path) -> bytes:
    with storage_errors("read the vault"), path.open("rb") as file:
        return file.read(vault_file.MAX_SIZE_BYTES + 1)


def _content(data: bytes) -> Content:
    try:
        return Content.from_bytes(data)
    except FormatError as error:
        raise vault_file.damaged(error.what) from error


def _checked_label(label: str) -> str:
    stripped = label.strip()
    if not 0 < len(stripped) <= MAX_LABEL_LENGTH or not stripped.isprintable():
        raise BadInputError(f"A label has 1 to {MAX_LABEL_LENGTH} printable characters.")
    return stripped
