"""The Identities page on a real vault: every dialog done, failed and left."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QPushButton

from personal_ai.ic.account_identifier import AccountIdentifier
from tests.ui.forms import fill, opened, problem
from tests.ui.looking import child
from ui.tour.scenes_identities import EXCHANGE, SISTER, Unreadable, card, page, several
from ui.tour.scripted import PASSWORD, PHRASE
from ui.tour.stage import Stage
from ui.widgets.file_field import FileField
from ui.widgets.identity_card import AddressRow
from ui.widgets.identity_dialogs import CodeDialog, ImportDialog, PhraseDialog
from ui.widgets.notice import Problem

MakeStage = Callable[..., Stage]


def labels(stage: Stage) -> list[str]:
    return [record.label for record in stage.core.vault.identities]


def shown(stage: Stage) -> str:
    return " | ".join(one.text() for one in stage.shell.identities.findChildren(QLabel) if one.isVisible())


def click(stage: Stage, name: str) -> None:
    (button,) = [
        one
        for one in stage.shell.identities.findChildren(QPushButton)
        if one.isVisible() and name in (one.text(), one.accessibleName())
    ]
    button.click()
    stage.settle()


def test_an_identity_is_made_and_listed(make_stage: MakeStage) -> None:
    stage = make_stage()
    page(stage)
    assert "No identity yet" in shown(stage)
    click(stage, "New identity")
    assert not opened(stage).go.isEnabled()
    fill(stage, "Savings")
    assert labels(stage) == ["Savings"]
    assert card(stage, "Savings").accessibleName() == "Savings: Not backed up"
    assert str(stage.core.vault.identities[0].principal) in shown(stage)


def test_a_dialog_that_is_left_changes_nothing(make_stage: MakeStage) -> None:
    stage = make_stage()
    page(stage).new_identity()
    dialog = opened(stage)
    dialog.lines[0].setText("Savings")
    dialog.leave.click()
    stage.settle()
    assert labels(stage) == []


def test_a_refused_name_stays_in_the_dialog_with_the_reason(make_stage: MakeStage) -> None:
    stage = make_stage()
    page(stage).new_identity()
    dialog = fill(stage, "x" * 101)
    assert "1 to 100" in problem(stage)
    assert dialog.isVisible()
    fill(stage, "Short")
    assert labels(stage) == ["Short"]


def test_what_an_identity_is_used_for_is_told(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    assert "Used for Rowan, number 0 of your words" in shown(stage)
    assert "Not used yet, number 1 of your words" in shown(stage)


def test_an_identity_is_renamed(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    click(stage, "Rename: Savings")
    fill(stage, "Rainy days")
    assert labels(stage) == ["Rowan", "Rainy days"]
    assert card(stage, "Rainy days").isVisible()


def test_words_typed_again_make_the_identities_restorable(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    click(stage, "Check my words…")
    dialog = opened(stage)
    words = PHRASE.split()
    right = [words[int(line.accessibleName().removeprefix("Word ")) - 1] for line in dialog.lines]
    fill(stage, "harvset", *right[1:])
    assert "harvset" in problem(stage)
    assert "perhaps harvest" in problem(stage)
    assert not stage.core.vault.phrase_confirmed
    fill(stage, *right)
    assert stage.core.vault.phrase_confirmed
    assert card(stage, "Savings").accessibleName() == "Savings: Backed up"
    assert "Are your recovery words on paper?" not in shown(stage)


def test_the_words_are_shown_for_the_password_only(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    click(stage, "Show my words…")
    fill(stage, "walnut")
    assert "does not open" in problem(stage)
    fill(stage, PASSWORD)
    dialog = stage.find(PhraseDialog)
    words = [one.text().split()[-1] for one in dialog.findChildren(QLabel) if one.property("kind") == "word"]
    assert words == PHRASE.split()
    dialog.accept()


def test_only_what_would_come_back_is_removed(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    click(stage, "Remove: Rowan")
    assert "Rowan cannot be reached" in " ".join(one.text() for one in opened(stage).findChildren(QLabel))
    fill(stage)
    assert "no confirmed backup" in problem(stage)
    opened(stage).leave.click()
    stage.settle()
    assert labels(stage) == ["Rowan", "Savings"]
    places = dict(enumerate(PHRASE.split(), 1))
    stage.core.vault.confirm_phrase(places)
    stage.shell.identities.refresh()
    stage.settle()
    click(stage, "Remove: Savings")
    fill(stage)
    assert labels(stage) == ["Rowan"]


def test_a_key_is_exported_with_a_password_and_imported_again(make_stage: MakeStage, tmp_path: Path) -> None:
    stage, path = make_stage(several()), tmp_path / "savings.pem"
    page(stage)
    click(stage, "Export: Savings")
    dialog = opened(stage)
    child(dialog, FileField).line.setText(str(path))
    for line, text in zip(dialog.lines, ("for the file", "for the file", "Saving"), strict=True):
        line.setText(text)
    assert not dialog.go.isEnabled()  # the name is not typed in full
    fill(stage, "for the file", "for the file", "Savings")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in path.read_bytes()

    other = make_stage()
    page(other).import_identity()
    importing = other.find(ImportDialog)
    importing.name.setText("From a file")
    importing.file.line.setText(str(path))
    importing.password.setText("another")
    importing.go.click()
    other.settle()
    assert "password" in problem(other)
    importing.password.setText("for the file")
    importing.go.click()
    other.settle()
    (record,) = other.core.vault.identities
    assert record.principal == stage.core.vault.identities[1].principal
    assert "imported key" in shown(other)


def test_an_export_writes_over_nothing(make_stage: MakeStage, tmp_path: Path) -> None:
    stage, path = make_stage(several()), tmp_path / "there.pem"
    path.write_text("mine")
    page(stage)
    click(stage, "Export: Savings")
    child(opened(stage), FileField).line.setText(str(path))
    fill(stage, "", "", "Savings")
    assert "is there already" in problem(stage)
    assert path.read_text() == "mine"


def test_an_identity_of_other_words_is_imported(make_stage: MakeStage) -> None:
    stage = make_stage()
    page(stage).import_identity()
    dialog = stage.find(ImportDialog)
    dialog.name.setText("From quill")
    dialog.kind.setCurrentIndex(1)
    dialog.phrase.setPlainText("legal winner thank year wave sausage worth useful legal winner thank yellow")
    dialog.index.setText("2")
    dialog.go.click()
    stage.settle()
    assert [record.kind for record in stage.core.vault.identities] == ["imported"]


def test_a_file_is_found_with_the_systems_dialog(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage()
    page(stage).import_identity()
    field = stage.find(ImportDialog).file
    child(field, QPushButton).click()
    chooser = child(field, QFileDialog)
    chooser.fileSelected.emit(str(tmp_path / "key.pem"))
    chooser.reject()
    assert field.path == tmp_path / "key.pem"


def test_codes_and_texts_of_an_identity(make_stage: MakeStage) -> None:
    stage = make_stage(several())
    page(stage)
    click(stage, "Show code: Savings")
    dialog = stage.find(CodeDialog)
    record = stage.core.vault.identities[1]
    for name, text in (
        ("Principal", str(record.principal)),
        ("Account id", str(AccountIdentifier.of(record.principal))),
    ):
        (copy,) = [one for one in dialog.findChildren(QPushButton) if one.accessibleName() == f"Copy the {name}"]
        copy.click()
        assert QGuiApplication.clipboard().text() == text
    dialog.accept()


def test_others_are_watched_and_written_down_and_forgotten(make_stage: MakeStage) -> None:
    stage = make_stage()
    page(stage)
    click(stage, "Watch…")
    fill(stage, "My sister", "not-a-principal")
    assert stage.find(Problem).isVisible()
    fill(stage, "My sister", SISTER)
    click(stage, "Add…")
    fill(stage, "Exchange", EXCHANGE[:-1])
    assert "neither a principal nor an account id" in problem(stage)
    fill(stage, "Exchange", EXCHANGE)
    assert [one.name for one in stage.core.vault.notes.watched] == ["My sister"]
    assert [one.address for one in stage.core.vault.notes.contacts] == [EXCHANGE]
    assert len(stage.shell.identities.findChildren(AddressRow)) == 2
    click(stage, "Watch no more: My sister")
    click(stage, "Forget: Exchange")
    assert stage.core.vault.notes.watched == stage.core.vault.notes.contacts == ()


def test_a_vault_that_cannot_be_read_says_so_and_can_be_tried_again(make_stage: MakeStage) -> None:
    stage = make_stage(Unreadable())
    page(stage)
    assert "the disk does not answer" in problem(stage)
    click(stage, "Try again")
    assert "the disk does not answer" in problem(stage)


@pytest.mark.parametrize("way", [QDialog.reject, QDialog.close])
def test_every_dialog_can_be_left(make_stage: MakeStage, way: Callable[[QDialog], object]) -> None:
    stage = make_stage(several())
    page(stage)
    before = stage.core.vault.content()
    for name in (
        "New identity",
        "Import…",
        "Rename: Rowan",
        "Export: Rowan",
        "Remove: Rowan",
        "Watch…",
        "Add…",
        "Check my words…",
        "Show my words…",
    ):
        click(stage, name)
        way(opened(stage))
        stage.settle()
    assert stage.core.vault.content() == before
