"""The vault: one recovery phrase, the identities that come from it, imported keys; encrypted whenever it is on disk."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from personal_ai.common.errors import BadInputError, FormatError, IdentityError
from personal_ai.common.files import write_atomically
from personal_ai.ic.identity import Identity
from personal_ai.ic.principal import Principal
from personal_ai.identities import keys, pem, vault_file, vault_storage
from personal_ai.identities import phrase as phrases
from personal_ai.identities.errors import VaultDamagedError, VaultExistsError, VaultLockedError, WrongPasswordError
from personal_ai.identities.vault_content import VAULT_SECRET_SIZE_BYTES, Content, Entry
from personal_ai.identities.vault_file import KeyringLock, Lock, MemoryLock, PasswordLock, ScryptCost, SealedVault
from personal_ai.identities.vault_identities import IdentityRecord, Opened, refuse_unless_restorable
from personal_ai.identities.vault_notes import Notes, checked_name

__all__ = [
    "IdentityRecord",
    "ScryptCost",
    "Vault",
    "VaultDamagedError",
    "VaultExistsError",
    "VaultLockedError",
    "WrongPasswordError",
]

MAX_IDENTITIES = 3_000
_KEY_SIZE_BYTES = 32
_KEY_PURPOSE = b"personal-ai database key: "


class Vault:
    """An open vault. Thread-safe; after `lock` it gives nothing more. Every change is on disk before it is used."""

    def __init__(self, path: Path, lock: Lock, opened: Opened) -> None:
        """For `create` and `open` only."""
        self._path = path
        self._lock_kind = lock
        self._opened: Opened | None = opened
        self._mutex = threading.RLock()

    @classmethod
    def create(cls, path: Path, phrase: str, password: str, *, cost: ScryptCost | None = None) -> Vault:
        """A new vault without identities.

        Raises VaultExistsError, PhraseError, BadInputError for an empty password, StorageError.
        """
        return cls.restore(path, _fresh(phrase), password, cost=cost)

    @classmethod
    def restore(cls, path: Path, content: Content, password: str, *, cost: ScryptCost | None = None) -> Vault:
        """A new vault with the content of an old one; raises as `create` does."""
        lock = PasswordLock.fresh(cost or ScryptCost())
        return cls._create(path, content, lock, lambda: lock.key(_checked_password(password)))

    @classmethod
    def create_with_key(cls, path: Path, phrase: str, entry: str, key: bytes) -> Vault:
        """A new vault whose 32-byte key the caller keeps under the name `entry`; raises as `create` does."""
        return cls._create(path, _fresh(phrase), KeyringLock(entry), lambda: key)

    @classmethod
    def create_for_trial(cls, path: Path, phrase: str) -> Vault:
        """A new vault that nothing opens once this one is locked, until it is given a lock; raises as `create` does."""
        return cls._create(path, _fresh(phrase), MemoryLock(), lambda: secrets.token_bytes(_KEY_SIZE_BYTES))

    @classmethod
    def open(cls, path: Path, password: str) -> Vault:
        """Raises WrongPasswordError, VaultDamagedError, UnknownVersionError, IdentityError, StorageError."""
        sealed = vault_file.parse(vault_storage.read(path))
        key = _key_by_password(sealed, password)
        return cls(path, sealed.lock, Opened.of(key, _content(sealed, key)))

    @classmethod
    def open_with_key(cls, path: Path, find_key: Callable[[str], bytes]) -> Vault:
        """`find_key` gives the key kept under an entry's name; raises as `open` does."""
        sealed = vault_file.parse(vault_storage.read(path))
        if not isinstance(sealed.lock, KeyringLock):
            raise _opens_otherwise(sealed.lock)
        key = find_key(sealed.lock.entry)
        return cls(path, sealed.lock, Opened.of(key, _content(sealed, key)))

    @classmethod
    def _create(cls, path: Path, content: Content, lock: Lock, make_key: Callable[[], bytes]) -> Vault:
        if path.exists():
            raise VaultExistsError(
                "There is a vault here already.",
                not_lost="It is unchanged.",
                next_step="Open it, or move its file away first.",
            )
        opened = Opened.of(make_key(), content)
        write_atomically(path, vault_file.seal(content.to_bytes(), lock, opened.key), mode=0o600)
        return cls(path, lock, opened)

    # Identities

    @property
    def identities(self) -> tuple[IdentityRecord, ...]:
        """In the order in which they were made."""
        return tuple(self._require().keys)

    def new_identity(self, label: str) -> IdentityRecord:
        """The next identity of the phrase; on chain nothing ties it to the others."""
        return self._add(lambda content: Entry(checked_name(label), index=content.next_index))

    def restore_identity(self, label: str, index: int) -> IdentityRecord:
        """An identity of the phrase by its number, as on the computer before. Raises IdentityError, ValueError."""
        return self._add(lambda _: Entry(checked_name(label), index=index))

    def derived_principal(self, index: int) -> Principal:
        """The principal that an identity of the phrase has, whether it is in the vault or not. Raises ValueError."""
        return keys.derive(phrases.seed(self.reveal_phrase()), index).identity().principal

    def import_pem(self, label: str, content: bytes, password: str | None = None) -> IdentityRecord:
        """Takes in the key of a PEM file; the phrase cannot restore it. Raises KeyImportError, IdentityError."""
        key = pem.read(content, password)
        return self._add(lambda _: Entry(checked_name(label), imported=key))

    def import_phrase(self, label: str, phrase: str, index: int = 0) -> IdentityRecord:
        """Takes in an identity of another phrase; this vault's own cannot restore it. Raises PhraseError, ValueError.

        index: the last step of m/44'/223'/0'/0/index; dfx and quill use 0.
        """
        key = keys.derive(phrases.seed(phrases.check(phrase)), index)
        return self._add(lambda _: Entry(checked_name(label), imported=key))

    def export_pem(self, principal: Principal, password: str | None = None) -> bytes:
        """The key as a file. Whoever has it (and its password) has the identity. Raises IdentityError."""
        opened = self._require()
        return pem.write(opened.keys[opened.find(principal)[1]], password)

    def confirm_export(self, principal: Principal, content: bytes, password: str | None = None) -> None:
        """Notes that a key file was read back and holds this identity. Raises KeyImportError, IdentityError."""
        if pem.read(content, password).identity().principal != principal:
            raise IdentityError("The file holds the key of another identity.", not_lost="The vault is unchanged.")
        self._change_entry(principal, lambda entry, _: replace(entry, exported=entry.index is None))

    def rename(self, principal: Principal, label: str) -> IdentityRecord:
        """Raises IdentityError, BadInputError."""
        self._change_entry(principal, lambda entry, _: replace(entry, label=checked_name(label)))
        return self._require().find(principal)[1]

    def remove(self, principal: Principal) -> None:
        """Forgets an identity that can be restored without this vault. Raises IdentityError where it could not."""
        self._change_entry(principal, lambda _, record: refuse_unless_restorable(record))

    def signer(self, of: IdentityRecord | Principal) -> Identity:
        """The identity that signs. Raises IdentityError if the vault has no such one."""
        opened = self._require()
        _, record = opened.find(of if isinstance(of, Principal) else of.principal)
        return opened.keys[record].identity()

    # The phrase, the notes, and everything

    def reveal_phrase(self) -> str:
        """The recovery phrase, to be written down again. Ask for the password before showing it."""
        return self._require().content.phrase

    @property
    def phrase_confirmed(self) -> bool:
        """Whether the user has shown that the phrase is written down."""
        return self._require().content.phrase_confirmed

    def places_to_verify(self) -> tuple[int, ...]:
        """Random places of the phrase whose words `confirm_phrase` is to be given."""
        return phrases.places_to_verify(self.reveal_phrase())

    def confirm_phrase(self, typed: Mapping[int, str]) -> None:
        """Takes words typed again, by place, as proof that the phrase is written down. Raises PhraseError."""
        phrases.verify_words(self.reveal_phrase(), typed)
        self._change(lambda content: replace(content, phrase_confirmed=True))

    @property
    def notes(self) -> Notes:
        """Contacts, watched principals and settings."""
        return self._require().content.notes

    def change_notes(self, change: Callable[[Notes], Notes]) -> None:
        """Raises what `change` raises, StorageError."""
        self._change(lambda content: replace(content, notes=change(content.notes)))

    def database_key(self, purpose: str) -> bytes:
        """32 bytes for encrypting files of this computer, another for each purpose (HKDF-SHA256 of a random secret).

        The phrase alone does not give them back: what they encrypt needs a backup.
        """
        derivation = HKDF(hashes.SHA256(), _KEY_SIZE_BYTES, salt=None, info=_KEY_PURPOSE + purpose.encode())
        return derivation.derive(self._require().content.secret)

    def content(self) -> Content:
        """Everything, in clear: for the encrypted backup alone."""
        return self._require().content

    def merge(self, other: Content) -> None:
        """Takes in what a backup's vault has and this one has not. Raises IdentityError."""
        self._change(lambda content: content.merged(other))

    def confirm_backup(self) -> None:
        """Notes that a backup with every imported key was written and read back."""
        self._change(Content.with_keys_exported)

    # Locks

    @property
    def keyring_entry(self) -> str | None:
        """The name under which the keyring keeps the vault's key; None where a password opens it."""
        return self._lock_kind.entry if isinstance(self._lock_kind, KeyringLock) else None

    @property
    def on_trial(self) -> bool:
        """Whether locking it would be its end."""
        return isinstance(self._lock_kind, MemoryLock)

    def check_password(self, password: str) -> None:
        """Before something that only the vault's owner may do. Raises WrongPasswordError, IdentityError."""
        sealed = vault_file.parse(vault_storage.read(self._path))
        _content(sealed, _key_by_password(sealed, password))

    def lock_with_password(self, password: str, *, cost: ScryptCost | None = None) -> None:
        """From now on this password alone opens the vault: its older files go. Raises BadInputError, StorageError."""
        lock = PasswordLock.fresh(cost or ScryptCost())
        self._lock_with(lock, lock.key(_checked_password(password)))

    def lock_with_key(self, entry: str, key: bytes) -> None:
        """From now on the 32-byte `key` alone, kept by the caller under the name `entry`, opens the vault."""
        self._lock_with(KeyringLock(entry), key)

    def _lock_with(self, lock: Lock, key: bytes) -> None:
        with self._changing() as opened:
            vault_storage.replace_for_good(self._path, vault_file.seal(opened.content.to_bytes(), lock, key))
            self._lock_kind, self._opened = lock, replace(opened, key=key)

    def lock(self) -> None:
        """Forgets all keys; open the vault anew to go on."""
        with self._mutex:
            self._opened = None

    @property
    def locked(self) -> bool:
        return self._opened is None

    def __repr__(self) -> str:
        return f"Vault({'locked' if self.locked else 'open'})"

    # Changes

    def _require(self) -> Opened:
        opened = self._opened
        if opened is None:
            raise VaultLockedError("The vault is locked.", next_step="Unlock it, then try again.")
        return opened

    @contextmanager
    def _changing(self) -> Iterator[Opened]:
        """Nobody else changes the vault meanwhile; what others changed before is read first."""
        with self._mutex:
            opened = self._require()
            with vault_storage.exclusively(self._path):
                try:
                    content = _content(vault_file.parse(vault_storage.read(self._path)), opened.key)
                except WrongPasswordError as error:
                    self._opened = None
                    raise VaultLockedError(
                        "The vault's file is another one now.", next_step="Unlock it again."
                    ) from error
                if content != opened.content:
                    self._opened = opened = Opened.of(opened.key, content)
                yield opened

    def _change(self, change: Callable[[Content], Content]) -> Opened:
        with self._changing() as opened:
            content = change(opened.content)
            changed = Opened.of(opened.key, content)
            if len(changed.keys) > MAX_IDENTITIES:
                raise IdentityError(f"A vault holds at most {MAX_IDENTITIES} identities.")
            vault_storage.replace(self._path, vault_file.seal(content.to_bytes(), self._lock_kind, opened.key))
            self._opened = changed
            return changed

    def _change_entry(self, principal: Principal, change: Callable[[Entry, IdentityRecord], Entry | None]) -> None:
        def changed(content: Content) -> Content:
            entry, record = self._require().find(principal)
            return content.with_changed(entry, change(entry, record))

        self._change(changed)

    def _add(self, make: Callable[[Content], Entry]) -> IdentityRecord:
        def grown(content: Content) -> Content:
            entry = make(content)
            principal = entry.secret_key(phrases.seed(content.phrase)).identity().principal
            if any(record.principal == principal for record in self._require().keys):
                raise IdentityError("This identity is in the vault already.")
            return content.with_entry(entry)

        return list(self._change(grown).keys)[-1]


