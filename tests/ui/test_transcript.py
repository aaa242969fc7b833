"""Reading a conversation: it scrolls for nobody who reads, is copied, and opens no link unasked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from tests.ui.looking import child, focused
from tests.ui.talks import ask, keep_talk, open_talk, shown
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.message import MessageView, ReplyMessage
from ui.widgets.prose import ProseView

MakeStage = Callable[..., Stage]

LONG = "\n\n".join(f"Paragraph {number} of a long reply that fills the page." for number in range(60))


def test_streaming_never_steals_the_reading_position(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = [f"{line}\n" for line in LONG.splitlines()]
    stage = make_stage(core)
    stage.hold_word(60)
    stage.enter().chat.send("Tell me much")
    bar = stage.chat.transcript.verticalScrollBar()
    stage.until(lambda: "Paragraph 29" in stage.chat.heard and bar.value() == bar.maximum() > 0)
    assert stage.chat.transcript.following
    bar.setValue(bar.maximum() // 2)
    here = bar.value()
    assert not stage.chat.transcript.following
    stage.released.set()
    stage.settle()
    assert bar.value() == here
    assert bar.maximum() > here
    stage.chat.transcript.follow()
    assert bar.value() == bar.maximum()


def test_a_message_is_copied_by_keyboard(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, "Trip notes")
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    messages = shown(stage, MessageView)
    messages[0].setFocus()
    QTest.keyClick(messages[0], Qt.Key.Key_Down)
    assert focused() is messages[1]
    QTest.keyClick(messages[1], Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Answer to Trip notes"


def test_the_whole_chat_is_copied(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, "Trip notes")
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    stage.chat.header.copy_wanted.emit()
    assert QGuiApplication.clipboard().text() == "You:\nTrip notes\n\nReply:\nAnswer to Trip notes"


def test_a_long_conversation_opens_at_its_end_and_earlier_messages_come_when_asked_for(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, *(f"Question {number}" for number in range(50)))
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    assert len(shown(stage, MessageView)) == 24
    first_seen = shown(stage, MessageView)[0]

    def height_in_view() -> int:
        return first_seen.mapTo(stage.chat.transcript, QPoint()).y()

    stage.draw()
    stage.chat.transcript.verticalScrollBar().setValue(0)
    place = height_in_view()
    stage.chat.transcript.show_earlier()
    assert len(shown(stage, MessageView)) == 48
    stage.until(lambda: stage.chat.transcript.verticalScrollBar().value() > 0 and height_in_view() == place)
    for _ in range(3):
        stage.chat.transcript.show_earlier()
    assert [message.text for message in shown(stage, MessageView)] == [turn.text for turn in talk.turns]


def test_a_link_is_opened_only_after_its_address_was_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    opened: list[str] = []

    def answer(_: object, __: str, text: str) -> QMessageBox.StandardButton:
        asked.append(text)
        return QMessageBox.StandardButton.Yes if len(asked) == 2 else QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    stage.core.script.words = ["[A link](https://example.org/really)"]
    ask(stage, "Where is it?")
    link = child(shown(stage, ReplyMessage)[0], ProseView).anchorClicked
    link.emit(QUrl("file:///etc/passwd"))
    assert not asked
    link.emit(QUrl("https://example.org/really"))
    link.emit(QUrl("https://example.org/really"))
    assert "https://example.org/really" in asked[0]
    assert opened == ["https://example.org/really"]
