"""The conversation page on a scripted core: computing ahead, streaming, stopping, failing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextTable
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit, QPushButton

from personal_ai.chat.conversation import Conversation
from personal_ai.common.errors import Cancelled, SecurityError, StorageError
from personal_ai.common.jobs import Cancel
from tests.ui.looking import child, focused
from tests.ui.talks import ask, labels, shown
from ui.highlight import Kind
from ui.theme import Appearance, theme
from ui.theme.tokens import DARK, LIGHT
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage, wait
from ui.widgets.basic import Button
from ui.widgets.code_view import CodeView
from ui.widgets.message import ReplyMessage, UserMessage
from ui.widgets.notice import Problem
from ui.widgets.prose import ProseView

MakeStage = Callable[..., Stage]


# Computing ahead


def test_an_open_chat_is_computed_ahead_until_something_is_asked(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    def prepare(_: Conversation, cancel: Cancel) -> None:
        begun.set()
        try:
            cancel.wait(30)
        except Cancelled:
            cancelled.set()
            raise

    stage = make_stage(deployed).enter()
    deployed.script.before_prepare = prepare
    stage.chat.new_chat()
    stage.until(begun.is_set)
    assert stage.chat.heard == "" and not cancelled.is_set()
    ask(stage, "Who controls it?")
    assert cancelled.is_set(), "the lane is free at once"
    assert stage.chat.conversation.turns[-1].text == "Only you. Your key controls it."


def test_a_forged_answer_is_told_even_when_nobody_asked(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    def forged(*_: object) -> None:
        raise SecurityError("The certificate does not hold.")

    deployed.script.before_prepare = forged
    stage = make_stage(deployed).enter()
    stage.settle()
    assert "The certificate does not hold." in labels(shown(stage, Problem)[0])


# Streaming


def test_prose_streams_as_plain_text_and_becomes_markdown(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["Only ", "**you**. ", "Try:\n\n```sh\nls\n```"]
    stage = make_stage(core)
    stage.hold_word(2)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only **you**. ")
    (reply,) = shown(stage, ReplyMessage)
    assert child(reply, ProseView).toPlainText() == "Only **you**. "
    assert "answering" in labels(reply)
    stage.released.set()
    stage.settle()
    assert "Only you. Try:" in [view.toPlainText() for view in reply.findChildren(ProseView)]
    assert len(reply.findChildren(CodeView)) == 1
    assert "This computer" in labels(reply)
    assert "3 tokens" in labels(reply)


def test_each_part_is_dressed_once_it_is_whole(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["A **disc**:\n\n", "``", "`py\ndef area", "(r):\n    return 3", "\n``", "`\nSo *it* is."]
    stage = make_stage(core)
    stage.hold_word(4)
    stage.enter().chat.send("How large is it?")
    stage.until(lambda: stage.chat.heard.endswith("return 3"))
    (reply,) = shown(stage, ReplyMessage)
    code = child(reply, CodeView)
    assert child(reply, ProseView).toPlainText() == "A disc:"
    assert child(code, QPlainTextEdit).toPlainText() == "def area(r):\n    return 3"
    assert not code.colours
    stage.released.set()
    stage.settle()
    assert reply.findChild(CodeView) is code, "what was shown stays where it is"
    assert child(code, QPlainTextEdit).toPlainText() == "def area(r):\n    return 3"
    assert [[span.kind for span in line] for line in code.colours] == [
        [Kind.KEYWORD, Kind.NAME],
        [Kind.KEYWORD, Kind.NUMBER],
    ]
    assert [view.toPlainText() for view in reply.findChildren(ProseView)] == ["A disc:", "So it is."]
    child(code, Button).click()
    assert QGuiApplication.clipboard().text() == "def area(r):\n    return 3"


def test_the_colours_of_code_follow_the_theme(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["```py\nreturn\n```"]
    stage = make_stage(core).enter()
    ask(stage, "Give it back")
    editor = child(shown(stage, ReplyMessage)[0], QPlainTextEdit)
    for appearance, tokens in ((Appearance.DARK, DARK), (Appearance.LIGHT, LIGHT)):
        theme().choose(appearance)
        (coloured,) = editor.document().firstBlock().layout().formats()
        assert coloured.format.foreground().color().name().upper() == tokens.code_keyword


def test_code_is_copied_with_a_button_and_a_table_is_one(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["```py\nx = 1\n```\n\n", "| a | b |\n|---|---|\n| 1 | 2 |\n"]
    stage = make_stage(core).enter()
    ask(stage, "Show me")
    (reply,) = shown(stage, ReplyMessage)
    (copy,) = [one for one in reply.findChildren(QPushButton) if one.text() == "Copy code"]
    copy.click()
    assert QGuiApplication.clipboard().text() == "x = 1"
    (table,) = [view for view in reply.findChildren(ProseView) if view.isVisible()]
    assert isinstance(table.document().rootFrame().childFrames()[0], QTextTable)


def test_html_and_pictures_in_a_reply_stay_words(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ['<img src="file:///etc/passwd"> <b>bold</b> ![p](file:///etc/passwd)']
    stage = make_stage(core).enter()
    ask(stage, "Show me")
    (reply,) = shown(stage, ReplyMessage)
    views = [view for view in reply.findChildren(ProseView) if view.isVisible()]
    assert "<b>bold</b> [Picture: p]" in views[0].toPlainText()
    assert views[0].loadResource(2, "file:///etc/passwd") is None


def test_stop_keeps_what_was_said(answering: Stage) -> None:
    assert answering.chat.composer.button.text() == "Stop"
    answering.chat.composer.button.click()
    answering.settle()
    turn = answering.chat.conversation.turns[-1]
    assert turn.text == "Only you. "
    assert turn.facts is not None
    assert turn.facts.finish == "cancelled"
    assert "stopped by you" in labels(shown(answering, ReplyMessage)[0])
    assert answering.core.conversations.get(answering.chat.conversation.id) == answering.chat.conversation
    assert answering.chat.composer.button.text() == "Send"


def test_escape_stops(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_word(1)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only ")
    QTest.keyClick(focused(), Qt.Key.Key_Escape)
    stage.settle()
    assert stage.chat.conversation.turns[-1].text == "Only "


def test_nothing_more_appears_on_the_screen_after_stop(make_stage: MakeStage) -> None:
    stage = make_stage()

    def stand_still(at: int, _: Cancel) -> None:
        if at == 2:
            stage.released.wait(60)

    stage.core.script.before_word = stand_still
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    stage.chat.stop()
    wait(80)
    assert stage.chat.heard == "Only you. "
    assert not stage.chat.composer.button.isEnabled()
    stage.released.set()
    stage.settle()


# Failing


def test_an_error_stands_in_the_conversation_and_the_words_return(
    make_stage: MakeStage, deployed: ScriptedCore
) -> None:
    def refuse(_: int, __: Cancel) -> None:
        raise SecurityError("The certificate does not hold.", not_lost="Nothing is lost.", next_step="Stop here.")

    deployed.script.before_word = refuse
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    (problem,) = shown(stage, Problem)
    assert labels(problem) == "The certificate does not hold. | Nothing is lost. | Stop here."
    assert stage.chat.composer.text == "Who controls it?"
    assert not shown(stage, UserMessage)
    deployed.script.before_word = lambda _, __: None
    QTest.keyClick(focused(), Qt.Key.Key_Return)
    stage.settle()
    assert len(stage.chat.conversation.turns) == 2
    assert not shown(stage, Problem)


def test_a_bug_in_the_core_ends_the_reply_and_opens_the_crash_dialog(make_stage: MakeStage) -> None:
    core = ScriptedCore()

    def stumble(_: int, __: Cancel) -> None:
        raise ZeroDivisionError("with a prompt in its message")

    core.script.before_word = stumble
    stage = make_stage(core).enter()
    ask(stage, "Who controls it?")
    assert "ZeroDivisionError" in stage.window.crash_report
    assert "prompt" not in stage.window.crash_report
    assert stage.chat.composer.text == "Who controls it?"
    assert [type(error) for error in stage.crashes] == [ZeroDivisionError]
    stage.crashes.clear()


def test_a_conversation_that_cannot_be_saved_says_so(make_stage: MakeStage) -> None:
    core = ScriptedCore()

    def full(_: Conversation) -> None:
        raise StorageError("Could not save the conversation: the disk is full.")

    core.script.on_save = full
    stage = make_stage(core).enter()
    ask(stage, "Who controls it?")
    assert "the disk is full" in stage.find(Problem).accessibleName()
    assert stage.chat.conversation.turns[-1].role == "assistant"
