"""The context in the window: how full it is, and the ways on when a conversation no longer fits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from personal_ai.chat.conversation import Conversation
from personal_ai.chat.session import ContextFullError
from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from tests.ui.looking import focused, focused_text
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.notice import Notice, Problem
from ui.widgets.room_card import RoomCard

LONG = "And what does all of that cost me in a year?"


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """A chat of one question and its reply; the next question does not fit, and after that everything does."""
    stage = make_stage(ScriptedCore()).enter()
    stage.chat.send("Who?")
    stage.settle()
    overflow(stage)
    return stage


def overflow(stage: Stage, *, can_be_cut: bool = True) -> None:
    def refuse_once(_: int, __: Cancel) -> None:
        stage.core.script.before_word = lambda _, __: None
        raise ContextFullError(530, 512, can_be_cut=can_be_cut)

    stage.core.script.before_word = refuse_once


def ask(stage: Stage) -> RoomCard:
    stage.chat.send(LONG)
    stage.settle()
    return card(stage)


def card(stage: Stage) -> RoomCard:
    (found,) = [one for one in stage.chat.transcript.widgets() if isinstance(one, RoomCard)]
    return found


def press(stage: Stage, words: str) -> None:
    (found,) = [one for one in card(stage).findChildren(QPushButton) if one.text() == words]
    found.click()


def texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def notices(stage: Stage) -> list[str]:
    return [one.text for one in stage.chat.transcript.widgets() if isinstance(one, Notice)]


def test_the_meter_says_how_full_the_context_is(stage: Stage) -> None:
    assert stage.chat.composer.meter.words.replace("\N{NO-BREAK SPACE}", " ") == "2 % of the context"
    assert "this chat has 8" in stage.chat.composer.meter.toolTip()
    stage.core.script.context_length = 9
    stage.core.script.before_word = lambda _, __: None
    stage.chat.send("Why?")
    stage.settle()
    assert stage.chat.composer.meter.words.startswith("100")
    stage.chat.new_chat()
    stage.settle()
    assert stage.chat.composer.meter.words.startswith("0")


def test_the_meter_hides_where_it_cannot_know(stage: Stage) -> None:
    def fail(*_: object) -> None:
        raise NetworkUnreachableError("No.")

    stage.chat.room._desk.open = fail  # type: ignore[method-assign,assignment]
    stage.chat.room.measure(stage.chat.conversation, None)
    stage.settle()
    assert stage.chat.composer.meter.words == ""
    assert not stage.shell.findChildren(Problem)


def test_three_ways_are_offered_and_nothing_is_lost(stage: Stage) -> None:
    before = stage.chat.conversation
    offers = ask(stage)
    assert "530 tokens" in offers.accessibleName()
    assert stage.chat.composer.text == LONG
    assert texts(stage.chat.conversation) == texts(before)
    assert focused_text() == "Leave out what was said first"
    assert not stage.shell.findChildren(Problem)


def test_the_oldest_is_left_out_with_a_visible_mark(stage: Stage) -> None:
    ask(stage)
    QTest.keyClick(focused(), Qt.Key.Key_Space)
    stage.settle()
    said = "Only you. Your key controls it."
    assert texts(stage.chat.conversation) == ["Who?", said, "", LONG, said]
    assert len(notices(stage)) == 1
    assert stage.chat.composer.text == ""
    stored = stage.core.conversations.get(stage.chat.conversation.id)
    assert stored is not None and texts(stored) == texts(stage.chat.conversation)


def test_a_summary_takes_the_place_of_what_is_left_out(stage: Stage) -> None:
    ask(stage)
    press(stage, "Have it summarised")
    stage.settle()
    assert "Rowan does" in notices(stage)[0]
    assert texts(stage.chat.conversation)[-2] == LONG


def test_a_new_chat_begins_with_the_newest_and_the_old_one_stays(stage: Stage) -> None:
    old = stage.chat.conversation
    ask(stage)
    press(stage, "Carry on in a new chat")
    stage.settle()
    assert stage.chat.conversation.id != old.id
    assert texts(stage.chat.conversation)[-2] == LONG
    kept = stage.core.conversations.get(old.id)
    assert kept is not None and texts(kept) == texts(old)
    assert sorted(stage.chat.list.titles) == ["Who?", "Who? (continued)"]
    assert stage.core.conversations.drafts.get(old.id, "") == ""


def test_a_summary_can_be_stopped(stage: Stage) -> None:
    stage.core.script.before_summary = stage.hold
    ask(stage)
    press(stage, "Have it summarised")
    assert not stage.chat.composer.button.isEnabled()
    assert focused_text() == "Stop"
    press(stage, "Stop")
    stage.settle()
    assert stage.chat.composer.text == LONG
    press(stage, "Leave out what was said first")
    stage.settle()
    assert texts(stage.chat.conversation)[-2] == LONG


def test_a_summary_that_fails_says_why(stage: Stage) -> None:
    def fail(_: Cancel) -> None:
        raise NetworkUnreachableError("The network does not answer.")

    stage.core.script.before_summary = fail
    ask(stage)
    press(stage, "Have it summarised")
    stage.settle()
    assert stage.chat.transcript.findChildren(Problem)
    assert stage.chat.composer.text == LONG


def test_leaving_the_chat_leaves_the_summary(stage: Stage) -> None:
    stage.core.script.before_summary = stage.hold
    talk = stage.chat.conversation
    ask(stage)
    press(stage, "Have it summarised")
    stage.chat.new_chat()
    stage.settle()
    stored = stage.core.conversations.get(talk.id)
    assert stored is not None and texts(stored) == texts(talk)


def test_a_question_too_long_by_itself_is_an_error_in_words(stage: Stage) -> None:
    overflow(stage, can_be_cut=False)
    stage.chat.send(LONG)
    stage.settle()
    assert stage.chat.transcript.findChildren(Problem)
    assert stage.chat.composer.text == LONG
