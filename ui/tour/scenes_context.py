"""The chat when the model's context is nearly full, and when it is."""

from __future__ import annotations

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.session import ContextFullError
from personal_ai.common.jobs import Cancel
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.basic import Button
from ui.widgets.room_card import RoomCard

_QUESTION = "And what would the same cost me for three years?"
_TALK = (
    ("What does a month of storage cost?", "About 0.42 USD for a model of this size; it is paid from the cycles."),
    ("Who pays it?", "The canister itself, from the cycles that you gave it."),
    ("What if there are none left?", "It freezes first, and keeps what is in it while you add some."),
)


def context_scenes() -> list[Scene]:
    return [
        Scene("chat", "context-full", _full, core=_long),
        Scene("chat", "context-summary", _summarising, core=_long),
        Scene("chat", "context-cut", _cut, core=_long),
    ]


def _long() -> ScriptedCore:
    core = ScriptedCore()
    core.script.context_length = 96
    talk = Conversation("starter", title="What storage costs")
    facts = ReplyFacts(Place.LOCAL, 21, 0.4, "end", calls=0, instructions=0)
    for question, answer in _TALK:
        talk = talk.with_turn(Turn("user", question)).with_turn(Turn("assistant", answer, facts))
    core.conversations.save(talk)
    return core


def _full(stage: Stage, look: Appearance) -> None:
    def refuse_once(_: int, __: Cancel) -> None:
        stage.core.script.before_word = lambda _, __: None
        raise ContextFullError(107, 96, can_be_cut=True)

    stage.core.script.before_word = refuse_once
    (talk,) = stage.core.conversations.list()
    stage.enter(look).chat.list.selected.emit(talk.id)
    stage.settle()
    stage.chat.send(_QUESTION)
    stage.settle()


def _summarising(stage: Stage, look: Appearance) -> None:
    stage.core.script.before_summary = stage.hold
    _full(stage, look)
    _offers(stage)[1].click()
    stage.draw()


def _cut(stage: Stage, look: Appearance) -> None:
    _full(stage, look)
    _offers(stage)[1].click()
    stage.settle()


def _offers(stage: Stage) -> list[Button]:
    return stage.find(RoomCard).findChildren(Button)
