"""The vault: what it gives, keeps from everybody else, and has on the disk."""

from __future__ import annotations

import hashlib
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from personal_ai.common.errors import BadInputError, IdentityError, StorageError
from personal_ai.ic import cbor
from personal_ai.ic.identity import verify_signature
from personal_ai.ic.principal import ANONYMOUS
from personal_ai.identities import vault_file, vault_storage
from personal_ai.identities.errors import KeyImportError, PhraseError
from personal_ai.identities.vault import (
    ScryptCost,
    Vault,
    VaultExistsError,
    VaultLockedError,
    WrongPasswordError,
    opens_with_password,
)
from personal_ai.identities.vault_file import PasswordLock
from personal_ai.identities.vault_notes import Notes
from tests.identities.conftest import CHEAP, FIRST, GOLDEN_1, GOLDEN_2, PASSWORD, PEM, PHRASE

# ---- the plain way


def test_what_is_put_in_comes_out_again(vault: Vault, path: Path) -> None:
    assert vault.identities == ()
    first, second = vault.new_identity("main"), vault.new_identity(" for letters ")
    imported = vault.import_pem("old key", PEM)
    assert (first.index, first.label, first.kind, first.principal) == (0, "main", "derived", FIRST)
    assert (second.index, second.label) == (1, "for letters")
    assert (imported.index, imported.kind) == (None, "imported")
    again = Vault.open(path, PASSWORD)
    assert again.identities == vault.identities == (first, second, imported)
    assert again.database_key("x") == vault.database_key("x")
    assert again.reveal_phrase() == PHRASE


def test_identities_sign(vault: Vault) -> None:
    for record in (vault.new_identity("a"), vault.new_identity("b"), vault.import_pem("c", PEM)):
        for signer in (vault.signer(record), vault.signer(record.principal)):
            assert signer.principal == record.principal
            assert signer.public_key_der is not None
            assert verify_signature(signer.public_key_der, b"message", signer.sign(b"message"))
    with pytest.raises(IdentityError, match="no identity"):
        vault.signer(ANONYMOUS)


def test_one_phrase_restores_all_derived_identities(vault: Vault, tmp_path: Path) -> None:
    made = [vault.new_identity(str(number)).principal for number in range(3)]
    restored = Vault.create(tmp_path / "other", PHRASE, "another password", cost=CHEAP)
    assert [restored.new_identity("x").principal for _ in range(3)] == made


def test_another_phrase_can_be_imported(vault: Vault) -> None:
    other = "legal winner thank year wave sausage worth useful legal winner thank yellow"
    record = vault.import_phrase("from elsewhere", other)
    assert (record.kind, vault.signer(record).principal) == ("imported", record.principal)
    with pytest.raises(PhraseError):
        vault.import_phrase("x", "abandon " * 12)


def test_an_identity_is_imported_once(vault: Vault) -> None:
    vault.new_identity("main")
    vault.import_pem("a", PEM)
    for again in (lambda: vault.import_pem("b", PEM), lambda: vault.import_phrase("c", PHRASE)):
        with pytest.raises(IdentityError, match="already"):
            again()
    with pytest.raises(KeyImportError):
        vault.import_pem("d", b"")


def test_database_keys_differ_by_purpose_and_by_vault(vault: Vault, tmp_path: Path) -> None:
    keys = {vault.database_key(purpose) for purpose in ("a", "b", "")}
    other = Vault.create(tmp_path / "other", PHRASE, PASSWORD, cost=CHEAP)
    assert len(keys | {other.database_key("a")}) == 4
    assert all(len(key) == 32 for key in keys)


@pytest.mark.parametrize("label", ["", "  ", "a" * 101, "a\nb", "\x1b[31m"])
def test_labels_are_short_and_printable(vault: Vault, label: str) -> None:
    with pytest.raises(BadInputError):
        vault.new_identity(label)
    assert vault.identities == ()


# ---- locks


def test_a_wrong_password_is_not_damage(vault: Vault, path: Path) -> None:
    for wrong in ("", "Correct horse", PASSWORD + " "):
        with pytest.raises(WrongPasswordError, match="password is wrong"):
            Vault.open(path, wrong)
    assert Vault.open(path, PASSWORD).reveal_phrase() == PHRASE


def test_a_password_opens_however_its_letters_are_composed(path: Path) -> None:
    Vault.create(path, PHRASE, "Gru\u0308ezi", cost=CHEAP)
    assert not Vault.open(path, "Gr\u00fcezi").locked


def test_an_empty_password_is_refused(path: Path) -> None:
    with pytest.raises(BadInputError):
        Vault.create(path, PHRASE, "")
    assert not path.exists()


def test_a_bad_phrase_is_refused(path: Path) -> None:
    with pytest.raises(PhraseError):
        Vault.create(path, "abandon " * 12, PASSWORD, cost=CHEAP)
    assert not path.exists()


