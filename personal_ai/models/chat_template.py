"""Chat templates, which are foreign programs: rendered without ever showing them what people wrote.

A template sees one private-use character in place of each message. Its text, cut at those characters, is a
`Skeleton`; what was said is put back only after the template's own text has been told apart from it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.models import template_worker
from personal_ai.models.messages import Message, Role

DEFAULT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% else %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
DEFAULT_STOP_TEXTS = ("\nUser:", "\nAssistant:")

_FUEL = 200_000
_MEMORY_BYTES = 1 << 30
_TIME_LIMIT_S = 10.0
_MAX_MESSAGES = 0xFFF0
# A slot is a character of plane 15 between two spaces that `strip` takes away where the template strips a message.
_FIRST_SLOT = 0xF0000
_SPACE = "\u2003"


class TemplateRefusedError(BadInputError):
    """A template that fails, takes too long or loses what was said."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of message `index`, stripped of white space on the sides where the template strips it."""

    index: int
    strip_left: bool
    strip_right: bool

    def fill(self, content: str) -> str:
        content = content.lstrip() if self.strip_left else content
        return content.rstrip() if self.strip_right else content


Skeleton = tuple[str | Slot, ...]


class ChatTemplate:
    """A template with the special tokens' texts (bos_token, eos_token, …) that it may print."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        self._source = source
        self._special_tokens = tuple(sorted(special_tokens.items()))

    def skeleton(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> Skeleton:
        """The template's own text with the places of the messages. A message that is empty is shown as empty.

        Raises TemplateRefusedError.
        """
        if not messages or len(messages) > _MAX_MESSAGES:
            raise TemplateRefusedError("A conversation needs at least one message, and not too many.")
        shape = tuple((message.role, bool(message.content.strip())) for message in messages)
        return _skeleton(self._source, self._special_tokens, shape, add_generation_prompt)


@lru_cache(maxsize=256)
def _skeleton(
    source: str, special_tokens: tuple[tuple[str, str], ...], shape: tuple[tuple[Role, bool], ...], prompt: bool
) -> Skeleton:
    """Depends on nothing that was said, so equal shapes of conversations share one rendering."""
    messages = [
        {"role": role, "content": f"{_SPACE}{chr(_FIRST_SLOT + index)}{_SPACE}" if filled else ""}
        for index, (role, filled) in enumerate(shape)
    ]
    text = _render(source, {**dict(special_tokens), "messages": messages, "add_generation_prompt": prompt})
    pieces = tuple(_pieces(text, len(messages)))
    last = len(messages) - 1
    if shape[last][1] and not any(isinstance(piece, Slot) and piece.index == last for piece in pieces):
        raise TemplateRefusedError("The model's chat template leaves out what was said last.")
    return pieces


def _pieces(text: str, message_count: int) -> list[str | Slot]:
    pieces: list[str | Slot] = []
    end = 0
    slots = f"[{chr(_FIRST_SLOT)}-{chr(_FIRST_SLOT + message_count - 1)}]"
    for match in re.finditer(f"({_SPACE}?)({slots})({_SPACE}?)", text):
        left, character, right = match.groups()
        pieces += [text[end : match.start()], Slot(ord(character) - _FIRST_SLOT, not left, not right)]
        end = match.end()
    return [piece for piece in (*pieces, text[end:]) if piece]


def _render(source: str, context: Mapping[str, object]) -> str:
    """The template's text, made by a process with limits. Raises TemplateRefusedError."""
    request = {"template": source, "context": context, "fuel": _FUEL, "memory_bytes": _MEMORY_BYTES}
    try:
        done = subprocess.run(  # noqa: S603 -- our own file, by our own interpreter
            [sys.executable, str(Path(template_worker.__file__))],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired as error:
        raise TemplateRefusedError("The model's chat template does not come to an end.") from error
    if done.returncode != 0:
        raise TemplateRefusedError("The model's chat template needs more memory than a template may.")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise TemplateRefusedError(f"The model's chat template refused the conversation: {answer['error']}.")
    return str(answer["text"])
