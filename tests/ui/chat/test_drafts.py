"""What is written and not sent stays with its chat, whatever happens to the chat meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from tests.ui.talks import ask, keep_talk, open_talk
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.message import Act

MakeStage = Callable[..., Stage]


def refuse(_: int, __: Cancel) -> None:
    raise NetworkUnreachableError("The network is away.")


def test_a_draft_outlives_the_editing_of_an_earlier_message(stage: Stage) -> None:
    ask(stage, "Who?")
    for leave in (stage.chat.composer.edit_left.emit, lambda: stage.chat.send("Who else?")):
        stage.chat.composer.set_text("Half a thought")
        stage.chat.transcript.acted.emit(Act.EDIT, stage.chat.conversation.turns[0].id)
        assert stage.chat.composer.text == "Who?"
        leave()
        stage.settle()
        assert stage.chat.composer.text == "Half a thought"


def test_words_typed_during_the_first_reply_belong_to_its_chat(answering: Stage) -> None:
    QTest.keyClicks(answering.chat.composer._words, "And then?")
    answering.chat.new_chat()
    answering.until(lambda: "And then?" in answering.core.conversations.drafts.values())
    assert answering.chat.composer.text == ""
    (kept,) = answering.core.conversations.list()
    answering.chat.list.selected.emit(kept.id)
    answering.until(lambda: answering.chat.conversation.id == kept.id)
    assert answering.chat.composer.text == "And then?"
    assert answering.chat.heard == "Only you. "


def test_a_refused_question_comes_back_before_what_was_typed_meanwhile(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.core.script.before_word = refuse
    stage.enter().chat.send("Who?")
    stage.chat.composer.set_text("And then?")
    stage.settle()
    assert stage.chat.composer.text == "Who?\n\nAnd then?"
    assert stage.core.conversations.list() == []  # nothing came of the chat


def test_a_question_refused_while_another_chat_is_read_waits_there(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    first, second = keep_talk(core, "Oslo?"), keep_talk(core, "Rome?")
    stage = make_stage(core).enter()
    open_talk(stage, first)
    refusal = threading.Event()

    def refuse_later(at: int, cancel: Cancel) -> None:
        refusal.wait()
        refuse(at, cancel)

    core.script.before_word = refuse_later
    stage.chat.send("Who?")
    stage.chat.list.selected.emit(second.id)
    stage.until(lambda: stage.chat.conversation.id == second.id)
    refusal.set()
    stage.settle()
    assert "No reply came in “Oslo?”. The network is away." in stage.shell.toast._words.text()
    assert stage.chat.composer.text == ""
    open_talk(stage, first)
    assert stage.chat.composer.text == "Who?"


def test_the_chat_that_was_wanted_last_is_shown(make_stage: MakeStage) -> None:
    """However fast the arrow keys are, and with the words that were written in it."""
    core = ScriptedCore()
    first, second = keep_talk(core, "Oslo?"), keep_talk(core, "Rome?")
    stage = make_stage(core).enter()
    open_talk(stage, first)
    stage.chat.composer.set_text("Half a thought")
    for wanted in (second, first):
        stage.chat.list.selected.emit(wanted.id)
    stage.settle()
    assert stage.chat.conversation.id == first.id
    assert stage.chat.composer.text == "Half a thought"
    stage.chat.list.selected.emit(second.id)
    QTest.keyClick(stage.window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    stage.settle()
    assert stage.chat.conversation.turns == ()
    assert stage.chat.composer.text == ""
