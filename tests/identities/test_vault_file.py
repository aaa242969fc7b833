"""The bytes of the vault's file: sealed, damaged, forged."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import UnknownVersionError
from personal_ai.ic import cbor
from personal_ai.identities import vault_file
from personal_ai.identities.keys import SecretKey
from personal_ai.identities.vault import (
    Vault,
    VaultDamagedError,
    WrongPasswordError,
)
from personal_ai.identities.vault_content import Content, Entry
from personal_ai.identities.vault_file import KeyringLock, PasswordLock
from personal_ai.identities.vault_notes import Notes
from tests.identities.conftest import CHEAP, FIRST, PASSWORD, PHRASE


@pytest.mark.parametrize("lock", [PasswordLock(bytes(16), CHEAP), KeyringLock("vault-1")])
@given(content=st.binary(max_size=100))
def test_round_trip(lock: vault_file.Lock, content: bytes) -> None:
    sealed = vault_file.parse(vault_file.seal(content, lock, b"\x05" * 32))
    assert sealed.lock == lock
    assert sealed.open(b"\x05" * 32) == content
    with pytest.raises(WrongPasswordError):
        sealed.open(b"\x06" * 32)


SEALED = vault_file.seal(b"content", PasswordLock(bytes(16), CHEAP), b"\x05" * 32)


@given(st.integers(9, len(SEALED) - 1), st.integers(0, 7))
def test_an_accident_is_damage_and_no_wrong_password(place: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 1 << bit
    with pytest.raises(VaultDamagedError):
        vault_file.parse(bytes(changed))


@given(st.integers(11, len(SEALED) - 33), st.integers(0, 7))
def test_what_somebody_changed_with_care_does_not_open(place: int, bit: int) -> None:
    """With a right checksum the seal still sees it, in the header too: the cost cannot be lowered."""
    changed = bytearray(SEALED[:-32])
    changed[place] ^= 1 << bit
    whole = bytes(changed) + hashlib.sha256(changed).digest()
    with pytest.raises((WrongPasswordError, VaultDamagedError)):
        vault_file.parse(whole).open(b"\x05" * 32)


@pytest.mark.parametrize("cut", [0, 5, 8, 9, 10, 11, 40, len(SEALED) - 1])
def test_a_file_that_is_cut_short_is_damaged(cut: int) -> None:
    with pytest.raises(VaultDamagedError, match="phrase"):
        vault_file.parse(SEALED[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_vault_or_refused(data: bytes) -> None:
    for candidate in (data, b"PAIVAULT\x01" + data, b"PAIVAULT\x02" + data):
        whole = candidate + hashlib.sha256(candidate).digest()
        for file in (candidate, whole):
            with contextlib.suppress(VaultDamagedError, UnknownVersionError):
                vault_file.parse(file)


def test_an_unknown_version_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAIVAULT\x03" + bytes(100))
    with pytest.raises(UnknownVersionError, match="version 3"):
        Vault.open(path, PASSWORD)


def _with_header(header: object) -> bytes:
    encoded = cbor.encode(header, self_described=False)
    whole = b"PAIVAULT\x01" + len(encoded).to_bytes(2, "big") + encoded + bytes(28)
    return whole + hashlib.sha256(whole).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1 << 21},  # 2 GiB of memory
        {"n": 3},
        {"n": 1},
        {"n": -16},
        {"r": 0},
        {"r": 1 << 30},
        {"p": 17},
        {"p": 0},
        {"salt": b""},
        {"lock": "none"},
        {"lock": "keyring"},
        {"lock": "keyring", "entry": "x" * 65},
    ],
)
def test_headers_that_nobody_should_follow(change: dict[str, Any]) -> None:
    good = {"lock": "password", "salt": bytes(16), "n": 16, "r": 8, "p": 1}
    vault_file.parse(_with_header(good))
    with pytest.raises(VaultDamagedError, match="header"):
        vault_file.parse(_with_header(good | change))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        cbor.encode({}),
        cbor.encode({"phrase": PHRASE, "secret": bytes(31), "identities": []}),
        cbor.encode({"phrase": PHRASE, "secret": bytes(32), "identities": [{"label": "a"}]}),
        cbor.encode({"phrase": PHRASE, "secret": bytes(32), "identities": [{"label": "a", "index": 1 << 31}]}),
        cbor.encode(
            {"phrase": PHRASE, "secret": bytes(32), "identities": [{"label": "a", "algorithm": "x", "key": bytes(32)}]}
        ),
    ],
)
def test_content_that_is_malformed_is_damage(path: Path, content: bytes) -> None:
    lock = PasswordLock(bytes(16), CHEAP)
    path.parent.mkdir(parents=True)
    path.write_bytes(vault_file.seal(content, lock, lock.key(PASSWORD)))
    with pytest.raises(VaultDamagedError):
        Vault.open(path, PASSWORD)


def test_content_round_trips() -> None:
    key = SecretKey("ed25519", b"\x09" * 32)
    notes = Notes().with_contact("Ann", "aaaaa-aa").watching("cold", FIRST).with_hub_token("hf_x").with_idle_lock(60)
    content = Content(PHRASE, bytes(32), notes=notes.with_proxy("socks5h://127.0.0.1:9050"), phrase_confirmed=True)
    for entry in (Entry("a", index=0), Entry("b", index=5), Entry("c", imported=key, exported=True)):
        content = content.with_entry(entry)
    assert Content.from_bytes(content.to_bytes()) == content
    assert content.next_index == 6
    assert "hf_x" not in repr(content) and "9050" not in repr(content)
