"""Writing: what is sent, what is not, undoing, earlier questions, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from tests.ui.looking import focused
from tests.ui.talks import ask, keep_talk, labels, open_talk, shown
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.empty_chat import EmptyChat
from ui.widgets.notice import Problem

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


def test_what_is_composed_with_an_input_method_arrives(stage: Stage) -> None:
    field = focused()
    QApplication.sendEvent(field, QInputMethodEvent("ni", []))
    assert stage.chat.composer.text == ""
    committed = QInputMethodEvent()
    committed.setCommitString("你好")
    QApplication.sendEvent(field, committed)
    assert stage.chat.composer.text == "你好"


def test_the_arrow_keys_bring_earlier_questions_back(stage: Stage) -> None:
    for question in ("Oslo?", "Rome?"):
        ask(stage, question)
    field = focused()
    seen = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down):
        QTest.keyClick(field, key)
        seen.append(stage.chat.composer.text)
    assert seen == ["Rome?", "Oslo?", "Oslo?", "Rome?", "", ""]
    QTest.keyClick(field, Qt.Key.Key_Up)
    QTest.keyClicks(field, " And Turin?")
    QTest.keyClick(field, Qt.Key.Key_Up)
    assert stage.chat.composer.text == "Rome? And Turin?"  # which is a new one


def test_why_nothing_can_be_sent_is_told_beside_the_button(answering: Stage) -> None:
    answering.chat.new_chat()
    assert "Another chat is still being answered." in labels(answering.chat.composer)


def test_enter_during_a_reply_says_why_nothing_is_sent(answering: Stage) -> None:
    field = focused()
    QTest.keyClicks(field, "And then?")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert "A reply is on its way." in labels(answering.chat.composer)
    assert answering.chat.composer.text == "And then?"
    answering.released.set()
    answering.settle()
    assert "A reply is on its way." not in labels(answering.chat.composer)


def test_the_page_keys_scroll_the_conversation_from_the_message(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, *(f"Question {number}" for number in range(30)))
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    bar = stage.chat.transcript.verticalScrollBar()
    stage.chat.composer.setFocus()
    stage.draw()
    QTest.keyClick(focused(), Qt.Key.Key_PageUp)
    assert bar.value() == bar.maximum() - bar.pageStep()
    QTest.keyClick(focused(), Qt.Key.Key_PageDown)
    assert bar.value() == bar.maximum()


def dropped_on(widget: QWidget, *paths: Path) -> None:
    dragged = QMimeData()
    dragged.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where, how = widget.rect().center(), (Qt.DropAction.CopyAction, dragged, Qt.MouseButton.LeftButton)
    QApplication.sendEvent(widget, QDragEnterEvent(where, *how, Qt.KeyboardModifier.NoModifier))
    QApplication.sendEvent(widget, QDropEvent(QPointF(where), *how, Qt.KeyboardModifier.NoModifier))


@pytest.mark.parametrize("where", ["page", "message"])
def test_a_dropped_text_file_becomes_part_of_the_message(stage: Stage, tmp_path: Path, where: str) -> None:
    path = tmp_path / "plan.txt"
    path.write_text("Buy bread")
    stage.chat.composer.set_text("What is next?")
    dropped_on(stage.chat if where == "page" else stage.chat.composer._words.viewport(), path)
    stage.settle()
    assert stage.chat.composer.text == "What is next?\nplan.txt:\n```\nBuy bread\n```\n"
    stage.shell.undo()
    assert stage.chat.composer.text == "What is next?"


def test_a_pasted_file_becomes_its_text(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    path.write_text("Buy bread\n")
    copied = QMimeData()
    copied.setUrls([QUrl.fromLocalFile(str(path))])
    QGuiApplication.clipboard().setMimeData(copied)
    QTest.keyClick(focused(), Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    stage.settle()
    assert stage.chat.composer.text == "plan.txt:\n```\nBuy bread\n```\n"


def test_a_file_that_is_no_text_is_refused_in_words(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    dropped_on(stage.chat, path)
    stage.settle()
    assert stage.chat.composer.text == ""
    (problem,) = shown(stage, Problem)
    assert "holiday.jpg holds no text" in " ".join(label.text() for label in problem.findChildren(QLabel))


def test_a_long_list_stays_where_it_was_scrolled_to(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    for number in range(60):
        keep_talk(core, f"Question {number}")
    stage = make_stage(core).enter()
    newest = core.conversations.get(core.conversations.list()[0].id)
    assert newest is not None
    stage.chat.list._list.setCurrentRow(0)
    stage.settle()
    bar = stage.chat.list._list.verticalScrollBar()
    bar.setValue(bar.maximum())
    ask(stage, "Who?")
    assert bar.value() == bar.maximum() > 0
    assert stage.chat.list.titles[0] == newest.title
