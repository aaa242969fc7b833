"""Identities, key files, contacts and the vault's locks, as typed."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PASSWORD, Run

pytestmark = pytest.mark.usefixtures("cheap_passwords")

ANONYMOUS = "2vxsx-fae"
ACCOUNT = "1c7a48ba6a562aa9eaa2481a9049cdf0433b9738c992d698c31d8abf89cadc79"  # of the anonymous principal


@pytest.fixture
def phrase(run: Run, password_file: str) -> str:
    created = run("vault", "create", "--password-file", password_file)
    assert created.exit_code == 0
    return next(line.strip() for line in created.output.splitlines() if line.startswith("    "))


@pytest.fixture
def ask(run: Run, phrase: str, password_file: str) -> Any:
    """Runs a command on the vault and gives its JSON."""

    def run_command(*arguments: str) -> Any:
        result = run(*arguments, "--password-file", password_file, "--json")
        assert result.exit_code == 0, result.errors
        return json.loads(result.output)

    return run_command


def test_identities_are_made_renamed_and_listed(ask: Any, run: Run, password_file: str) -> None:
    made = ask("identity", "create", "letters")
    assert (made["index"], made["kind"], made["restorable"]) == (0, "derived", False)
    assert ask("identity", "rename", "letters", "post")["principal"] == made["principal"]
    assert ask("identity", "rename", made["principal"], "mail")["label"] == "mail"
    ask("identity", "watch", "cold", ANONYMOUS)
    listed = ask("identity", "list")
    assert [one["label"] for one in listed["identities"]] == ["mail"] and listed["watched"][0]["principal"] == ANONYMOUS
    assert len(made["account"]) == 64
    text = run("identity", "list", "--password-file", password_file).output
    assert "mail  (no confirmed backup)" in text and "cold  (watched)" in text
    ask("identity", "unwatch", ANONYMOUS)
    assert ask("identity", "list")["watched"] == []


def test_the_phrase_is_verified_and_then_identities_may_go(
    ask: Any, run: Run, phrase: str, password_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    principal = ask("identity", "create", "main")["principal"]
    refused = run("identity", "remove", "main", "--password-file", password_file)
    assert refused.exit_code == 1 and "Verify your recovery phrase" in refused.errors
    words = phrase.split()
    wrong = [*words[:-1], "zzz"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(wrong)))
    refused = run("identity", "verify", "--all", "--password-file", password_file)
    assert refused.exit_code == 1 and "word 12, 'zzz'" in refused.errors
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(words)))
    assert ask("identity", "verify", "--all") == {"confirmed": True}
    ask("identity", "remove", "main")
    assert ask("identity", "list")["identities"] == []
    assert ask("identity", "restore", "again", "--index", "0")["principal"] == principal


def test_three_words_at_random_places_are_asked_for(
    run: Run, phrase: str, password_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\nb\nc\n"))
    refused = run("identity", "verify", "--password-file", password_file)
    assert refused.exit_code == 1 and refused.errors.count("of your phrase: ") == 3
    assert not any(f"'{word}'" in refused.errors for word in phrase.split())


@pytest.mark.parametrize("password", [None, "another word"])
def test_a_key_goes_out_and_comes_in(
    ask: Any, run: Run, password_file: str, tmp_path: Path, password: str | None
) -> None:
    options: tuple[str, ...] = ()
    if password is not None:
        (tmp_path / "word").write_text(password)
        options = ("--key-password-file", str(tmp_path / "word"))
    made = ask("identity", "create", "main")
    file = tmp_path / "key.pem"
    unlock = ("--password-file", password_file)
    unasked = run("identity", "export", "main", str(file), *unlock)
    assert unasked.exit_code == 1 and "confirmed" in unasked.errors and not file.exists()
    ask("identity", "export", "main", str(file), "--yes", *options)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (b"ENCRYPTED" in file.read_bytes()) == (password is not None)
    assert run("identity", "export", "main", str(file), "--yes", *unlock).exit_code == 1  # never over a file
    again = run("identity", "import", "again", "--pem", str(file), *options, *unlock)
    assert again.exit_code == 1 and "already" in again.errors
    (tmp_path / "second").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONAL_AI_HOME", str(tmp_path / "second"))
        assert run("vault", "create", *unlock).exit_code == 0
        taken = run("identity", "import", "taken", "--pem", str(file), *options, *unlock, "--json")
        assert json.loads(taken.output)["principal"] == made["principal"]
        assert run("identity", "export", "taken", str(tmp_path / "copy.pem"), "--yes", *unlock).exit_code == 0
        assert run("identity", "remove", "taken", *unlock).exit_code == 0


def test_an_identity_of_another_phrase(ask: Any, run: Run, password_file: str, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text("abandon " * 11 + "about\n")
    made = ask("identity", "import", "old", "--phrase-file", str(tmp_path / "phrase"))
    assert made["principal"].startswith("tgzar-") and made["kind"] == "imported"
    other = ask("identity", "import", "older", "--phrase-file", str(tmp_path / "phrase"), "--index", "1")
    assert other["principal"] != made["principal"]
    wrong = ("--phrase-file", str(tmp_path / "phrase"), "--index", "-1", "--password-file", password_file)
    assert run("identity", "import", "x", *wrong).exit_code == 1


def test_codes_of_principal_and_account(ask: Any, run: Run, password_file: str, tmp_path: Path) -> None:
    made = ask("identity", "create", "main")
    assert ask("identity", "qr", "main")["text"] == made["principal"]
    assert ask("identity", "qr", "main", "--account")["text"] == made["account"]
    shown = run("identity", "qr", "main", "--password-file", password_file).output
    assert shown.rstrip().endswith(made["principal"]) and "\u2580" in shown
    run("identity", "qr", "main", "--svg", str(tmp_path / "code.svg"), "--password-file", password_file)
    assert (tmp_path / "code.svg").read_text().startswith("<svg")


def test_the_address_book(ask: Any, run: Run, password_file: str) -> None:
    ask("contact", "add", "Ann", ANONYMOUS)
    ask("contact", "add", "Ben", ACCOUNT.upper())
    assert ask("contact", "list") == [
        {"name": "Ann", "address": ANONYMOUS},
        {"name": "Ben", "address": ACCOUNT},
    ]
    slip = run("contact", "add", "Eve", ACCOUNT[:-1] + "8", "--password-file", password_file)
    assert slip.exit_code == 1 and "neither" in slip.errors
    ask("contact", "remove", "Ann")
    assert len(ask("contact", "list")) == 1


def test_who_is_not_there(run: Run, phrase: str, password_file: str) -> None:
    for arguments in (
        ("rename", "nobody", "x"),
        ("remove", "nobody"),
        ("qr", "nobody"),
        ("watch", "x", "no-principal"),
    ):
        refused = run("identity", *arguments, "--password-file", password_file)
        assert refused.exit_code == 1 and refused.errors


def test_another_password(run: Run, phrase: str, password_file: str, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_text("quite another password")
    changed = run("vault", "password", "--password-file", password_file, "--new-password-file", str(new))
    assert changed.exit_code == 0
    assert run("identity", "list", "--password-file", password_file).exit_code == 1
    assert run("identity", "list", "--password-file", str(new)).exit_code == 0
    assert PASSWORD not in changed.output


def test_locks_and_proxies_are_kept(run: Run, phrase: str, password_file: str) -> None:
    unlock = ("--password-file", password_file)
    assert "15 min" in run("vault", "lock", *unlock).output
    assert "after 1 min 00 s" in run("vault", "lock", "60", *unlock).output
    assert "never" in run("vault", "lock", "0", *unlock).output
    assert run("vault", "lock", "5", *unlock).exit_code == 1
    assert run("vault", "proxy", *unlock).output == "no proxy\n"
    assert run("vault", "proxy", "socks5://127.0.0.1:9050", *unlock).output == "socks5h://127.0.0.1:9050\n"
    assert run("vault", "proxy", "http://127.0.0.1:1", *unlock).exit_code == 1
    assert run("vault", "proxy", "none", *unlock).output == "no proxy\n"


def test_a_phrase_of_24_words(run: Run, password_file: str, own_home: Path) -> None:
    created = run("vault", "create", "--words", "24", "--password-file", password_file).output
    assert "twenty-four" in created
    assert len(next(line for line in created.splitlines() if line.startswith("    ")).split()) == 24
