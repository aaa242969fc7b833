"""Chats for the tests: asked on the page, kept in the store, and what is seen of them."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import QLabel, QWidget

from personal_ai.chat.conversation import Conversation, Turn
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage

W = TypeVar("W", bound=QWidget)


def shown(stage: Stage, kind: type[W]) -> list[W]:
    return [widget for widget in stage.chat.transcript.widgets() if isinstance(widget, kind)]


def labels(widget: QWidget) -> str:
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


def only_talk(core: ScriptedCore) -> Conversation:
    """The one that is kept."""
    (kept,) = core.conversations.list()
    talk = core.conversations.get(kept.id)
    assert talk is not None
    return talk
