"""The profile's vault, open or locked. It locks itself when nobody has used it for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from personal_ai.identities import keyring_store
from personal_ai.identities.errors import VaultLockedError
from personal_ai.identities.vault import Vault, opens_with_password, was_on_trial
from personal_ai.identities.vault_content import Content


def _seconds_awake_or_asleep() -> float:
    """A clock that nobody sets and that goes on while the computer sleeps, where the system has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class VaultDoor:
    """Opens and locks the vault at `path`. Raises what `Vault` and the keyring raise; slow: a password costs 0.4 s."""

    def __init__(self, path: Path, clock: Callable[[], float] = _seconds_awake_or_asleep) -> None:
        self._path = path
        self._clock = clock
        self._vault: Vault | None = None
        self._used_s = 0.0
        self._this_thread = threading.local()

    @property
    def exists(self) -> bool:
        return self._path.exists()

    @property
    def locked(self) -> bool:
        return self._vault is None

    @property
    def wants_password(self) -> bool:
        """Whether a password opens it; otherwise the system's keyring does."""
        return opens_with_password(self._path)

    @property
    def on_trial(self) -> bool:
        """Whether the open vault's key is nowhere but in this program's memory."""
        return self._vault is not None and self._vault.on_trial

    @property
    def trial_is_over(self) -> bool:
        """Whether the vault was another program's trial, so that nothing opens it any more."""
        return self._vault is None and self.exists and was_on_trial(self._path)

    def vault(self) -> Vault:
        """The open vault. Raises VaultLockedError."""
        if self._vault is None:
            raise VaultLockedError("The vault is locked.", next_step="Unlock it with your password.")
        self.use()
        return self._vault

    def create(self, phrase: str, password: str) -> None:
        self._opened(Vault.create(self._path, phrase, password))

    def create_for_trial(self, phrase: str) -> None:
        """A vault whose key is in this program's memory alone."""
        self._opened(Vault.create_for_trial(self._path, phrase))

    def create_with_keyring(self, phrase: str, *, timeout_s: float) -> None:
        """A vault that opens for whoever is logged in. Raises KeyringUnavailableError, also for no answer in time."""
        self._opened(keyring_store.create_with_keyring(self._path, phrase, timeout_s=timeout_s))

    def restore(self, content: Content, password: str) -> None:
        """A vault with the content of a backup's."""
        self._opened(Vault.restore(self._path, content, password))

    def unlock(self, password: str) -> None:
        """Raises WrongPasswordError."""
        self._opened(Vault.open(self._path, password))

    def unlock_with_keyring(self) -> None:
        """Raises KeyringUnavailableError."""
        self._opened(keyring_store.open_with_keyring(self._path))

    def change_password(self, old: str | None, new: str) -> None:
        """`old` is None where the keyring opened the vault, whose entry there goes, or where it was on trial.

        Raises WrongPasswordError.
        """
        vault = self.vault()
        entry = vault.keyring_entry
        if entry is None and not vault.on_trial:
            vault.check_password(old or "")
        vault.lock_with_password(new)
        if entry is not None:
            keyring_store.forget(entry)

    def move_to_keyring(self) -> None:
        """From now on whoever is logged in opens the vault, without a password. Raises KeyringUnavailableError."""
        keyring_store.move_to_keyring(self.vault())

    def reveal_phrase(self, password: str | None) -> str:
        """The recovery phrase, to be written down again; `password` is None where none opened the vault.

        Raises WrongPasswordError.
        """
        vault = self.vault()
        if vault.keyring_entry is None and not vault.on_trial:
            vault.check_password(password or "")
        return vault.reveal_phrase()

    def use(self) -> None:
        """Somebody is there: the time without use begins anew."""
        if not getattr(self._this_thread, "unattended", False):
            self._used_s = self._clock()

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """What this thread does inside is done by a timer and says of nobody that they are there."""
        self._this_thread.unattended = True
        try:
            yield
        finally:
            self._this_thread.unattended = False

    def lock(self) -> None:
        if self._vault is not None:
            self._vault.lock()
            self._vault = None

    @property
    def idle(self) -> bool:
        """Whether the vault is open and nobody has used it for as long as its owner allows; never while on trial."""
        if self._vault is None or self._vault.on_trial:
            return False
        allowed_s = self._vault.notes.idle_lock_s
        return allowed_s > 0 and self._clock() - self._used_s >= allowed_s

    def _opened(self, vault: Vault) -> None:
        self._vault = vault
        self.use()
