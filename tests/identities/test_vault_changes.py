"""What changes in a vault after it was made: labels, removals, passwords, what a backup brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, IdentityError
from personal_ai.ic.principal import ANONYMOUS
from personal_ai.identities import vault_storage
from personal_ai.identities.errors import PhraseError
from personal_ai.identities.vault import (
    Vault,
    VaultLockedError,
    WrongPasswordError,
    opens_with_password,
)
from tests.identities.conftest import CHEAP, FIRST, GOLDEN_1, PASSWORD, PEM, PHRASE

# ---- what changes after it was made


def test_an_identity_gets_another_name(vault: Vault, path: Path) -> None:
    record = vault.new_identity("main")
    assert vault.rename(record.principal, " mine ").label == "mine"
    assert [one.label for one in Vault.open(path, PASSWORD).identities] == ["mine"]
    with pytest.raises(BadInputError):
        vault.rename(record.principal, "")
    with pytest.raises(IdentityError, match="no identity"):
        vault.rename(ANONYMOUS, "x")


def test_an_identity_goes_only_when_it_can_be_brought_back(vault: Vault) -> None:
    derived, imported = vault.new_identity("main"), vault.import_pem("old", PEM)
    for record, step in ((derived, "Verify your recovery phrase"), (imported, "Export its key")):
        with pytest.raises(IdentityError, match=step):
            vault.remove(record.principal)
    vault.confirm_phrase({1: "abandon", 12: "about"})
    vault.remove(derived.principal)
    assert [record.label for record in vault.identities] == ["old"]
    assert vault.new_identity("next").index == 1  # a number is never given twice
    assert vault.restore_identity("again", 0).principal == derived.principal
    exported = vault.export_pem(imported.principal, "word")
    vault.confirm_export(imported.principal, exported, "word")
    vault.remove(imported.principal)
    assert vault.import_pem("back", exported, "word").principal == imported.principal


def test_wrong_words_confirm_nothing(vault: Vault) -> None:
    with pytest.raises(PhraseError, match="word 12, 'above'"):
        vault.confirm_phrase({1: "abandon", 12: "above"})
    assert not vault.phrase_confirmed


def test_a_file_with_another_key_confirms_nothing(vault: Vault) -> None:
    derived, imported = vault.new_identity("main"), vault.import_pem("old", PEM)
    with pytest.raises(IdentityError, match="another identity"):
        vault.confirm_export(imported.principal, vault.export_pem(derived.principal))
    assert not any(record.restorable for record in vault.identities)


def test_notes_are_kept(vault: Vault, path: Path) -> None:
    vault.change_notes(lambda notes: notes.with_contact("Ann", "aaaaa-aa").with_hub_token("hf_x"))
    vault.change_notes(lambda notes: notes.watching("cold", FIRST))
    opened = Vault.open(path, PASSWORD)
    assert opened.notes == vault.notes
    assert (opened.notes.contacts[0].name, opened.notes.hub_token) == ("Ann", "hf_x")
    assert b"hf_x" not in path.read_bytes()


def test_the_file_before_the_last_change_is_kept(vault: Vault, path: Path) -> None:
    vault.new_identity("a")
    before = path.read_bytes()
    vault.new_identity("b")
    assert vault_storage.previous(path).read_bytes() == before


def test_another_password_alone_opens(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(GOLDEN_1.read_bytes())
    vault = Vault.open(path, "golden password")
    vault.new_identity("x")
    vault.check_password("golden password")
    with pytest.raises(WrongPasswordError):
        vault.check_password("another")
    with pytest.raises(BadInputError):
        vault.lock_with_password("")
    vault.lock_with_password("the new one", cost=CHEAP)
    made = vault.new_identity("after")
    assert made in Vault.open(path, "the new one").identities
    assert {file.name for file in path.parent.iterdir()} == {"vault", "vault.previous", "vault.lock"}
    for file in (path, vault_storage.previous(path)):
        with pytest.raises(WrongPasswordError):
            Vault.open(file, "golden password")


def test_a_changed_password_locks_other_processes_out(vault: Vault, path: Path) -> None:
    other = Vault.open(path, PASSWORD)
    vault.lock_with_password("the new one", cost=CHEAP)
    with pytest.raises(VaultLockedError):
        other.new_identity("x")


def test_from_keyring_to_password_and_back(vault: Vault, path: Path) -> None:
    assert vault.keyring_entry is None
    vault.lock_with_key("vault-1", b"\x07" * 32)
    assert vault.keyring_entry == "vault-1" and not opens_with_password(path)
    assert Vault.open_with_key(path, lambda entry: b"\x07" * 32 if entry == "vault-1" else b"").identities == ()
    with pytest.raises(IdentityError, match="keyring"):
        vault.check_password("x")
    vault.lock_with_password("word", cost=CHEAP)
    assert vault.keyring_entry is None and not Vault.open(path, "word").locked


# ---- merging


def test_what_a_backup_has_comes_in_beside_what_is_there(vault: Vault, tmp_path: Path) -> None:
    vault.new_identity("main")
    old = Vault.create(tmp_path / "old", PHRASE, "x", cost=CHEAP)
    for label in ("first", "second"):
        old.new_identity(label)
    old.import_pem("key", PEM)
    old.change_notes(lambda notes: notes.with_contact("Ann", "aaaaa-aa"))
    old.confirm_phrase({1: "abandon"})
    for _ in range(2):  # a second time changes nothing
        vault.merge(old.content())
        assert [record.label for record in vault.identities] == ["main", "second", "key"]
    assert vault.phrase_confirmed and vault.notes.contacts == old.notes.contacts
    assert vault.new_identity("next").index == 2


def test_identities_of_another_phrase_come_in_as_keys(vault: Vault, tmp_path: Path) -> None:
    other = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    old = Vault.create(tmp_path / "old", other, "x", cost=CHEAP)
    old.confirm_phrase({1: "legal"})
    principal = old.new_identity("theirs").principal
    vault.merge(old.content())
    [record] = vault.identities
    assert (record.kind, record.principal, record.restorable) == ("imported", principal, False)
    assert not vault.phrase_confirmed
