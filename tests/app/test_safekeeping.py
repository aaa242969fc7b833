"""A profile that begins again from the words alone, and the sheet for it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.identities.errors import PhraseError

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PASSWORD = "four quiet walnut trees"


@pytest.fixture
def workspace(own_home: Path) -> Iterator[Workspace]:
    opened = Workspace(Paths(own_home))
    yield opened
    opened.close()


def restore(workspace: Workspace, phrase: str, *canister_ids: str) -> None:
    workspace.safekeeping.restore_from_phrase(
        phrase, PASSWORD, canister_ids, on_progress=ignore_progress, cancel=Cancel()
    )


def test_a_phrase_that_was_typed_in_full_is_known_to_be_written_down(workspace: Workspace) -> None:
    restore(workspace, PHRASE)
    assert workspace.vault.phrase_confirmed
    assert workspace.vault.new_identity("Rowan").restorable
    restore(workspace, PHRASE)  # goes on: the vault is there
    assert [record.label for record in workspace.identities()] == ["Rowan"]


def test_nothing_is_made_for_a_slip(workspace: Workspace) -> None:
    with pytest.raises(FormatError):
        restore(workspace, PHRASE, "not-a-canister")
    with pytest.raises(PhraseError):
        restore(workspace, PHRASE.replace("yellow", "yelow"))
    assert not workspace.has_vault


def test_the_sheet_is_written_once_and_for_its_owner_alone(workspace: Workspace, tmp_path: Path) -> None:
    restore(workspace, PHRASE)
    path = tmp_path / "sheet.html"
    workspace.safekeeping.save_recovery_sheet(path, with_phrase=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sausage" not in path.read_text()
    with pytest.raises(BadInputError, match="is there already"):
        workspace.safekeeping.save_recovery_sheet(path, with_phrase=True)
    workspace.safekeeping.save_recovery_sheet(tmp_path / "words.txt", with_phrase=True)
    assert "sausage" in (tmp_path / "words.txt").read_text()
