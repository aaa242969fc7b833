"""The conversation page on a scripted core: streaming, stopping, falling back, failing, and what is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPlainTextEdit

from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.common.errors import Cancelled, SecurityError, StorageError
from personal_ai.common.jobs import Cancel
from ui.highlight import Kind
from ui.theme import Appearance, theme
from ui.theme.tokens import DARK, LIGHT
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage, wait
from ui.widgets.basic import Button
from ui.widgets.chat_header import ChatHeader
from ui.widgets.code_view import CodeView
from ui.widgets.empty_chat import EmptyChat
from ui.widgets.message import MessageView, ReplyMessage, UserMessage
from ui.widgets.notice import Notice, Problem
from ui.widgets.prose import ProseView

MakeStage = Callable[..., Stage]

LONG = "\n\n".join(f"Paragraph {number} of a long reply that fills the page." for number in range(60))


@pytest.fixture
def deployed() -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    return core


def shown(stage: Stage, kind: type) -> list:
    return [widget for widget in stage.chat.transcript.widgets() if isinstance(widget, kind)]


def labels(widget: object) -> str:
    return " | ".join(label.text() for label in widget.findChildren(QLabel)).replace("\N{NO-BREAK SPACE}", " ")


def ask(stage: Stage, text: str) -> None:
    stage.chat.send(text)
    stage.settle()


def keep_talk(core: ScriptedCore, *texts: str) -> Conversation:
    """A stored conversation of one question and answer for each text."""
    talk = Conversation("starter")
    for text in texts:
        talk = talk.with_turn(Turn("user", text)).with_turn(Turn("assistant", f"Answer to {text}"))
    core.conversations.save(talk)
    return talk


def open_talk(stage: Stage, talk: Conversation) -> None:
    stage.chat.list.selected.emit(talk.id)
    stage.until(lambda: stage.chat.conversation.id == talk.id)
    stage.settle()


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
    assert reply.findChild(ProseView).toPlainText() == "Only **you**. "
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
    code = reply.findChild(CodeView)
    assert reply.findChild(ProseView).toPlainText() == "A disc:"
    assert code.findChild(QPlainTextEdit).toPlainText() == "def area(r):\n    return 3"
    assert not code.colours
    stage.released.set()
    stage.settle()
    assert reply.findChild(CodeView) is code, "what was shown stays where it is"
    assert code.findChild(QPlainTextEdit).toPlainText() == "def area(r):\n    return 3"
    assert [[span.kind for span in line] for line in code.colours] == [
        [Kind.KEYWORD, Kind.NAME],
        [Kind.KEYWORD, Kind.NUMBER],
    ]
    assert [view.toPlainText() for view in reply.findChildren(ProseView)] == ["A disc:", "So it is."]
    code.findChild(Button).click()
    assert QGuiApplication.clipboard().text() == "def area(r):\n    return 3"


def test_the_colours_of_code_follow_the_theme(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["```py\nreturn\n```"]
    stage = make_stage(core).enter()
    ask(stage, "Give it back")
    editor = shown(stage, ReplyMessage)[0].findChild(QPlainTextEdit)
    for appearance, tokens in ((Appearance.DARK, DARK), (Appearance.LIGHT, LIGHT)):
        theme().choose(appearance)
        (coloured,) = editor.document().firstBlock().layout().formats()
        assert coloured.format.foreground().color().name().upper() == tokens.code_keyword


def test_html_and_pictures_in_a_reply_stay_words(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ['<img src="file:///etc/passwd"> <b>bold</b> ![p](file:///etc/passwd)']
    stage = make_stage(core).enter()
    ask(stage, "Show me")
    (reply,) = shown(stage, ReplyMessage)
    views = [view for view in reply.findChildren(ProseView) if view.isVisible()]
    assert "<b>bold</b>" in views[0].toPlainText()
    assert views[0].loadResource(2, "file:///etc/passwd") is None


def test_stop_keeps_what_was_said(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_word(2)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    assert stage.chat.composer.button.text() == "Stop"
    stage.chat.composer.button.click()
    stage.settle()
    turn = stage.chat.conversation.turns[-1]
    assert turn.text == "Only you. "
    assert turn.facts is not None
    assert turn.facts.finish == "cancelled"
    assert "stopped by you" in labels(shown(stage, ReplyMessage)[0])
    assert stage.core.conversations.get(stage.chat.conversation.id) == stage.chat.conversation
    assert stage.chat.composer.button.text() == "Send"


def test_escape_stops(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_word(1)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only ")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    stage.settle()
    assert stage.chat.conversation.turns[-1].text == "Only "


def test_nothing_more_appears_on_the_screen_after_stop(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.core.script.before_word = lambda at, cancel: stage.released.wait(10) if at == 2 else None
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    stage.chat.stop()
    wait(80)
    assert stage.chat.heard == "Only you. "
    assert not stage.chat.composer.button.isEnabled()
    stage.released.set()
    stage.settle()


# Where words go


def test_the_chip_says_where_words_go_before_they_are_sent(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    stage = make_stage(deployed).enter()
    assert stage.find(ChatHeader).place_shown == "Practice network"
    local = make_stage().enter()
    assert local.find(ChatHeader).place_shown == "This computer"


def test_a_fallback_is_told_in_one_sentence_and_on_the_chip(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    deployed.script.fallback_reason = "The practice network does not answer."
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    (notice,) = shown(stage, Notice)
    assert notice.text == (
        "The practice network does not answer. This answer comes from the same weights on this computer."
    )
    kinds = [type(widget) for widget in stage.chat.transcript.widgets()]
    assert kinds == [UserMessage, Notice, ReplyMessage]
    assert stage.find(ChatHeader).place_shown == "On this computer now"
    deployed.practice_network.running = True
    ask(stage, "And now?")
    assert stage.find(ChatHeader).place_shown == "Practice network"
    assert len(shown(stage, Notice)) == 1


def test_a_fallback_is_still_told_when_the_chat_is_opened_again(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    talk = stage.chat.conversation
    stage.chat.new_chat()
    open_talk(stage, talk)
    assert "not running" in shown(stage, Notice)[0].text


def test_a_chat_can_be_kept_on_this_computer_and_sent_back(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    stage.chat.header.local_wanted.emit()
    stage.settle()
    assert stage.find(ChatHeader).place_shown == "This computer"
    kept = stage.core.conversations.get(stage.chat.conversation.id)
    assert kept is not None
    assert kept.pinned is Place.LOCAL
    stage.chat.header.deployment_wanted.emit("rowan-1")
    stage.settle()
    assert stage.find(ChatHeader).place_shown == "Practice network"
    assert stage.chat.conversation.pinned is None


def test_the_model_says_what_it_is(stage: Stage) -> None:
    assert "knows only this app" in labels(stage.chat.composer)


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
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
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


# Conversations


def test_a_question_is_kept_even_if_the_program_dies_before_the_answer(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_word(0)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: bool(stage.core.conversations.list()))
    (kept,) = stage.core.conversations.list()
    reopened = make_stage(ScriptedCore(has_vault=True))
    found = stage.core.conversations.get(kept.id)
    assert found is not None
    reopened.core.conversations.save(found)
    open_talk(reopened.enter(), found)
    assert reopened.chat.composer.text == "Who controls it?"
    assert not shown(reopened, UserMessage)


def test_another_chat_can_be_read_while_one_is_answered(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    other = keep_talk(core, "Trip notes")
    stage = make_stage(core)
    stage.hold_word(2)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    asked = stage.chat.conversation.id
    stage.chat.list.selected.emit(other.id)
    stage.until(lambda: stage.chat.conversation.id == other.id)
    stage.chat.composer.set_text("Something else")
    assert not stage.chat.composer.button.isEnabled()
    assert len(shown(stage, ReplyMessage)) == 1
    stage.chat.list.selected.emit(asked)
    stage.until(lambda: stage.chat.conversation.id == asked)
    assert shown(stage, ReplyMessage)[0].text == "Only you. "
    stage.chat.list.selected.emit(other.id)
    stage.until(lambda: stage.chat.conversation.id == other.id)
    stage.released.set()
    stage.settle()
    kept = core.conversations.get(asked)
    assert kept is not None
    assert kept.turns[-1].text == "Only you. Your key controls it."
    assert stage.chat.conversation.id == other.id
    assert stage.chat.composer.text == "Something else"


def test_a_deleted_chat_comes_back_with_undo(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, "Trip notes")
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    stage.chat.kept.delete(talk.id)
    stage.settle()
    assert stage.chat.list.titles == []
    assert core.conversations.get(talk.id) is not None
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    stage.settle()
    assert stage.chat.list.titles == ["Trip notes"]
    assert stage.chat.conversation.id == talk.id


def test_a_deleted_chat_is_gone_when_the_window_closes(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, "Trip notes")
    stage = make_stage(core).enter()
    stage.chat.kept.delete(talk.id)
    stage.close()
    assert core.conversations.get(talk.id) is None


def test_a_chat_deleted_while_it_is_answered_stays_deleted(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_word(1)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only ")
    stage.chat.kept.delete(stage.chat.conversation.id)
    stage.settle()
    stage.shell.toast.settle()
    stage.settle()
    assert stage.core.conversations.list() == []


def test_delete_key_and_arrow_keys_work_in_the_list(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    first, second = keep_talk(core, "First"), keep_talk(core, "Second")
    stage = make_stage(core).enter()
    stage.chat.list.take_focus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
    stage.settle()
    assert stage.chat.conversation.id == second.id
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
    stage.settle()
    assert stage.chat.conversation.id == first.id
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Delete)
    stage.settle()
    assert stage.chat.list.titles == ["Second"]


# Reading and writing


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
    assert QApplication.focusWidget() is messages[1]
    QTest.keyClick(messages[1], Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Answer to Trip notes"


def test_the_whole_chat_is_copied(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    talk = keep_talk(core, "Trip notes")
    stage = make_stage(core).enter()
    open_talk(stage, talk)
    stage.chat.header.copy_wanted.emit()
    assert QGuiApplication.clipboard().text() == "You:\nTrip notes\n\nReply:\nAnswer to Trip notes"


def test_enter_sends_and_shift_enter_starts_a_line(stage: Stage) -> None:
    field = QApplication.focusWidget()
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
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    stage.settle()
    assert stage.chat.conversation.turns == ()


def test_a_suggestion_is_asked_with_one_click(stage: Stage) -> None:
    stage.find(EmptyChat).asked.emit("What is a canister?")
    stage.settle()
    assert stage.chat.conversation.title == "What is a canister?"


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


def test_the_chip_offers_to_start_the_network_that_is_missing(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    stage = make_stage(deployed).enter()
    assert [offer.text() for offer in stage.chat.header.offers] == [
        "Ask Rowan on: Practice network",
        "Keep this chat on this computer",
        "Start the practice network",
    ]
    stage.chat.header.offers[-1].trigger()
    stage.settle()
    assert deployed.practice_network.running
    assert len(stage.chat.header.offers) == 2
    ask(stage, "Who controls it?")
    assert not shown(stage, Notice)


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
    link = shown(stage, ReplyMessage)[0].findChild(ProseView).anchorClicked
    link.emit(QUrl("file:///etc/passwd"))
    assert not asked
    link.emit(QUrl("https://example.org/really"))
    link.emit(QUrl("https://example.org/really"))
    assert "https://example.org/really" in asked[0]
    assert opened == ["https://example.org/really"]


def test_undo_brings_back_what_was_erased_from_the_composer(stage: Stage) -> None:
    field = QApplication.focusWidget()
    QTest.keyClicks(field, "Words")
    QTest.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(field, Qt.Key.Key_Delete)
    assert stage.chat.composer.text == ""
    QTest.keyClick(field, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert stage.chat.composer.text == "Words"
