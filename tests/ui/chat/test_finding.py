"""Words are found among all chats and within one, marked, and brought into view wherever they stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QListWidget

from personal_ai.chat.conversation import Conversation, Turn
from tests.ui.looking import child, focused
from tests.ui.talks import keep_talk, open_talk, shown
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.basic import Button
from ui.widgets.find_bar import FindBar
from ui.widgets.long_text import LongText
from ui.widgets.message import MessageView, ReplyMessage, UserMessage

MakeStage = Callable[..., Stage]

CODE_ANSWER = "A **jar** of code:\n\n```python\njar = 'jar'\n```\n\nand the jar again"


@pytest.fixture
def jars(make_stage: MakeStage) -> Stage:
    """Asked for jars, which the reply names four times."""
    core = ScriptedCore()
    talk = Conversation("starter").with_turn(Turn("user", "Where is the JAR?"))
    core.conversations.save(talk.with_turn(Turn("assistant", CODE_ANSWER)))
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    return stage


def marked(stage: Stage) -> list[str]:
    """The words that are marked, from top to bottom; the one to look at in capitals."""
    found = []
    for message in shown(stage, MessageView):
        for view in message._views():
            for one in view.extraSelections():
                text = one.cursor.selectedText().lower()
                strong = one.format.background().color().name() == "#3b5bdb"
                found.append(text.upper() if strong else text)
    return found


def in_view(stage: Stage, message: MessageView) -> bool:
    transcript = stage.chat.transcript
    top = message.mapTo(transcript, QPoint()).y()
    return top < transcript.height() and top + message.height() > 0


def find(stage: Stage, words: str) -> FindBar:
    stage.shell.find_words()
    bar = stage.chat.find_bar
    QTest.keyClicks(bar.field, words)
    stage.until(lambda: not bar.looking)
    return bar


def test_every_place_is_marked_and_gone_through_with_the_keyboard_in_the_field(jars: Stage) -> None:
    bar = find(jars, "jar")
    assert bar.number == "5 of 5"
    assert marked(jars) == ["jar", "jar", "jar", "jar", "JAR"]
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert bar.number == "1 of 5"
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    assert marked(jars) == ["jar", "JAR", "jar", "jar", "jar"]
    QTest.keyClick(bar.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert marked(jars) == ["JAR", "jar", "jar", "jar", "jar"]
    assert bar.field.hasFocus()
    QTest.keyClick(bar.field, Qt.Key.Key_F3)
    assert bar.number == "2 of 5"
    QTest.keyClick(bar.field, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    assert bar.number == "1 of 5"


def test_a_place_stays_in_view_when_the_bar_opens_above_it(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    answer = "first\n\n" + "more words\n\n" * 20 + "```\n" + "x " * 200 + "needle\n```\n\n" + "the end\n\n" * 30
    talk = Conversation("starter").with_turn(Turn("user", "Where?"))
    core.conversations.save(talk.with_turn(Turn("assistant", answer)))
    stage = make_stage(core, size=(1000, 500)).enter()
    open_talk(stage, talk)
    find(stage, "needle")
    stage.draw()
    (message,) = shown(stage, ReplyMessage)
    place = message.mark("needle", 0)
    assert place is not None
    view, cursor = place
    at = view.viewport().mapTo(stage.chat.transcript.viewport(), view.cursorRect(cursor).center())
    assert 0 < at.y() < stage.chat.transcript.viewport().height()
    cursor.setPosition(cursor.selectionStart())
    assert 0 < view.cursorRect(cursor).x() < view.viewport().width()  # a line of code is scrolled, too


def test_closing_the_bar_takes_the_marks_away_and_goes_on_with_writing(jars: Stage) -> None:
    bar = find(jars, "jar")
    QTest.keyClick(bar.field, Qt.Key.Key_Escape)
    assert bar.isHidden()
    assert marked(jars) == []
    assert focused() is jars.chat.composer.focusProxy()
    QTest.keyClick(focused(), Qt.Key.Key_F3)
    assert bar.isVisible() and bar.field.hasFocus()


def test_what_is_nowhere_is_said(jars: Stage) -> None:
    bar = find(jars, "philately")
    assert bar.number == "Not found"
    QTest.keyClick(bar.field, Qt.Key.Key_Return)
    bar.field.setText("jar")
    QTest.keyClick(bar.field, Qt.Key.Key_Return)  # sooner than the pause ends
    assert bar.number == "5 of 5"
    bar.field.clear()
    jars.until(lambda: bar.number == "")


def test_what_is_said_meanwhile_is_found_too(jars: Stage) -> None:
    bar = find(jars, "only you")
    assert bar.number == "Not found"
    jars.chat.send("Who?")
    jars.settle()
    assert bar.number == "1 of 1"
    assert marked(jars) == ["only you"]


def test_search_lists_chats_by_what_was_said_and_shows_where(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talks = [keep_talk(core, text) for text in ("Oslo", "Lisbon")]
    stage = make_stage(core).enter()
    stage.shell.find_chat()
    QTest.keyClicks(child(stage.chat.list, QLineEdit), "lisb")
    stage.until(lambda: stage.chat.list.titles == ["Lisbon"])
    listed = child(stage.chat.list, QListWidget)
    listed.setFocus()
    QTest.keyClick(listed, Qt.Key.Key_Down)
    stage.until(lambda: stage.chat.conversation.id == talks[1].id)
    assert stage.chat.find_bar.number == "2 of 2"
    assert marked(stage) == ["lisb", "LISB"]
    assert listed.hasFocus()
    stage.chat.list.look_for("")
    stage.settle()
    assert sorted(stage.chat.list.titles) == ["Lisbon", "Oslo"]
    open_talk(stage, talks[0])
    assert stage.chat.find_bar.isHidden()


def test_words_far_up_are_shown_with_their_neighbours_alone(make_stage: MakeStage) -> None:
    """To lay out all between them and the end would hold up the window."""
    core = ScriptedCore()
    talk = keep_talk(core, *(f"Question {number:03}" for number in range(200)))
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    find(stage, "Question 007")
    messages = shown(stage, MessageView)
    assert len(messages) == 24
    (wanted,) = [one for one in messages if one.text == "Question 007"]
    assert in_view(stage, wanted)
    assert not stage.chat.transcript.following
    shown_texts = [message.text for message in messages]
    stage.chat.transcript.show_later()
    assert [one.text for one in shown(stage, MessageView)][: len(shown_texts)] == shown_texts
    assert len(shown(stage, MessageView)) == 48
    stage.chat.transcript._jump.click()
    stage.draw()
    assert shown(stage, MessageView)[-1].text == talk.turns[-1].text
    assert stage.chat.transcript.following
    assert [one.text() for one in shown(stage, Button)] == ["Earlier messages"]


@pytest.fixture
def far_up(make_stage: MakeStage) -> Stage:
    """Words far up are read while "Only you. " has come of a reply."""
    core = ScriptedCore()
    talk = keep_talk(core, *(f"Question {number:03}" for number in range(40)))
    stage = make_stage(core)
    stage.hold_word(2)
    open_talk(stage.enter(), talk)
    stage.chat.send("Who?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    find(stage, "Question 007")
    assert "Only you. " not in [one.text for one in shown(stage, ReplyMessage)]
    return stage


def test_a_reply_under_way_is_seen_again_by_who_goes_on_to_it(far_up: Stage) -> None:
    while not far_up.chat.transcript.at_end:
        far_up.chat.transcript.show_later()
    assert shown(far_up, ReplyMessage)[-1].text == "Only you. "
    far_up.released.set()
    far_up.settle()
    assert [one.text for one in shown(far_up, ReplyMessage)].count("Only you. Your key controls it.") == 1


def test_a_reply_that_ended_meanwhile_is_there(far_up: Stage) -> None:
    far_up.released.set()
    far_up.settle()
    assert not far_up.chat.transcript.at_end
    far_up.chat.transcript.show_latest()
    assert shown(far_up, ReplyMessage)[-1].text == "Only you. Your key controls it."


def test_very_many_words_are_folded_until_they_are_asked_for_or_looked_for(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    text = "".join(f"line {number}\n" for number in range(9000)) + "needle"
    talk = keep_talk(core, text)
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    (message,) = shown(stage, UserMessage)
    (folded,) = message.findChildren(LongText)
    assert folded.folded
    assert folded.toPlainText().endswith("line 15…")
    assert message.text == text  # which is what is copied
    find(stage, "needle")
    stage.chat.find_bar.step(-1)
    assert not folded.folded
    assert folded.toPlainText() == text
