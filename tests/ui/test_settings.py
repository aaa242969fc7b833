"""The Settings page: locks, networks, backups, diagnostics; each dialog done, failed and left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPlainTextEdit

from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from tests.ui.forms import problem
from tests.ui.looking import child
from ui.diagnostics import diagnostics
from ui.tour.scenes_identities import Unreadable, several
from ui.tour.scenes_settings import fill, press, settings_page
from ui.tour.scripted import PASSWORD, PHRASE, ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.form_dialog import FormDialog
from ui.widgets.notice import Notice
from ui.widgets.settings_dialogs import ShortcutsDialog

MakeStage = Callable[..., Stage]
NEW = "another five walnut trees"


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """The page is open."""
    made = make_stage()
    settings_page(made)
    return made


def shown(stage: Stage) -> str:
    return " | ".join(one.text() for one in stage.shell.settings.findChildren(QLabel) if one.isVisible())


def fill_lines(stage: Stage, *texts: str) -> None:
    fill(stage, "", *texts)


def test_the_time_until_it_locks_itself_is_chosen(stage: Stage) -> None:
    box = stage.shell.settings.idle_lock
    assert box.currentText() == "15\N{NO-BREAK SPACE}min"
    box.setCurrentIndex(box.findData(0))
    box.activated.emit(box.currentIndex())
    stage.settle()
    assert stage.core.vault.notes.idle_lock_s == 0
    assert box.currentText() == "never"


def test_a_time_set_elsewhere_is_shown(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.vault.change_notes(lambda notes: notes.with_idle_lock(2 * 3600))
    assert settings_page(make_stage(core)).idle_lock.currentText() == "2\N{NO-BREAK SPACE}h"


def test_the_password_is_changed_for_whoever_knows_it(stage: Stage) -> None:
    press(stage, "Change the password…")
    fill_lines(stage, PASSWORD, NEW, "something else")
    assert not stage.find(FormDialog).go.isEnabled()
    fill_lines(stage, "walnut", NEW, NEW)
    assert "does not open" in problem(stage)
    fill_lines(stage, PASSWORD, NEW, NEW)
    stage.core.door.lock()
    stage.core.door.unlock(NEW)


@pytest.mark.usefixtures("system_keyring")
def test_the_vault_moves_to_the_keyring_and_back(stage: Stage) -> None:
    press(stage, "Open without a password…")
    fill_lines(stage)
    assert not stage.core.door.wants_password
    assert "keyring opens it" in shown(stage)
    press(stage, "Use a password…")
    fill_lines(stage, NEW, NEW)
    assert stage.core.door.wants_password


def test_without_a_keyring_the_password_stays(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.backend.get_all_keyring", list)
    press(stage, "Open without a password…")
    assert not [one for one in stage.window.findChildren(FormDialog) if one.isVisible()]
    assert "has no keyring" in " ".join(one.text() for one in stage.shell.toast.findChildren(QLabel))


def test_a_proxy_is_checked_and_used_and_left(stage: Stage) -> None:
    press(stage, "Use a proxy…")
    fill_lines(stage, "http://example.com")
    assert "socks5h" in problem(stage)
    fill_lines(stage, "socks5h://127.0.0.1:9050")
    assert stage.core.vault.notes.proxy == "socks5h://127.0.0.1:9050"
    assert "Through socks5h://127.0.0.1:9050" in shown(stage)
    press(stage, "Use a proxy…")
    fill_lines(stage, "")
    assert stage.core.vault.notes.proxy is None


def test_another_hub_is_checked_and_used_and_left(stage: Stage) -> None:
    press(stage, "Use another hub…")
    fill_lines(stage, "http://hub.example")
    assert "without encryption" in problem(stage)
    fill_lines(stage, "https://hub.example/mirror")
    assert "Models come from https://hub.example/mirror." in shown(stage)
    press(stage, "Use another hub…")
    fill_lines(stage, "")
    assert "Models come from https://huggingface.co." in shown(stage)


def test_a_backup_is_made_with_progress(stage: Stage, tmp_path: Path) -> None:
    press(stage, "Make a backup…")
    fill(stage, str(tmp_path / "all.backup"), "a", "a")
    assert stage.core.safekeeping.asked == [("backup", tmp_path / "all.backup", "a")]


def test_a_backup_that_fails_keeps_the_dialog_and_is_tried_again(stage: Stage, tmp_path: Path) -> None:
    def fail(_: Cancel) -> None:
        raise StorageError("The disk is full.")

    stage.core.safekeeping.before_end = fail
    press(stage, "Make a backup…")
    fill(stage, str(tmp_path / "all.backup"), "a", "a")
    assert problem(stage) == "The disk is full."
    stage.core.safekeeping.before_end = lambda _: None
    fill(stage, str(tmp_path / "all.backup"), "a", "a")
    assert stage.core.safekeeping.asked


def test_a_backup_under_way_is_stopped_by_leaving(stage: Stage, tmp_path: Path) -> None:
    stage.core.safekeeping.before_end = stage.hold
    press(stage, "Make a backup…")
    dialog = stage.find(FormDialog)
    dialog.files[0].line.setText(str(tmp_path / "all.backup"))
    for line in dialog.lines:
        line.setText("a")
    dialog.go.click()
    dialog.leave.click()
    stage.settle()
    assert not stage.core.safekeeping.asked
    assert not [one for one in stage.window.findChildren(FormDialog) if one.isVisible()]


def test_what_a_backup_brought_back_is_told(stage: Stage, tmp_path: Path) -> None:
    press(stage, "Bring one back…")
    fill(stage, str(tmp_path / "all.backup"), "a")
    said = stage.find(Notice).text.replace("\N{NO-BREAK SPACE}", " ")
    assert said == "Brought back: 12 conversations and 2 new deployments. Still to be fetched: SmolLM2 135M."


def test_the_words_go_on_the_sheet_for_the_password_only(stage: Stage, tmp_path: Path) -> None:
    target = tmp_path / "sheet.html"
    press(stage, "Recovery sheet…")
    child(stage.find(FormDialog), QCheckBox).setChecked(True)
    fill(stage, str(target), "walnut")
    assert "does not open" in problem(stage)
    fill(stage, str(target), PASSWORD)
    press(stage, "Recovery sheet…")
    fill(stage, str(target), "")
    assert stage.core.safekeeping.asked == [("sheet", target, True), ("sheet", target, False)]


def test_diagnostics_count_what_files_take_not_their_holes(stage: Stage, own_home: Path) -> None:
    folder = Paths(own_home).practice_network
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "heap").open("wb") as file:
        file.truncate(1 << 30)
    assert "practice-network: 0 B" in diagnostics(stage.core, Paths(own_home))


def test_diagnostics_are_shown_before_they_are_saved_and_hold_no_secret(make_stage: MakeStage, tmp_path: Path) -> None:
    core, target = several(), tmp_path / "diagnostics.txt"
    core.vault.change_notes(lambda notes: notes.with_hub_token("hf_secret").with_proxy("socks5h://10.9.8.7:1"))
    stage = make_stage(core)
    settings_page(stage)
    press(stage, "Diagnostics…")
    seen = child(stage.find(FormDialog), QPlainTextEdit).toPlainText()
    fill(stage, str(target))
    assert target.read_text() == seen
    assert "2 identities" in seen
    secrets = (*PHRASE.split(), PASSWORD, "Rowan", "Savings", "sister", "hf_secret", "10.9.8.7", str(tmp_path))
    secrets += tuple(str(record.principal) for record in core.vault.identities)
    assert not [secret for secret in secrets if secret in seen]


def test_the_folder_is_opened_by_the_system(stage: Stage, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    press(stage, "Open the folder")
    assert opened == [str(own_home)]


@pytest.mark.parametrize(
    ("key", "modifier"),
    [(Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_Slash, Qt.KeyboardModifier.ControlModifier)],
)
def test_the_shortcuts_are_listed(stage: Stage, key: Qt.Key, modifier: Qt.KeyboardModifier) -> None:
    QTest.keyClick(stage.window, key, modifier)
    stage.draw()
    dialog = stage.find(ShortcutsDialog)
    assert "Ctrl+L" in [one.text() for one in dialog.findChildren(QLabel)]
    dialog.accept()


def test_settings_that_cannot_be_read_say_so(make_stage: MakeStage) -> None:
    stage = make_stage(Unreadable())
    settings_page(stage)
    assert "the disk does not answer" in problem(stage)
    press(stage, "Diagnostics…")
    assert "the disk does not answer" in problem(stage)


@pytest.mark.parametrize(
    "words",
    ["Change the password…", "Use a proxy…", "Make a backup…", "Bring one back…", "Recovery sheet…", "Diagnostics…"],
)
def test_every_dialog_can_be_left(stage: Stage, words: str) -> None:
    before = stage.core.vault.content()
    press(stage, words)
    stage.find(FormDialog).leave.click()
    stage.settle()
    assert not [one for one in stage.window.findChildren(FormDialog) if one.isVisible()]
    assert stage.core.vault.content() == before
    assert not stage.core.safekeeping.asked
