"""Cuts: from where on a model is told a conversation that has become too long for it.

A cut is a turn of the role "system". What stands before it is kept and shown, and is no longer told to the model; the
cut's text, if it has one, is told in its place as a summary. What was said after the place of the cut follows it again,
as a version beside the uncut one: showing that version undoes the cut.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from personal_ai.chat.conversation import Conversation, Turn, told_turns
from personal_ai.models.messages import Message

SUMMARY_REQUEST = (
    "Summarise our conversation so far in a few sentences: who said what, what was decided, and every name and number "
    "that matters. Write the summary alone."
)


def beginnings(conversation: Conversation) -> Sequence[int]:
    """The positions at which a cut can stand: before a later question, the earliest first, and at the end."""
    told = told_turns(conversation.turns)
    first = len(conversation.turns) - len(told)
    later = [first + at for at, turn in enumerate(told) if at > 0 and turn.role == "user"]
    return [*later, len(conversation.turns)]


def with_cut(conversation: Conversation, position: int, summary: str = "") -> Conversation:
    """The conversation of which the model is told the turns from `position` on, and `summary` before them."""
    kept = conversation.turns[position:]
    cut = replace(conversation, turns=conversation.turns[:position], aside=(*conversation.aside, *kept)).with_turn(
        Turn("system", summary)
    )
    return _followed_by(cut, kept)


def carried_on(conversation: Conversation, position: int, title: str) -> Conversation:
    """A new conversation that begins with the turns from `position` on."""
    empty = replace(conversation, id=uuid.uuid4().hex, title=title, turns=(), aside=(), starred=False)
    return _followed_by(empty, conversation.turns[position:])


def summary_question(conversation: Conversation, position: int) -> list[Message]:
    """What asks a model to summarise the turns that a cut at `position` would leave out."""
    before = replace(conversation, turns=conversation.turns[:position])
    return [*before.messages(), Message("user", SUMMARY_REQUEST)]


def _followed_by(conversation: Conversation, turns: Sequence[Turn]) -> Conversation:
    """With copies of the turns at its end: a turn itself never changes its place."""
    for turn in turns:
        copy = replace(turn, id=uuid.uuid4().hex, created_at_ns=time.time_ns())
        conversation = conversation.with_turn(copy)
    return conversation
