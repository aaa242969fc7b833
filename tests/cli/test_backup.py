"""From one computer to the next, as typed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from personal_ai.app.workspace import Workspace
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.common.paths import Paths
from tests.cli.conftest import PASSWORD, Run

pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
def unlock(password_file: str) -> tuple[str, str]:
    return ("--password-file", password_file)


@pytest.fixture
def backup_password(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "backup-password").write_text("another good password")
    return ("--backup-password-file", str(tmp_path / "backup-password"))


@pytest.fixture
def phrase(run: Run, own_home: Path, unlock: tuple[str, str]) -> str:
    """A profile with an identity and a conversation."""
    created = run("vault", "create", *unlock).output
    assert run("identity", "create", "Rowan", *unlock).exit_code == 0
    opened = Workspace(Paths(own_home))
    opened.unlock(PASSWORD)
    opened.conversations.save(Conversation("m").with_turn(Turn("user", "a question")))
    opened.close()
    return next(line.strip() for line in created.splitlines() if line.startswith("    "))


def test_a_backup_moves_to_another_computer(
    run: Run, phrase: str, unlock: tuple[str, str], backup_password: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "everything.backup"
    made = run("backup", "create", str(file), *unlock, *backup_password, "--json")
    assert made.exit_code == 0 and json.loads(made.output)["size_bytes"] == file.stat().st_size
    assert run("backup", "create", str(file), *unlock, *backup_password).exit_code == 1  # never over a file
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONAL_AI_HOME", str(tmp_path / "new"))
        restored = run("backup", "restore", str(file), *unlock, *backup_password, "--json")
        assert restored.exit_code == 0, restored.errors
        assert json.loads(restored.output) == {"conversations": 1, "deployments": 0, "missing_models": []}
        assert "Rowan" in run("identity", "list", *unlock).output
        again = run("backup", "restore", str(file), *unlock, *backup_password)
        assert again.exit_code == 0 and "0 new deployments" in again.output
        wrong = run("backup", "restore", str(file), *unlock, "--backup-password-file", unlock[1])
        assert wrong.exit_code == 1 and "password is wrong" in wrong.errors


@pytest.mark.parametrize("name", ["sheet.txt", "sheet.html"])
def test_the_sheet_is_written_for_its_owner_alone(
    run: Run, phrase: str, unlock: tuple[str, str], tmp_path: Path, name: str
) -> None:
    assert run("backup", "sheet", str(tmp_path / name), *unlock).exit_code == 0
    assert phrase.split(maxsplit=1)[0] not in (tmp_path / name).read_text().split("<style>")[0].split()
    with_phrase = run("backup", "sheet", str(tmp_path / f"full-{name}"), "--with-phrase", *unlock)
    assert "delete it" in with_phrase.output and phrase not in with_phrase.output
    page = tmp_path / f"full-{name}"
    assert all(word in page.read_text() for word in phrase.split())
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert run("backup", "sheet", str(page), *unlock).exit_code == 1


def test_a_phrase_on_paper_makes_the_vault_anew(run: Run, phrase: str, unlock: tuple[str, str], tmp_path: Path) -> None:
    before = json.loads(run("identity", "list", *unlock, "--json").output)["identities"][0]
    (tmp_path / "paper").write_text(phrase.upper())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONAL_AI_HOME", str(tmp_path / "new"))
        assert run("vault", "create", "--phrase-file", str(tmp_path / "paper"), *unlock).exit_code == 0
        made = json.loads(run("identity", "restore", "Rowan", "--index", "0", *unlock, "--json").output)
    assert made["principal"] == before["principal"]
