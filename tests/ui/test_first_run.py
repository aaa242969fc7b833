"""From an empty home to the chat page, by keyboard alone, and unlocking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QPushButton, QWidget

from personal_ai.common.errors import NetworkUnreachableError, StorageError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from tests.ui.looking import child, focused
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.tour.scripted import PASSWORD, PHRASE, ScriptedCore, ScriptedModel
from ui.tour.stage import Stage, until
from ui.widgets.composer import Composer
from ui.widgets.form_dialog import FormDialog
from ui.widgets.notice import Problem
from ui.window import Window

MakeStage = Callable[..., Stage]


def press(*keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(focused(), key)


def tab_to(name: str) -> QWidget:
    """Presses Tab until a control of this name has the focus."""
    for _ in range(40):
        if name in (focused().accessibleName(), getattr(focused(), "text", str)()):
            return focused()
        press(Qt.Key.Key_Tab)
    pytest.fail(f"Tab never reaches {name!r}")


def test_from_the_first_start_to_an_answer_by_keyboard_alone(make_stage: MakeStage) -> None:
    stage = make_stage().show()
    tab_to("Set it up")
    press(Qt.Key.Key_Space)
    stage.settle()
    words = [label.text() for label in stage.find(WelcomePage).findChildren(QLabel) if label.property("kind") == "word"]
    assert [word.split()[-1] for word in words] == PHRASE.split()
    tab_to("I have written the words down")
    press(Qt.Key.Key_Return)
    assert stage.find(WelcomePage).phrase_shown, "nothing goes on before they are"
    press(Qt.Key.Key_Space)
    press(Qt.Key.Key_Return)
    QTest.keyClicks(focused(), PASSWORD)
    press(Qt.Key.Key_Return)
    QTest.keyClicks(focused(), PASSWORD)
    press(Qt.Key.Key_Return)
    stage.settle()
    for _ in range(3):
        place = int(focused().accessibleName().removeprefix("Word "))
        QTest.keyClicks(focused(), PHRASE.split()[place - 1])
        press(Qt.Key.Key_Return)
    stage.until(lambda: stage.window.shell is not None)
    assert stage.core.vault.phrase_confirmed
    assert stage.core.has_vault
    assert stage.core.password == PASSWORD
    stage.settle()
    for _ in range(3):  # the starter model, on the practice network, and its cost
        press(Qt.Key.Key_Return)
        stage.settle()
    QTest.keyClick(focused(), Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    stage.settle()
    QTest.keyClicks(focused(), "Who controls it?")
    press(Qt.Key.Key_Return)
    stage.settle()
    assert stage.chat.conversation.turns[-1].text == "Only you. Your key controls it."


def test_the_first_run_goes_on_with_the_words_after_a_restart(make_stage: MakeStage) -> None:
    core = ScriptedCore(has_vault=True)
    core.setup.due = (2, 7, 11)
    stage = make_stage(core).show()
    stage.find(UnlockPage).chosen.emit(PASSWORD)
    stage.settle()
    assert stage.window.shell is None and stage.find(WelcomePage).places_asked == (2, 7, 11)
    for place in (2, 7, 11):
        assert focused().accessibleName() == f"Word {place}"
        QTest.keyClicks(focused(), PHRASE.split()[place - 1])
        press(Qt.Key.Key_Return)
    stage.until(lambda: stage.window.shell is not None)
    assert stage.core.vault.phrase_confirmed


def test_the_words_can_be_put_off_again(make_stage: MakeStage) -> None:
    core = ScriptedCore(has_vault=True)
    core.setup.due = (2, 7, 11)
    stage = make_stage(core).show()
    stage.find(UnlockPage).chosen.emit(PASSWORD)
    stage.settle()
    tab_to("Later")
    press(Qt.Key.Key_Space)
    stage.until(lambda: stage.window.shell is not None)
    assert not stage.core.vault.phrase_confirmed


def test_the_core_is_never_called_on_the_windows_thread(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    stage.chat.send("Who controls it?")
    stage.settle()
    assert stage.core.threads == {"lane desk", "lane chat"}


def test_the_two_passwords_must_be_the_same(make_stage: MakeStage) -> None:
    stage = make_stage().show()
    page = stage.find(WelcomePage)
    page.show_phrase(PHRASE)
    page.ask_password()
    QTest.keyClicks(focused(), PASSWORD)
    press(Qt.Key.Key_Tab)
    QTest.keyClicks(focused(), "something else")
    press(Qt.Key.Key_Return)
    stage.settle()
    assert not stage.core.has_vault
    assert any("not the same" in label.text() for label in page.findChildren(QLabel))


def test_a_vault_that_cannot_be_written_says_so_and_can_be_tried_again(make_stage: MakeStage) -> None:
    class FullDisk(ScriptedCore):
        full = True

        def create_vault(self, phrase: str, password: str) -> None:
            if self.full:
                raise StorageError("Could not save the vault: the disk is full.", next_step="Make room.")
            super().create_vault(phrase, password)

    core = FullDisk()
    stage = make_stage(core).show()
    page = stage.find(WelcomePage)
    page.show_phrase(PHRASE)
    page.chosen.emit(PHRASE, PASSWORD)
    stage.settle()
    assert "the disk is full" in stage.find(Problem).accessibleName()
    core.full = False
    page.chosen.emit(PHRASE, PASSWORD)
    stage.settle()
    page.left.emit()
    stage.until(lambda: stage.window.shell is not None)


def test_a_wrong_password_is_told_and_the_right_one_opens(make_stage: MakeStage) -> None:
    stage = make_stage(ScriptedCore(has_vault=True)).show()
    QTest.keyClicks(focused(), "walnut")
    press(Qt.Key.Key_Return)
    stage.settle()
    problem = stage.find(Problem)
    assert "does not open the vault" in problem.accessibleName()
    assert "Nothing was changed" in problem.accessibleName()
    assert stage.window.shell is None
    QTest.keyClicks(focused(), PASSWORD)  # what was there is selected: typing replaces it
    press(Qt.Key.Key_Return)
    stage.until(lambda: stage.window.shell is not None)


def test_the_password_is_let_go_once_it_was_used(make_stage: MakeStage) -> None:
    stage = make_stage(ScriptedCore(has_vault=True)).show()
    page = stage.find(UnlockPage)
    page.first.setText(PASSWORD)
    page.go.click()
    stage.until(lambda: page.first.text() == "")


def test_the_composer_has_the_focus_when_the_chat_appears(stage: Stage) -> None:
    assert focused().parent() is stage.find(Composer)


def test_a_profile_that_cannot_be_read_says_why_and_can_be_tried_again(make_stage: MakeStage) -> None:
    class Unreadable(ScriptedCore):
        readable = False

        def models(self) -> list[ScriptedModel]:
            if not self.readable:
                raise StorageError("The data folder cannot be read.", next_step="Check its permissions.")
            return super().models()

    core = Unreadable(has_vault=True)
    stage = make_stage(core).show()
    stage.find(UnlockPage).chosen.emit(PASSWORD)
    stage.settle()
    assert "cannot be read" in stage.find(Problem).accessibleName()
    core.readable = True
    press(Qt.Key.Key_Space)  # Try again
    stage.until(lambda: stage.window.shell is not None)


def test_a_second_press_opens_nothing_twice(make_stage: MakeStage) -> None:
    class SoonUnreadable(ScriptedCore):
        readable = True

        def models(self) -> list[ScriptedModel]:
            if not self.readable:
                raise StorageError("The data folder cannot be read.")
            return super().models()

    core = SoonUnreadable()
    stage = make_stage(core).enter()
    shell = stage.shell
    for core.readable in (True, False):
        stage.window.opening.opened.emit()
        stage.settle()
        assert stage.window.shell is shell and shell.isVisible()


def test_the_pages_are_forgotten_where_another_takes_their_place(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    stage.window.opening.unlock()
    stage.settle()
    assert stage.window.shell is None
    stage.window.resize(900, 700)  # both reached for what was deleted, which ended the process
    stage.close()


def test_a_core_that_does_not_load_can_be_tried_again(qapp: object, own_home: Path) -> None:
    tries: list[ScriptedCore] = []

    def load() -> ScriptedCore:
        tries.append(ScriptedCore())
        if len(tries) == 1:
            raise StorageError("The data folder cannot be read.")
        return tries[-1]

    window = Window(load, Paths(own_home))
    window.show()
    until(lambda: window.findChild(Problem) is not None)
    press(Qt.Key.Key_Space)
    until(lambda: window.findChild(WelcomePage) is not None)
    window.close()
    until(lambda: tries[-1].closed)


def test_a_wrong_word_is_named_and_checking_can_be_put_off(make_stage: MakeStage) -> None:
    stage = make_stage().show()
    page = stage.find(WelcomePage)
    page.chosen.emit(PHRASE, PASSWORD)
    stage.settle()
    assert page.phrase_shown == ""  # let go once the vault has it
    step = page.currentWidget()
    assert step is not None
    for line in step.findChildren(QLineEdit):
        line.setText("harvset")
    button(page, "Check").click()
    stage.settle()
    assert "perhaps harvest" in stage.find(Problem).accessibleName()
    button(page, "Later").click()
    stage.until(lambda: stage.window.shell is not None)
    assert not stage.core.vault.phrase_confirmed


def button(page: WelcomePage, words: str) -> QPushButton:
    (found,) = [one for one in page.findChildren(QPushButton) if one.isVisible() and one.text() == words]
    return found


def come_back(stage: Stage, way: str) -> FormDialog:
    page = stage.show().find(WelcomePage)
    button(page, "I was here before").click()
    button(page, way).click()
    return stage.find(FormDialog)


def test_a_backup_brings_everything_back(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage()
    dialog = come_back(stage, "I have a backup file…")
    dialog.files[0].line.setText(str(tmp_path / "all.backup"))
    for line, text in zip(dialog.lines, ("of the backup", PASSWORD, PASSWORD), strict=True):
        line.setText(text)
    dialog.go.click()
    stage.until(lambda: stage.window.shell is not None)
    assert stage.core.safekeeping.asked == [("restore", tmp_path / "all.backup", "of the backup", PASSWORD)]


def test_the_words_bring_identities_and_canisters_back(make_stage: MakeStage) -> None:
    stage = make_stage()
    dialog = come_back(stage, "I have my recovery words…")
    child(dialog, QPlainTextEdit).setPlainText(PHRASE)
    for line, text in zip(dialog.lines, ("aaaaa-aa, 2vxsx-fae", PASSWORD, PASSWORD), strict=True):
        line.setText(text)
    dialog.go.click()
    stage.until(lambda: stage.window.shell is not None)
    assert stage.core.safekeeping.asked == [("phrase", PHRASE, PASSWORD, ["aaaaa-aa", "2vxsx-fae"])]


def test_coming_back_can_be_left_before_and_after_it_began(make_stage: MakeStage) -> None:
    def fail(_: Cancel) -> None:
        raise NetworkUnreachableError("The network does not answer.")

    stage = make_stage()
    stage.core.safekeeping.before_end = fail
    come_back(stage, "I have my recovery words…").leave.click()
    stage.settle()
    assert stage.window.shell is None
    button(stage.find(WelcomePage), "I have my recovery words…").click()
    (dialog,) = [one for one in stage.window.findChildren(FormDialog) if one.isVisible()]
    child(dialog, QPlainTextEdit).setPlainText(PHRASE)
    for line in dialog.lines[1:]:
        line.setText(PASSWORD)
    dialog.go.click()
    stage.settle()
    assert "does not answer" in stage.find(Problem).accessibleName()
    dialog.leave.click()  # the vault is there: the rest can be done later
    stage.until(lambda: stage.window.shell is not None)
