"""What a conversation is: immutable turns, their other versions, and where each reply came from.

Turns form a tree: each names the one before it. `Conversation.turns` is the branch that is shown; what was said in its
place once (a question before it was edited, a reply before it was asked for again) stands aside and can be shown again.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from personal_ai.models.messages import Message, Role
from personal_ai.models.sampling import Sampling

TITLE_LENGTH_MAX = 48
SUMMARY_HEAD = "What was said before, in short:"

# "interrupted": the program ended before the reply did.
Finish = Literal["end", "stop", "max_tokens", "cancelled", "interrupted"]


class Place(StrEnum):
    """Where words go to be answered."""

    LOCAL = "local"
    PRACTICE = "practice"
    CANISTER = "canister"


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """How one reply came about.

    calls: messages sent to the canister. instructions: what the canister counted, 0 for a local reply.
    cycles: about what that cost at the network's prices, without what the network may round; 0 where nothing was paid.
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
    cycles: int = 0

    def followed_by(self, rest: ReplyFacts) -> ReplyFacts:
        """The facts of a reply that was carried on: the sums, and where its end came from."""
        locally_at = self.continued_locally_at
        if locally_at is None and (rest.place is Place.LOCAL) != (self.place is Place.LOCAL):
            locally_at = self.tokens + (rest.continued_locally_at or 0)
        return replace(
            rest,
            tokens=self.tokens + rest.tokens,
            seconds=self.seconds + rest.seconds,
            calls=self.calls + rest.calls,
            instructions=self.instructions + rest.instructions,
            cycles=self.cycles + rest.cycles,
            fallback_reason=rest.fallback_reason or self.fallback_reason,
            continued_locally_at=locally_at,
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `facts` belong to replies. `parent` is the id of the turn that it follows.

    One of the role "system" is a cut (chat/cuts.py): what was said before it is not told to the model any more.
    """

    role: Role
    text: str
    facts: ReplyFacts | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at_ns: int = field(default_factory=time.time_ns)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with one model. `deployment` is the journal's id of the canister that is asked first.

    pinned: the side that the user chose; one pinned to this computer never leaves it.
    aside: turns that are not shown. starred: kept at the head of the list.
    instructions: what the model is told before all else. sampling: how it chooses words; None leaves that to the chat.
    """

    model: str
    deployment: str | None = None
    pinned: Place | None = None
    title: str = ""
    turns: tuple[Turn, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    aside: tuple[Turn, ...] = ()
    starred: bool = False
    instructions: str = ""
    sampling: Sampling | None = None

    def with_turn(self, turn: Turn) -> Conversation:
        """The conversation with `turn` at its end; the first words of the user become its title."""
        title = self.title or (_title(turn.text) if turn.role == "user" else "")
        follows = replace(turn, parent=self.turns[-1].id if self.turns else None)
        return replace(self, turns=(*self.turns, follows), title=title)

    def without_last(self) -> Conversation:
        """The conversation as if its last turn had never been."""
        return replace(self, turns=self.turns[:-1])

    def settled(self) -> Conversation:
        """Without a question at the end that waits for a reply: with the last reply to it, or without the question."""
        if not self.turns or self.turns[-1].role != "user":
            return self
        question = self.turns[-1].id
        return self.showing(question) if any(turn.parent == question for turn in self.aside) else self.without_last()

    def messages(self) -> list[Message]:
        """What the model is told, as the chat template wants it: instructions, then the turns from the last cut on."""
        told = told_turns(self.turns)
        cut = self.turns[-len(told) - 1] if len(told) < len(self.turns) else None
        summary = f"{SUMMARY_HEAD} {cut.text}" if cut is not None and cut.text else ""
        first = "\n\n".join(filter(None, (self.instructions, summary)))
        system = [Message("system", first)] if first else []
        return [*system, *(Message(turn.role, turn.text) for turn in told)]

    # Versions

    def versions(self, turn_id: str) -> tuple[Turn, ...]:
        """What was said in this place, the first first; the turn itself is among them. Raises KeyError."""
        everything = self._by_id()
        parent = everything[turn_id].parent
        return tuple(sorted((turn for turn in everything.values() if turn.parent == parent), key=_age))

    def before(self, turn_id: str) -> Conversation:
        """The conversation up to a shown turn, which stands aside with all that followed it. Raises KeyError."""
        at = self._position(turn_id)
        return replace(self, turns=self.turns[:at], aside=(*self.aside, *self.turns[at:]))

    def up_to(self, turn_id: str) -> Conversation:
        """The conversation up to and with a shown turn; what followed stands aside. Raises KeyError."""
        at = self._position(turn_id) + 1
        return replace(self, turns=self.turns[:at], aside=(*self.aside, *self.turns[at:]))

    def showing(self, turn_id: str) -> Conversation:
        """The branch through this turn, and from there along what was said last. Raises KeyError."""
        everything = self._by_id()
        branch = list(branch_to(turn_id, everything))
        newest = {turn.parent: turn for turn in sorted(everything.values(), key=_age)}
        while (child := newest.get(branch[-1].id)) is not None:
            branch.append(child)
        shown = {turn.id for turn in branch}
        aside = tuple(turn for turn in everything.values() if turn.id not in shown)
        return replace(self, turns=tuple(branch), aside=aside)

    # Copies

    def branch(self, turn_id: str, title: str) -> Conversation:
        """A new conversation that begins like this one up to a shown turn. Raises KeyError."""
        turns = self.turns[: self._position(turn_id) + 1]
        return replace(self, id=uuid.uuid4().hex, title=title, turns=turns, aside=(), starred=False)

    def duplicate(self, title: str) -> Conversation:
        """A copy of everything."""
        return replace(self, id=uuid.uuid4().hex, title=title, starred=False)

    def merged(self, other: Conversation) -> Conversation:
        """This conversation with the turns of another copy of it that it lacks, as versions. Nothing is lost."""
        known = self._by_id()
        return replace(self, aside=(*self.aside, *(turn for turn in other.everything if turn.id not in known)))

    @property
    def everything(self) -> tuple[Turn, ...]:
        """Every turn, shown and aside."""
        return (*self.turns, *self.aside)

    def _by_id(self) -> dict[str, Turn]:
        return {turn.id: turn for turn in self.everything}

    def _position(self, turn_id: str) -> int:
        for at, turn in enumerate(self.turns):
            if turn.id == turn_id:
                return at
        raise KeyError(turn_id)


def told_turns(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Those after the last cut (chat/cuts.py)."""
    cuts = [at for at, turn in enumerate(turns) if turn.role == "system"]
    return turns[cuts[-1] + 1 :] if cuts else turns


def branch_to(tip: str | None, turns: dict[str, Turn]) -> tuple[Turn, ...]:
    """The turns that lead to `tip`, in order. Raises KeyError where one is missing, ValueError where they go round."""
    branch: list[Turn] = []
    while tip is not None:
        branch.append(turns[tip])
        tip = branch[-1].parent
        if len(branch) > len(turns):
            raise ValueError("turns follow each other in a circle")
    return tuple(reversed(branch))


def _age(turn: Turn) -> tuple[int, str]:
    return turn.created_at_ns, turn.id


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH_MAX else line[: TITLE_LENGTH_MAX - 1].rstrip() + "…"
