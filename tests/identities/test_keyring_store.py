from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring.backend
import keyring.errors
import pytest

from personal_ai.common.errors import IdentityError
from personal_ai.identities.errors import KeyringUnavailableError, VaultExistsError, WrongPasswordError
from personal_ai.identities.keyring_store import (
    available,
    create_with_keyring,
    forget,
    move_to_keyring,
    open_with_keyring,
)
from personal_ai.identities.vault import ScryptCost, Vault, opens_with_password

PHRASE = "abandon " * 11 + "about"


class FakeKeyring:
    """Stands for the system's keyring: it claims to come from one of the modules that are trusted."""

    priority = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.fails: Exception | None = None
        self.loses = False
        self.hangs = threading.Event()
        self.hangs.set()

    def _answer(self) -> None:
        self.hangs.wait(10)
        if self.fails:
            raise self.fails

    def set_password(self, service: str, name: str, value: str) -> None:
        self._answer()
        if not self.loses:
            self.kept[service, name] = value

    def get_password(self, service: str, name: str) -> str | None:
        self._answer()
        return self.kept.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        self._answer()
        self.kept.pop((service, name), None)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKeyring]:
    real = type("Keyring", (FakeKeyring,), {"__module__": "keyring.backends.SecretService"})()
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [real])
    yield real
    real.hangs.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def test_a_vault_opens_with_the_systems_keyring(system: FakeKeyring, path: Path) -> None:
    assert available()
    made = create_with_keyring(path, PHRASE)
    record = made.new_identity("main")
    opened = open_with_keyring(path)
    assert opened.identities == (record,)
    assert not opens_with_password(path)
    assert len(system.kept) == 1  # the trial value is gone
    [key] = system.kept.values()
    assert bytes.fromhex(key) not in path.read_bytes()


def test_each_way_of_opening_says_which_is_the_right_one(system: FakeKeyring, path: Path, tmp_path: Path) -> None:
    create_with_keyring(path, PHRASE)
    with pytest.raises(IdentityError, match="keyring"):
        Vault.open(path, "password")
    Vault.create(tmp_path / "other", PHRASE, "password", cost=ScryptCost(n=16))
    with pytest.raises(IdentityError, match="password"):
        open_with_keyring(tmp_path / "other")


def test_a_key_that_is_gone(system: FakeKeyring, path: Path) -> None:
    create_with_keyring(path, PHRASE)
    for kept in ({}, dict.fromkeys(system.kept, "zz"), dict.fromkeys(system.kept, "00")):
        system.kept = kept
        with pytest.raises(KeyringUnavailableError, match="no longer"):
            open_with_keyring(path)


def test_another_key(system: FakeKeyring, path: Path) -> None:
    create_with_keyring(path, PHRASE)
    system.kept = dict.fromkeys(system.kept, "00" * 32)
    with pytest.raises(WrongPasswordError):
        open_with_keyring(path)


def test_a_vault_that_could_not_be_made_leaves_no_key(system: FakeKeyring, path: Path) -> None:
    path.write_bytes(b"something")
    with pytest.raises(VaultExistsError):
        create_with_keyring(path, PHRASE)
    assert not system.kept


@pytest.mark.parametrize("trouble", ["loses", "fails", "hangs"])
def test_a_keyring_that_does_not_keep_is_not_used(system: FakeKeyring, path: Path, trouble: str) -> None:
    if trouble == "loses":
        system.loses = True
    elif trouble == "fails":
        system.fails = keyring.errors.KeyringLocked("locked")
    else:
        system.hangs.clear()
    assert not available(timeout_s=0.05)
    with pytest.raises(KeyringUnavailableError, match="password instead"):
        create_with_keyring(path, PHRASE, timeout_s=0.05)
    assert not path.exists()


@pytest.mark.parametrize("module", ["keyrings.alt.file", "keyring.backends.null", "keyring.backends.fail", "mine"])
def test_only_keyrings_of_operating_systems_are_used(monkeypatch: pytest.MonkeyPatch, path: Path, module: str) -> None:
    other = type("Keyring", (FakeKeyring,), {"__module__": module})()
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [other])
    assert not available()
    with pytest.raises(KeyringUnavailableError, match="no keyring"):
        create_with_keyring(path, PHRASE)
    assert not other.kept


def test_the_preferred_one_of_several_is_used(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    real: Any = type("Keyring", (FakeKeyring,), {"__module__": "keyring.backends.kwallet"})
    weak, strong = real(), real()
    weak.priority, strong.priority = 1.0, 9.0
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [weak, strong])
    create_with_keyring(path, PHRASE)
    assert strong.kept
    assert not weak.kept


def test_an_open_vault_moves_into_the_keyring_and_out(system: FakeKeyring, path: Path) -> None:
    vault = Vault.create(path, PHRASE, "password", cost=ScryptCost(n=16))
    record = vault.new_identity("main")
    for _ in range(2):  # the second time under another key
        move_to_keyring(vault)
        assert len(system.kept) == 1
        assert open_with_keyring(path).identities == (record,)
    entry = vault.keyring_entry
    assert entry is not None
    vault.lock_with_password("another", cost=ScryptCost(n=16))
    forget(entry)
    assert not system.kept and Vault.open(path, "another").identities == (record,)


def test_a_keyring_that_loses_keeps_the_password(system: FakeKeyring, path: Path) -> None:
    vault = Vault.create(path, PHRASE, "password", cost=ScryptCost(n=16))
    system.loses = True
    with pytest.raises(KeyringUnavailableError):
        move_to_keyring(vault)
    assert not Vault.open(path, "password").locked
