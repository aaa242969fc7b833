"""A reply's Markdown cut into prose and fenced code, each of which has a widget of its own. No Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^`]*$")
_FENCE_END = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})\s*$")
_MAY_BECOME_FENCE = re.compile(r"^ {0,3}(`{0,2}|~{0,2}|`{3,}[^`]*|~{3,}.*)$")
# Prose that is longer is cut at the next paragraph: what is laid out at once must not hold up the window.
_PROSE_LENGTH = 2000
_PARAGRAPH = re.compile(r"^[^\s\-*+>|#\d\[]")  # not what may go on with a list, a quotation or a table


@dataclass(frozen=True, slots=True)
class Prose:
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    language: str


def split(text: str) -> list[Prose | Code]:
    """The parts of a whole reply in order. A fence that is never closed holds the rest, as CommonMark has it."""
    cutter = Cutter()
    return [*cutter.add("".join(f"{line}\n" for line in text.splitlines())), *cutter.end()]


class Cutter:
    """Cuts a reply while it is being written."""

    def __init__(self) -> None:
        self._fence: re.Match[str] | None = None
        self._lines: list[str] = []  # of the part that is open
        self._length = 0
        self._line = ""  # as far as it is written

    def add(self, piece: str) -> list[Prose | Code]:
        """Takes what was written next, of any length; returns the parts that are whole with it, in order."""
        *lines, self._line = (self._line + piece).split("\n")
        parts = [part for line in lines for part in self._take(line)]
        return [*parts, *self._cut_before(self._line)]

    @property
    def open(self) -> Prose | Code | None:
        """The part that is being written. A line that may become a fence is not shown before it is certain."""
        certain = [] if _MAY_BECOME_FENCE.match(self._line) else [self._line]
        return self._part([*self._lines, *certain])

    def end(self) -> list[Prose | Code]:
        """Nothing more comes: the parts that are left."""
        whole = self.add("\n") if self._line else []
        return [*whole, self.open] if self.open else whole

    def _take(self, line: str) -> list[Prose | Code]:
        """The part that ends with or before this line, if one does."""
        if self._fence is not None and _closes(line, self._fence["mark"]):
            return self._close(None)
        if self._fence is None and (fence := _FENCE.match(line)):
            return self._close(fence)
        ended = self._cut_before(line)
        self._lines.append(line)
        self._length += len(line)
        return ended

    def _cut_before(self, line: str) -> list[Prose | Code]:
        """Long prose ends where this line begins a paragraph."""
        long = self._fence is None and self._length > _PROSE_LENGTH
        return self._close(None) if long and not self._lines[-1].strip() and _PARAGRAPH.match(line) else []

    def _close(self, fence: re.Match[str] | None) -> list[Prose | Code]:
        """Ends the open part; the next is code if it begins with a fence."""
        part = self._part(self._lines)
        self._fence, self._lines, self._length = fence, [], 0
        return [part] if part else []

    def _part(self, lines: list[str]) -> Prose | Code | None:
        """None for prose without a word."""
        text = "\n".join(lines)
        if self._fence is not None:
            return Code(text, self._fence["language"])
        return Prose(text.strip("\n")) if text.strip() else None


def _closes(line: str, mark: str) -> bool:
    end = _FENCE_END.match(line)
    return end is not None and end["mark"].startswith(mark)
