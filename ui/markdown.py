"""A reply's Markdown cut into prose and fenced code, each of which has a widget of its own. No Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^`]*$")


@dataclass(frozen=True, slots=True)
class Prose:
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    language: str


def split(text: str) -> list[Prose | Code]:
    """The parts in order. A fence that is never closed holds the rest, as CommonMark has it."""
    parts: list[Prose | Code] = []
    lines: list[str] = []
    fence: re.Match[str] | None = None
    for line in text.splitlines():
        if fence is None and (fence := _FENCE.match(line)):
            _add_prose(parts, lines)
            lines = []
        elif fence is not None and _closes(line, fence["mark"]):
            parts.append(Code("\n".join(lines), fence["language"]))
            lines, fence = [], None
        else:
            lines.append(line)
    if fence is not None:
        parts.append(Code("\n".join(lines), fence["language"]))
    else:
        _add_prose(parts, lines)
    return parts


def _closes(line: str, mark: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}


def _add_prose(parts: list[Prose | Code], lines: list[str]) -> None:
    prose = "\n".join(lines).strip("\n")
    if prose.strip():
        parts.append(Prose(prose))
