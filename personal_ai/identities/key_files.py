"""Key files: an identity out of the vault and back in, as other tools of the Internet Computer read and write them."""

from __future__ import annotations

from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.ic.principal import Principal
from personal_ai.identities.vault import IdentityRecord, Vault

_SIZE_MAX_BYTES = 64 << 10


def import_key(vault: Vault, label: str, path: Path, password: str | None = None) -> IdentityRecord:
    """Raises KeyPasswordError, KeyImportError, IdentityError, StorageError."""
    return vault.import_pem(label, _read(path), password)


def export_key(vault: Vault, principal: Principal, path: Path, password: str | None = None) -> None:
    """Writes the key (mode 0600), reads it back, and notes that there is a copy.

    Raises BadInputError for a file that is there already, IdentityError, StorageError.
    """
    refuse_existing(path)
    write_atomically(path, vault.export_pem(principal, password), mode=0o600)
    vault.confirm_export(principal, _read(path), password)


def refuse_existing(path: Path) -> None:
    """Raises BadInputError where something would be written over."""
    if path.exists():
        raise BadInputError(f"{path} is there already.", next_step="Choose another file.")


def _read(path: Path) -> bytes:
    with storage_errors(f"read {path.name}"), path.open("rb") as file:
        return file.read(_SIZE_MAX_BYTES)
