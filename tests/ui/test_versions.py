"""What can be done with a message: edited, answered again, carried on, branched from; nothing said is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QInputDialog, QListWidget

from personal_ai.chat.conversation import Conversation
from personal_ai.chat.presets import INVENTIVE, Preset
from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel
from personal_ai.models.sampling import Sampling
from tests.ui.looking import child, focused
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage, wait
from ui.widgets.chat_style import ChatStyleDialog
from ui.widgets.message import Act, MessageView
from ui.widgets.notice import Problem

MakeStage = Callable[..., Stage]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A chat with one question and its reply, "Only you. Your key controls it.\""""
    stage = make_stage(ScriptedCore()).enter()
    stage.chat.send("Who?")
    stage.settle()
    return stage


def texts(stage: Stage) -> list[str]:
    return [turn.text for turn in stage.chat.conversation.turns]


def messages(stage: Stage) -> list[MessageView]:
    return [one for one in stage.chat.transcript.widgets() if isinstance(one, MessageView)]


def do(stage: Stage, act: Act, at: int) -> None:
    """As the message's menu does it."""
    words = {Act.EDIT: "Edit", Act.AGAIN: "another reply", Act.GO_ON: "go on", Act.BRANCH: "New chat"}[act]
    menu = messages(stage)[at].menu()
    (action,) = [action for action in menu.actions() if words in action.text()]
    action.trigger()
    stage.settle()


def stored(stage: Stage) -> Conversation:
    found = stage.core.conversations.get(stage.chat.conversation.id)
    assert found is not None
    return found


def test_an_edited_question_takes_the_place_of_the_first_and_both_stay(stage: Stage) -> None:
    do(stage, Act.EDIT, 0)
    assert stage.chat.composer.text == "Who?"
    stage.chat.composer.set_text("What?")
    stage.core.script.words = ["A home."]
    stage.chat.composer.button.click()
    stage.settle()
    assert texts(stage) == ["What?", "A home."]
    assert stage.chat.composer.text == ""
    messages(stage)[0].version_wanted.emit(stage.chat.conversation.versions(stage.chat.conversation.turns[0].id)[0].id)
    stage.settle()
    assert texts(stage) == ["Who?", "Only you. Your key controls it."]
    assert stored(stage).turns == stage.chat.conversation.turns


def test_an_edit_can_be_left(stage: Stage) -> None:
    do(stage, Act.EDIT, 0)
    QTest.keyClick(focused(), Qt.Key.Key_Escape)
    assert stage.chat.composer.text == ""
    stage.chat.send("And?")
    stage.settle()
    assert texts(stage)[::2] == ["Who?", "And?"]


def test_another_reply_is_a_version(stage: Stage) -> None:
    stage.core.script.words = ["You."]
    do(stage, Act.AGAIN, 1)
    assert texts(stage) == ["Who?", "You."]
    menu = messages(stage)[1].menu()
    (earlier,) = [action for action in menu.actions() if action.text() == "Earlier version"]
    earlier.trigger()
    stage.settle()
    assert texts(stage) == ["Who?", "Only you. Your key controls it."]


def test_when_another_reply_fails_the_first_is_shown_again(stage: Stage) -> None:
    def fail(_: int, __: Cancel) -> None:
        raise StorageError("The disk is full.")

    stage.core.script.before_word = fail
    do(stage, Act.AGAIN, 1)
    assert texts(stage) == ["Who?", "Only you. Your key controls it."]
    assert stage.chat.transcript.findChildren(Problem)
    assert stored(stage).turns == stage.chat.conversation.turns


