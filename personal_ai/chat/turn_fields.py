"""Turns and what belongs to them as fields: of the store's tables, and of exported files."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import NoneType
from typing import Any, get_args

from personal_ai.chat.conversation import Finish, Place, ReplyFacts, Turn
from personal_ai.models.sampling import Sampling


def row(turn: Turn) -> tuple[Any, ...]:
    """role, text, facts, id, created_at_ns, parent."""
    facts = None if turn.facts is None else json.dumps(asdict(turn.facts))
    return turn.role, turn.text, facts, turn.id, turn.created_at_ns, turn.parent


def turn_from_row(row: tuple[Any, ...]) -> Turn:
    """The opposite of `row`."""
    role, text, facts, turn_id, created_at_ns, parent = row
    return Turn(role, text, None if facts is None else facts_from(json.loads(facts)), turn_id, created_at_ns, parent)


def facts_from(fields: dict[str, Any]) -> ReplyFacts:
    """Raises KeyError, TypeError and ValueError where the fields are not those of a reply's facts."""
    facts = ReplyFacts(**{**fields, "place": Place(fields["place"])})
    numbers = (facts.tokens, facts.seconds, facts.calls, facts.instructions)
    if not all(isinstance(number, (int, float)) and 0 <= number < 1e18 for number in numbers):
        raise ValueError("no facts")
    if facts.finish not in get_args(Finish) or not isinstance(facts.fallback_reason, (str, NoneType)):
        raise ValueError("no facts")
    if not isinstance(facts.continued_locally_at, (int, NoneType)):
        raise ValueError("no facts")
    return facts


def sampling_text(sampling: Sampling | None) -> str | None:
    return None if sampling is None else json.dumps(asdict(sampling))


def sampling_from_text(text: str | None) -> Sampling | None:
    return None if text is None else Sampling(**json.loads(text))