def opens_with_password(path: Path) -> bool:
    """Whether to ask for a password; otherwise the keyring has the key. Raises as `Vault.open` does."""
    return isinstance(vault_file.parse(vault_storage.read(path)).lock, PasswordLock)


def was_on_trial(path: Path) -> bool:
    """Whether the key was in the memory of a program only. Raises as `Vault.open` does."""
    return isinstance(vault_file.parse(vault_storage.read(path)).lock, MemoryLock)


def _fresh(phrase: str) -> Content:
    return Content(phrases.check(phrase), secrets.token_bytes(VAULT_SECRET_SIZE_BYTES))


def _checked_password(password: str) -> str:
    if not password:
        raise BadInputError("A vault needs a password.", next_step="Choose one that nobody guesses.")
    return password


def _key_by_password(sealed: SealedVault, password: str) -> bytes:
    if not isinstance(sealed.lock, PasswordLock):
        raise _opens_otherwise(sealed.lock)
    return sealed.lock.key(password)


def _opens_otherwise(lock: Lock) -> IdentityError:
    match lock:
        case PasswordLock():
            return IdentityError("This vault opens with a password, not with the system's keyring.")
        case KeyringLock():
            return IdentityError("This vault opens with the system's keyring, not with a password.")
        case MemoryLock():
            return IdentityError(
                "Somebody is trying the program out with this vault: it opens nowhere but there.",
                next_step="Choose to keep it in the window where it was begun; if that is gone, the vault is too.",
            )


def _content(sealed: SealedVault, key: bytes) -> Content:
    data = sealed.open(key)
    try:
        return Content.from_bytes_1(data) if sealed.version == 1 else Content.from_bytes(data)
    except FormatError as error:
        raise vault_file.damaged(error.what) from error
