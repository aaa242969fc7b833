from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.app.vault_door import VaultDoor
from personal_ai.identities.errors import VaultLockedError, WrongPasswordError
from personal_ai.identities.vault import Vault

PHRASE = "abandon " * 11 + "about"


@pytest.fixture
def door(tmp_path: Path) -> VaultDoor:
    now = [1000.0]
    door = VaultDoor(tmp_path / "vault", clock=lambda: now[0])
    door.now = now  # type: ignore[attr-defined]
    return door


def _wait(door: VaultDoor, seconds: float) -> None:
    door.now[0] += seconds  # type: ignore[attr-defined]


def test_it_opens_and_locks(door: VaultDoor) -> None:
    assert not door.exists and door.locked
    door.create(PHRASE, "password")
    assert door.exists and not door.locked and door.wants_password
    vault = door.vault()
    door.lock()
    assert door.locked and vault.locked
    with pytest.raises(VaultLockedError):
        door.vault()
    with pytest.raises(WrongPasswordError):
        door.unlock("another")
    assert door.locked
    door.unlock("password")
    assert door.vault().identities == ()


def test_it_is_idle_when_nobody_has_used_it(door: VaultDoor) -> None:
    assert not door.idle
    door.create(PHRASE, "password")
    door.vault().change_notes(lambda notes: notes.with_idle_lock(60))
    _wait(door, 59)
    assert not door.idle
    door.use()
    _wait(door, 59)
    assert not door.idle
    door.vault()
    _wait(door, 60)
    assert door.idle
    door.vault().change_notes(lambda notes: notes.with_idle_lock(0))
    _wait(door, 10**9)
    assert not door.idle


def test_a_new_password_needs_the_old_one(door: VaultDoor, tmp_path: Path) -> None:
    door.create(PHRASE, "password")
    with pytest.raises(WrongPasswordError):
        door.change_password("not it", "the new one")
    with pytest.raises(WrongPasswordError):
        door.change_password(None, "the new one")
    door.change_password("password", "the new one")
    assert not Vault.open(tmp_path / "vault", "the new one").locked
