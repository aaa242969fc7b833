"""Chats that are kept: deleted with a way back, read while another is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from personal_ai.common.errors import NetworkUnreachableError, StorageError
from personal_ai.common.jobs import Cancel
from tests.ui.looking import focused
from tests.ui.talks import keep_talk, only_talk, open_talk, shown
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.message import ReplyMessage, UserMessage
from ui.widgets.notice import Problem

MakeStage = Callable[..., Stage]


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


def test_of_a_reply_is_kept_what_has_come_until_nothing_comes_of_it(make_stage: MakeStage) -> None:
    stage = make_stage()
    held = threading.Event()

    def fail_later(at: int, _: Cancel) -> None:
        if at == 2:
            held.wait()
            raise NetworkUnreachableError("The network is away.")

    stage.core.script.before_word = fail_later
    stage.enter().chat.send("Who?")
    kept = stage.core.conversations
    stage.until(lambda: kept.unfinished is not None and kept.unfinished.text == "Only you. ")
    held.set()
    stage.settle()
    assert stage.core.conversations.unfinished is None


def test_a_disk_that_refuses_what_has_come_is_not_told_with_every_word(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("The disk is full.")

    stage = make_stage()
    monkeypatch.setattr(stage.core.conversations, "save_unfinished", refuse)
    stage.enter().chat.send("Who?")
    stage.settle()
    assert len(only_talk(stage.core).turns) == 2
    assert not stage.window.findChildren(Problem)


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
    QTest.keyClick(focused(), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
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
    QTest.keyClick(focused(), Qt.Key.Key_Down)
    stage.settle()
    assert stage.chat.conversation.id == second.id
    QTest.keyClick(focused(), Qt.Key.Key_Down)
    stage.settle()
    assert stage.chat.conversation.id == first.id
    QTest.keyClick(focused(), Qt.Key.Key_Delete)
    stage.settle()
    assert stage.chat.list.titles == ["Second"]


def test_what_is_chosen_while_a_reply_is_on_its_way_stays(answering: Stage) -> None:
    """Its name too, whether or not its chat is looked at."""
    answering.until(lambda: bool(answering.core.conversations.list()))
    (kept,) = answering.core.conversations.list()
    answering.chat.talk.set_style("Be brief.", None)
    answering.chat._save()
    answering.chat.new_chat()
    answering.chat.shelf.rename(kept.id, "Mine").on_success(answering.chat.kept._follow)
    answering.until(lambda: "Mine" in answering.chat.list.titles)
    answering.released.set()
    answering.settle()
    talk = only_talk(answering.core)
    assert (talk.title, talk.instructions, len(talk.turns)) == ("Mine", "Be brief.", 2)
