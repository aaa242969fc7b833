"""Conversations out of the program and in again: Markdown to read, JSON to keep (docs/formats/conversations.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from types import NoneType
from typing import Any, get_args

from personal_ai.chat import turn_fields
from personal_ai.chat.conversation import Conversation, Finish, Place, ReplyFacts, Turn, branch_to
from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.models.messages import Role
from personal_ai.models.sampling import Sampling

FORMAT = "personal-ai-conversations"
VERSION = 2
_READ = (1, 2)  # 1 knew no reply that the end of the program interrupted
SIZE_BYTES_MAX = 256 << 20

_SPEAKERS = {"system": "What stands before this is not told to the model any more", "user": "You", "assistant": "Reply"}
_TEXT_LENGTH_MAX = 1 << 20
_ID_LENGTH_MAX = 64


def to_markdown(conversation: Conversation) -> str:
    """What is shown of a conversation, as Markdown. Replies keep their own Markdown; cuts are marked."""
    parts = [f"# {conversation.title}"]
    if conversation.instructions:
        parts.append(f"## Instructions\n\n{conversation.instructions.strip()}")
    parts += [_cut(turn) if turn.role == "system" else _said(turn) for turn in conversation.turns]
    return "\n\n".join(parts) + "\n"


def _said(turn: Turn) -> str:
    return f"## {'You' if turn.role == 'user' else 'Reply'}\n\n{turn.text.strip()}"


def _cut(turn: Turn) -> str:
    told = f" It is told instead: {turn.text.strip()}" if turn.text else ""
    return f"---\n\n*The model is no longer told what stands above.{told}*"


def to_json(conversations: Sequence[Conversation]) -> bytes:
    """Everything there is to conversations, other versions included, as UTF-8."""
    written = {"format": FORMAT, "version": VERSION, "conversations": [_fields(each) for each in conversations]}
    return json.dumps(written, indent=1, ensure_ascii=False).encode()


def from_json(content: bytes) -> list[Conversation]:
    """The opposite of `to_json`, for bytes from anywhere. Raises FormatError, UnknownVersionError."""
    if len(content) > SIZE_BYTES_MAX:
        raise _not_ours(f"it has more than {SIZE_BYTES_MAX >> 20} MiB")
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _not_ours("it is no JSON") from error
    if not isinstance(read, dict) or read.get("format") != FORMAT:
        raise _not_ours(f"it does not say that it is of the format {FORMAT}")
    if read.get("version") not in _READ:
        raise UnknownVersionError(
            f"The file has version {read.get('version')!r}; this program knows version {VERSION}.",
            not_lost="Your conversations are unchanged.",
            next_step="Update the program to read it.",
        )
    try:
        return [_conversation(fields) for fields in read["conversations"]]
    except (KeyError, TypeError, ValueError) as error:
        raise _not_ours("a conversation in it is incomplete or contradicts itself") from error


def _fields(conversation: Conversation) -> dict[str, Any]:
    sampling = conversation.sampling
    return {
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model,
        "deployment": conversation.deployment,
        "pinned": conversation.pinned,
        "starred": conversation.starred,
        "instructions": conversation.instructions,
        "sampling": None if sampling is None else asdict(sampling),
        "shown": conversation.turns[-1].id if conversation.turns else None,
        "turns": [asdict(turn) for turn in conversation.everything],
    }


def _conversation(fields: dict[str, Any]) -> Conversation:
    """Raises KeyError, TypeError, ValueError."""
    turns = {turn.id: turn for turn in map(_turn, fields["turns"])}
    _require_tree(turns)
    shown = branch_to(fields["shown"], turns)
    for turn in shown:
        del turns[turn.id]
    pinned, deployment, sampling = fields["pinned"], fields["deployment"], fields["sampling"]
    return Conversation(
        model=_text(fields["model"], _ID_LENGTH_MAX),
        deployment=None if deployment is None else _text(deployment, _ID_LENGTH_MAX),
        pinned=None if pinned is None else Place(pinned),
        title=_text(fields["title"]),
        turns=shown,
        id=_text(fields["id"], _ID_LENGTH_MAX),
        aside=tuple(turns.values()),
        starred=bool(fields["starred"]),
        instructions=_text(fields["instructions"]),
        sampling=None if sampling is None else Sampling(**sampling),
    )


def _turn(fields: dict[str, Any]) -> Turn:
    role, facts, parent, created_at_ns = fields["role"], fields["facts"], fields["parent"], fields["created_at_ns"]
    if role not in get_args(Role) or not isinstance(created_at_ns, int) or not 0 <= created_at_ns < 1 << 63:
        raise ValueError("no turn")
    return Turn(
        role=role,
        text=_text(fields["text"]),
        facts=None if facts is None else _facts(facts),
        id=_text(fields["id"], _ID_LENGTH_MAX),
        created_at_ns=created_at_ns,
        parent=None if parent is None else _text(parent, _ID_LENGTH_MAX),
    )


def _facts(fields: dict[str, Any]) -> ReplyFacts:
    facts = turn_fields.facts_from(fields)
    numbers = (facts.tokens, facts.seconds, facts.calls, facts.instructions, facts.cycles)
    if not all(isinstance(number, (int, float)) and 0 <= number < 1e18 for number in numbers):
        raise ValueError("no facts")
    if facts.finish not in get_args(Finish) or not isinstance(facts.fallback_reason, (str, NoneType)):
        raise ValueError("no facts")
    if not isinstance(facts.continued_locally_at, (int, NoneType)):
        raise ValueError("no facts")
    return facts


def _require_tree(turns: dict[str, Turn]) -> None:
    """Every turn follows one that is there, and none follows itself. Raises KeyError, ValueError."""
    rooted: set[str | None] = {None}
    for turn in turns.values():
        way: list[str] = []
        at: str | None = turn.id
        while at not in rooted:
            assert at is not None
            way.append(at)
            at = turns[at].parent
            if len(way) > len(turns):
                raise ValueError("turns follow each other in a circle")
        rooted.update(way)


def _text(value: object, length_max: int = _TEXT_LENGTH_MAX) -> str:
    if not isinstance(value, str) or len(value) > length_max:
        raise ValueError("no text, or too long")
    value.encode()  # half a surrogate pair is no text; it would break the store
    return value


def _not_ours(why: str) -> FormatError:
    return FormatError(
        f"This file holds no conversations that this program can read: {why}.",
        not_lost="Your conversations are unchanged.",
        next_step="Choose a file that was exported from this program as JSON.",
    )
