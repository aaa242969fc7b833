"""The vault of the tour: a real one, whose password costs next to nothing."""

from __future__ import annotations

from pathlib import Path

from personal_ai.app.vault_door import VaultDoor
from personal_ai.identities.vault import ScryptCost, Vault

_COST = ScryptCost(n=16)


def open_door(path: Path, phrase: str, password: str) -> VaultDoor:
    """Makes the vault at `path` and opens it."""
    Vault.create(path, phrase, password, cost=_COST)
    door = VaultDoor(path)
    door.unlock(password)
    return door


def trial_door(path: Path, phrase: str) -> VaultDoor:
    """A vault that nobody opens after this core."""
    door = VaultDoor(path)
    door.create_for_trial(phrase)
    return door
