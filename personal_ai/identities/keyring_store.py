"""The vault's key in the operating system's own keyring, where there is a real one that answers.

Only keyrings of operating systems are used, whatever else is installed or configured: some others lose what they
are given, or keep it in a plain file.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import keyring.backend
from keyring.backend import KeyringBackend

from personal_ai.identities.errors import KeyringUnavailableError
from personal_ai.identities.vault import Vault
from personal_ai.identities.vault_file import KEY_SIZE_BYTES

TIMEOUT_S = 30.0  # the system may ask the user for permission
_SERVICE = "personal-ai"
_TRIAL = "trial"
_ENTRY_SIZE_BYTES = 8
_REAL_KEYRINGS = frozenset(
    f"keyring.backends.{name}" for name in ("macOS", "Windows", "SecretService", "kwallet", "libsecret")
)

_T = TypeVar("_T")


def available(timeout_s: float = TIMEOUT_S) -> bool:
    """Whether a keyring of the operating system gives back what it is given. Call it off the screen's thread."""
    try:
        _within(timeout_s, lambda: _try(_backend()))
    except KeyringUnavailableError:
        return False
    return True


def create_with_keyring(path: Path, phrase: str, *, timeout_s: float = TIMEOUT_S) -> Vault:
    """A new vault that opens without a password for whoever is logged in. Raises KeyringUnavailableError.

    Raises as `Vault.create` does too; the key is in the keyring, and read back, before the vault is written.
    """
    with _new_key(timeout_s) as (entry, key):
        return Vault.create_with_key(path, phrase, entry, key)


def move_to_keyring(vault: Vault, *, timeout_s: float = TIMEOUT_S) -> None:
    """From now on the keyring opens an open vault, and no password. Raises KeyringUnavailableError, StorageError."""
    former = vault.keyring_entry
    with _new_key(timeout_s) as (entry, key):
        vault.lock_with_key(entry, key)
    if former is not None:
        forget(former, timeout_s=timeout_s)


def forget(entry: str, *, timeout_s: float = TIMEOUT_S) -> None:
    """Removes a key that opens nothing any more. Raises KeyringUnavailableError."""
    _within(timeout_s, lambda: _backend().delete_password(_SERVICE, entry))


def open_with_keyring(path: Path, *, timeout_s: float = TIMEOUT_S) -> Vault:
    """Raises KeyringUnavailableError, also where the key is gone, and as `Vault.open` does."""

    def find_key(entry: str) -> bytes:
        kept = _within(timeout_s, lambda: _backend().get_password(_SERVICE, entry))
        try:
            key = bytes.fromhex(kept or "")
        except ValueError:
            key = b""
        if len(key) != KEY_SIZE_BYTES:
            raise KeyringUnavailableError(
                "The system's keyring no longer has the vault's key.",
                not_lost="The identities of the recovery phrase can be restored with the phrase.",
                next_step="Log in as the user who made the vault, or make a new vault with your recovery phrase.",
            )
        return key

    return Vault.open_with_key(path, find_key)


def _backend() -> KeyringBackend:
    real = [one for one in keyring.backend.get_all_keyring() if type(one).__module__ in _REAL_KEYRINGS]
    if not real:
        raise _unavailable("There is no keyring of the operating system here.")
    return max(real, key=lambda one: one.priority)


@contextmanager
def _new_key(timeout_s: float) -> Iterator[tuple[str, bytes]]:
    """A fresh key that the keyring has under a fresh name and has given back; gone again where the block fails."""
    entry, key = f"vault-{secrets.token_hex(_ENTRY_SIZE_BYTES)}", secrets.token_bytes(KEY_SIZE_BYTES)

    def keep() -> None:
        backend = _backend()
        _try(backend)
        backend.set_password(_SERVICE, entry, key.hex())
        if backend.get_password(_SERVICE, entry) != key.hex():
            raise _unavailable("The system's keyring does not give back what it is given.")

    _within(timeout_s, keep)
    try:
        yield entry, key
    except BaseException:
        forget(entry, timeout_s=timeout_s)
        raise


def _try(backend: KeyringBackend) -> None:
    value = secrets.token_hex(_ENTRY_SIZE_BYTES)
    backend.set_password(_SERVICE, _TRIAL, value)
    if backend.get_password(_SERVICE, _TRIAL) != value:
        raise _unavailable("The system's keyring does not give back what it is given.")
    backend.delete_password(_SERVICE, _TRIAL)


def _within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Runs `work` aside: a keyring that waits for somebody must not hold this program for ever."""
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # keyrings raise their own kinds; all of them mean the same here
            failed.append(error)

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if done:
        return done[0]
    if failed and isinstance(failed[0], KeyringUnavailableError):
        raise failed[0]
    reason = type(failed[0]).__name__ if failed else "no answer in time"
    raise _unavailable(f"The system's keyring did not answer ({reason}).") from (failed[0] if failed else None)


def _unavailable(what: str) -> KeyringUnavailableError:
    return KeyringUnavailableError(what, next_step="Use a password instead.")