def test_a_stopped_reply_can_go_on(stage: Stage) -> None:
    stage.hold_word(2)
    stage.chat.send("Why?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    stage.chat.stop()
    stage.settle()
    stage.core.script.before_word = lambda _, __: None
    stage.core.script.words = ["That is why."]
    do(stage, Act.GO_ON, 3)
    assert texts(stage)[-1] == "Only you. That is why."
    assert "Only you. That is why." in messages(stage)[-1].text


def test_a_branch_is_a_chat_of_its_own(stage: Stage) -> None:
    first = stage.chat.conversation
    stage.chat.send("Why?")
    stage.settle()
    do(stage, Act.BRANCH, 1)
    assert texts(stage) == ["Who?", "Only you. Your key controls it."]
    assert stage.chat.conversation.id != first.id
    assert sorted(stage.chat.list.titles) == ["Who?", "Who? (from here)"]


def test_a_chat_branches_even_while_its_reply_is_on_the_way(stage: Stage) -> None:
    stage.hold_word(1)
    stage.chat.send("Why?")
    stage.until(lambda: stage.chat.heard == "Only ")
    question = messages(stage)[2]
    question.acted.emit(Act.BRANCH)
    assert texts(stage) == ["Who?", "Only you. Your key controls it."]
    assert stage.chat.composer.text == "Why?"
    assert stage.chat.conversation.title.endswith("(from here)")
    stage.released.set()
    stage.settle()


def test_words_written_in_one_chat_wait_there(stage: Stage) -> None:
    talk = stage.chat.conversation
    stage.chat.composer.set_text("Half a thought")
    stage.chat.new_chat()
    stage.settle()
    assert stage.chat.composer.text == ""
    stage.chat.composer.set_text("For the new one")
    stage.chat.list.selected.emit(talk.id)
    stage.settle()
    assert stage.chat.composer.text == "Half a thought"
    stage.chat.new_chat()
    stage.settle()
    assert stage.chat.composer.text == "For the new one"


def test_rename_star_and_duplicate(stage: Stage) -> None:
    talk = stage.chat.conversation
    stage.chat.kept.rename(talk.id)
    dialog = child(stage.chat, QInputDialog)
    dialog.setTextValue("  Keys  ")
    dialog.accept()
    stage.settle()
    assert stage.chat.conversation.title == "Keys"
    stage.chat.list.star_wanted.emit(talk.id)
    stage.settle()
    assert stage.chat.conversation.starred
    stage.chat.list.copy_wanted.emit(talk.id)
    stage.settle()
    assert stage.chat.list.titles == ["Keys", "Keys (copy)"]
    item = child(stage.chat.list, QListWidget).item(0)
    assert [action.text() for action in stage.chat.list.menu_for(item).actions()][1] == "Remove the star"


def test_leaving_the_rename_dialog_changes_nothing(stage: Stage) -> None:
    stage.chat.kept.rename(stage.chat.conversation.id)
    child(stage.chat, QInputDialog).reject()
    stage.settle()
    assert stage.chat.conversation.title == "Who?"


def test_instructions_and_style_are_kept_with_the_chat(stage: Stage) -> None:
    stage.core.conversations.save_preset(Preset("Bard", "Rhyme.", INVENTIVE))
    stage.chat.choose_style()
    stage.settle()
    dialog = child(stage.chat, ChatStyleDialog)
    assert dialog.sampling == Sampling()
    dialog._preset.setCurrentIndex(1)
    dialog._preset.activated.emit(1)
    dialog.accept()
    stage.settle()
    assert (stored(stage).instructions, stored(stage).sampling) == ("Rhyme.", INVENTIVE)


def test_a_preset_is_kept_and_removed(stage: Stage) -> None:
    stage.chat.choose_style()
    stage.settle()
    dialog = child(stage.chat, ChatStyleDialog)
    dialog._instructions.setPlainText("Be brief.")
    dialog._keep.click()
    name = child(dialog, QInputDialog)
    name.setTextValue("Short")
    name.accept()
    stage.settle()
    assert [preset.name for preset in stage.core.conversations.presets()] == ["Short"]
    dialog._remove.click()
    stage.settle()
    assert stage.core.conversations.presets() == []
    dialog.reject()


def test_chats_go_to_files_and_come_back(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    path = tmp_path / "chats.json"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    stage.chat.list.export_all_wanted.emit()
    stage.settle()
    assert json.loads(path.read_bytes())["conversations"][0]["title"] == "Who?"
    stage.core.conversations.delete(stage.chat.conversation.id)
    stage.chat.list.import_wanted.emit()
    stage.settle()
    assert stage.chat.list.titles == ["Who?"]
    path = tmp_path / "chat.md"
    stage.chat.list.export_wanted.emit(stage.chat.conversation.id)
    stage.settle()
    assert path.read_text("utf-8").startswith("# Who?")


def test_a_foreign_file_is_refused_in_words(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chats.json"
    path.write_bytes(b"{}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    stage.chat.list.import_wanted.emit()
    stage.settle()
    assert stage.shell.findChildren(Problem)


def test_leaving_a_file_dialog_does_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    for signal in (stage.chat.list.export_all_wanted, stage.chat.list.import_wanted, stage.chat.header.export_wanted):
        signal.emit()
    wait(20)
    assert not stage.shell.findChildren(Problem)
