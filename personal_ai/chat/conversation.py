"""What a conversation is: immutable turns, and where each reply came from."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from personal_ai.models.messages import Message, Role

TITLE_LENGTH_MAX = 48

Finish = Literal["end", "stop", "max_tokens", "cancelled"]


class Place(StrEnum):
    """Where words go to be answered."""

    LOCAL = "local"
    PRACTICE = "practice"
    CANISTER = "canister"


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """How one reply came about.

    calls: messages sent to the canister. instructions: what the canister counted, 0 for a local reply.
    fallback_reason: why this computer answered although a canister was asked.
    continued_locally_at: index of the first token that this computer added to a reply broken off on the way.
    """

    place: Place
    tokens: int
    seconds: float
    finish: Finish
    calls: int = 0
    instructions: int = 0
    fallback_reason: str | None = None
    continued_locally_at: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `facts` belong to replies."""

    role: Role
    text: str
    facts: ReplyFacts | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at_ns: int = field(default_factory=time.time_ns)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with one model. `deployment` is the journal's id of the canister that is asked first.

    pinned: the side that the user chose; one pinned to this computer never leaves it.
    """

    model: str
    deployment: str | None = None
    pinned: Place | None = None
    title: str = ""
    turns: tuple[Turn, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def with_turn(self, turn: Turn) -> Conversation:
        """The conversation with `turn` at its end; the first words of the user become its title."""
        title = self.title or (_title(turn.text) if turn.role == "user" else "")
        return replace(self, turns=(*self.turns, turn), title=title)

    def messages(self) -> list[Message]:
        """The turns as the chat template wants them."""
        return [Message(turn.role, turn.text) for turn in self.turns]


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH_MAX else line[: TITLE_LENGTH_MAX - 1].rstrip() + "…"
