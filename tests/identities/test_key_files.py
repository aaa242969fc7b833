"""Key files: written once, read back, and counted as a copy."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, StorageError
from personal_ai.identities import key_files
from personal_ai.identities.errors import KeyImportError, KeyPasswordError
from personal_ai.identities.vault import ScryptCost, Vault

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault", PHRASE, "password", cost=ScryptCost(n=16))


def test_an_imported_key_that_is_exported_can_be_removed(vault: Vault, tmp_path: Path) -> None:
    first, copy = tmp_path / "first.pem", tmp_path / "copy.pem"
    key_files.export_key(vault, vault.new_identity("Rowan").principal, first)
    other = Vault.create(tmp_path / "other", PHRASE, "password", cost=ScryptCost(n=16))
    record = key_files.import_key(other, "Rowan", first)
    assert not record.restorable
    key_files.export_key(other, record.principal, copy, "for the file")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert other.identities[0].restorable
    other.remove(record.principal)
    with pytest.raises(KeyPasswordError):
        key_files.import_key(other, "Rowan", copy)
    assert key_files.import_key(other, "Rowan", copy, "for the file").principal == record.principal


def test_nothing_is_written_over(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "there.pem"
    path.write_text("mine")
    with pytest.raises(BadInputError, match="is there already"):
        key_files.export_key(vault, vault.new_identity("Rowan").principal, path)
    assert path.read_text() == "mine"


def test_what_is_no_key_file_is_refused(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "no-key"
    path.write_bytes(b"\xff" * 100_000)
    with pytest.raises(KeyImportError):
        key_files.import_key(vault, "Rowan", path)
    with pytest.raises(StorageError):
        key_files.import_key(vault, "Rowan", tmp_path)
