"""From an empty home to the chat page, by keyboard alone, and unlocking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from personal_ai.common.errors import StorageError
from personal_ai.common.paths import Paths
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.tour.scripted import PASSWORD, PHRASE, ScriptedCore, ScriptedModel
from ui.tour.stage import Stage, until
from ui.widgets.composer import Composer
from ui.widgets.notice import Problem
from ui.window import Window

MakeStage = Callable[..., Stage]


def focused() -> QWidget:
    widget = QApplication.focusWidget()
    assert widget is not None, "nothing has the focus"
    return widget


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
    press(Qt.Key.Key_Space)  # Set up
    stage.settle()
    words = [label.text() for label in stage.find(WelcomePage).findChildren(QLabel) if label.property("kind") == "word"]
    assert [word.split()[-1] for word in words] == PHRASE.split()
    tab_to("I have written the words down")
    press(Qt.Key.Key_Space)
    tab_to("Continue")
    press(Qt.Key.Key_Space)
    QTest.keyClicks(focused(), PASSWORD)
    press(Qt.Key.Key_Return)
    QTest.keyClicks(focused(), PASSWORD)
    press(Qt.Key.Key_Return)
    stage.until(lambda: stage.window.shell is not None)
    assert stage.core.has_vault
    assert stage.core.password == PASSWORD
    stage.settle()
    QTest.keyClicks(focused(), "Who controls it?")
    press(Qt.Key.Key_Return)
    stage.settle()
    assert stage.chat.conversation.turns[-1].text == "Only you. Your key controls it."


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