def test_a_vault_is_never_written_over(vault: Vault, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(VaultExistsError):
        Vault.create(path, PHRASE, "another", cost=CHEAP)
    assert path.read_bytes() == before


def test_a_locked_vault_gives_nothing(vault: Vault) -> None:
    record = vault.new_identity("main")
    vault.lock()
    assert vault.locked
    for use in (
        lambda: vault.identities,
        lambda: vault.new_identity("x"),
        lambda: vault.signer(record),
        lambda: vault.database_key("x"),
        vault.reveal_phrase,
        lambda: vault.import_pem("x", PEM),
    ):
        with pytest.raises(VaultLockedError):
            use()


def test_a_vault_that_is_not_there(path: Path) -> None:
    with pytest.raises(StorageError):
        Vault.open(path, PASSWORD)


def test_the_default_cost_is_the_dear_one() -> None:
    assert (ScryptCost().n, ScryptCost().r, ScryptCost().p) == (1 << 17, 8, 1)
    lock = PasswordLock(bytes(16), ScryptCost())
    assert lock.key("x") == hashlib.scrypt(b"x", salt=bytes(16), n=1 << 17, r=8, p=1, maxmem=1 << 28, dklen=32)


# ---- secrets


def test_nothing_secret_is_shown(vault: Vault, path: Path) -> None:
    vault.new_identity("main")
    vault.import_pem("old", PEM)
    opened: Any = vault._opened
    shown = "".join(map(repr, (vault, opened, opened.content, opened.keys, vault.identities, vars(vault))))
    for secret in ("abandon", (b"\x09" * 32).hex(), repr(b"\x09" * 8)[2:-1], PASSWORD):
        assert secret not in shown
    assert repr(opened.key)[2:-1] not in shown
    with pytest.raises(WrongPasswordError) as raised:
        Vault.open(path, "a wrong password")
    assert "a wrong password" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_nothing_secret_is_on_the_disk(vault: Vault, path: Path) -> None:
    vault.new_identity("my secret label")
    vault.import_pem("old", PEM)
    content = path.read_bytes()
    for secret in (b"abandon", b"about", b"secret label", b"\x09" * 8, PASSWORD.encode()):
        assert secret not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for older in path.parent.glob("vault.*"):
        assert b"secret label" not in older.read_bytes()
        assert stat.S_IMODE(older.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} == {"vault", "vault.previous", "vault.lock"}


def test_every_writing_has_a_fresh_nonce(vault: Vault, path: Path) -> None:
    seen = set()
    for number in range(4):
        vault.new_identity(str(number))
        seen.add(vault_file.parse(path.read_bytes())._nonce)
    assert len(seen) == 4


# ---- several at once


def test_two_processes_do_not_lose_each_others_identities(vault: Vault, path: Path) -> None:
    other = Vault.open(path, PASSWORD)
    a, b, c = vault.new_identity("a"), other.new_identity("b"), vault.new_identity("c")
    assert [record.index for record in (a, b, c)] == [0, 1, 2]
    assert Vault.open(path, PASSWORD).identities == (a, b, c)


def test_threads_get_different_identities(vault: Vault) -> None:
    threads = [threading.Thread(target=vault.new_identity, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record.index or 0 for record in vault.identities) == list(range(8))


def test_a_vault_that_was_replaced_is_locked(vault: Vault, path: Path) -> None:
    path.unlink()
    Vault.create(path, PHRASE, "another password", cost=CHEAP)
    with pytest.raises(VaultLockedError, match="another one now"):
        vault.new_identity("x")
    assert vault.locked


def test_a_disk_that_refuses_loses_nothing(vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = vault.new_identity("kept")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StorageError, match="full"):
            vault.new_identity("lost")
    assert vault.identities == Vault.open(path, PASSWORD).identities == (kept,)
    assert vault.new_identity("next").index == 1


# ---- the file


@pytest.mark.parametrize("golden", [GOLDEN_1, GOLDEN_2])
def test_the_golden_vaults_open(golden: Path) -> None:
    """Written by versions 1 and 2; they must open for ever."""
    assert opens_with_password(golden)
    opened = Vault.open(golden, "golden password")
    assert [(record.index, record.label, record.kind) for record in opened.identities] == [
        (0, "main", "derived"),
        (1, "letters", "derived"),
        (None, "old key", "imported"),
    ]
    assert opened.identities[0].principal == FIRST
    assert opened.reveal_phrase() == PHRASE
    assert opened.database_key("conversations").hex() == (
        "f505d35598c9bb7577b10c4b31387df56e9d694b90399bacf1c9f5ec38cf483b"
    )


def test_the_golden_notes_of_version_2() -> None:
    opened = Vault.open(GOLDEN_2, "golden password")
    assert opened.phrase_confirmed and [record.restorable for record in opened.identities] == [True, True, True]
    notes = Notes().with_contact("Ann", "aaaaa-aa").watching("cold", FIRST).with_hub_token("hf_token")
    assert opened.notes == notes.with_proxy("socks5h://127.0.0.1:9050").with_idle_lock(600)


@pytest.mark.parametrize(("golden", "version"), [(GOLDEN_1, 1), (GOLDEN_2, 2)])
def test_the_golden_files_parts(golden: Path, version: int) -> None:
    data = golden.read_bytes()
    assert data[:9] == b"PAIVAULT" + bytes((version,))
    length = int.from_bytes(data[9:11], "big")
    header = cbor.decode(data[11 : 11 + length])
    assert isinstance(header, dict)
    assert header == {"lock": "password", "salt": header["salt"], "n": 16, "r": 8, "p": 1}
    assert data[-32:] == hashlib.sha256(data[:-32]).digest()


def test_a_vault_of_version_1_is_taken_over_and_kept(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(GOLDEN_1.read_bytes())
    opened = Vault.open(path, "golden password")
    assert path.read_bytes() == GOLDEN_1.read_bytes()  # opening changes nothing
    made = opened.new_identity("new")
    assert made.index == 2 and not opened.phrase_confirmed
    assert vault_file.parse(path.read_bytes()).version == 2
    assert vault_storage.of_version(path, 1).read_bytes() == GOLDEN_1.read_bytes()
    opened.new_identity("newer")
    assert vault_storage.of_version(path, 1).read_bytes() == GOLDEN_1.read_bytes()
    assert len(Vault.open(path, "golden password").identities) == 5
