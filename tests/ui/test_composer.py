"""Writing: what is sent, what is not, and undoing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.ui.looking import focused
from ui.tour.stage import Stage
from ui.widgets.empty_chat import EmptyChat

MakeStage = Callable[..., Stage]


def test_enter_sends_and_shift_enter_starts_a_line(stage: Stage) -> None:
    field = focused()
    QTest.keyClicks(field, "One")
    QTest.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(field, "Two")
    assert stage.chat.composer.text == "One\nTwo"
    QTest.keyClick(field, Qt.Key.Key_Return)
    stage.settle()
    assert stage.chat.conversation.turns[0].text == "One\nTwo"
    assert stage.chat.composer.text == ""


def test_blank_words_are_not_sent(stage: Stage) -> None:
    stage.chat.composer.set_text("  \n ")
    assert not stage.chat.composer.button.isEnabled()
    QTest.keyClick(focused(), Qt.Key.Key_Return)
    stage.settle()
    assert stage.chat.conversation.turns == ()


def test_a_suggestion_is_asked_with_one_click(stage: Stage) -> None:
    stage.find(EmptyChat).asked.emit("What is a canister?")
    stage.settle()
    assert stage.chat.conversation.title == "What is a canister?"


def test_undo_brings_back_what_was_erased_from_the_composer(stage: Stage) -> None:
    field = focused()
    QTest.keyClicks(field, "Words")
    QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(field, Qt.Key.Key_Delete)
    assert stage.chat.composer.text == ""
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert stage.chat.composer.text == "Words"
