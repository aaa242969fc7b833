"""Which words of a piece of code are keywords, strings and so on: Pygments' lexers, by line. No Qt.

Lexers are slow, and some take minutes for code that is made for it: call `highlight` off the window's thread, and only
for what `can_highlight` lets through. After a second the rest stays as it is.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import NamedTuple

_LENGTH_MAX = 20_000
_TIME_MAX_S = 1.0
_LANGUAGES = frozenset({
    "bash", "c", "cpp", "csharp", "css", "dart", "diff", "docker", "go", "haskell", "html", "ini", "java", "javascript",
    "json", "kotlin", "lua", "make", "nix", "perl", "php", "powershell", "python", "ruby", "rust", "sql", "swift",
    "toml", "typescript", "xml", "yaml", "zig",
})  # fmt: skip
_OTHER_NAMES = {
    "c++": "cpp", "c#": "csharp", "cs": "csharp", "dockerfile": "docker", "golang": "go", "hs": "haskell",
    "js": "javascript", "jsx": "javascript", "kt": "kotlin", "makefile": "make", "ps1": "powershell", "py": "python",
    "python3": "python", "rb": "ruby", "rs": "rust", "sh": "bash", "shell": "bash", "ts": "typescript",
    "tsx": "typescript", "yml": "yaml", "zsh": "bash",
}  # fmt: skip


class Kind(Enum):
    """What a span is; the value names its colour among the tokens of the theme."""

    KEYWORD = "code_keyword"
    STRING = "code_string"
    COMMENT = "code_comment"
    NUMBER = "code_number"
    NAME = "code_name"


class Span(NamedTuple):
    """Of one line, in UTF-16 units, as Qt counts."""

    start: int
    length: int
    kind: Kind


def can_highlight(text: str, language: str) -> bool:
    """Whether the language is known and the text of a length that is worked through in a moment."""
    return _known(language) in _LANGUAGES and len(text) <= _LENGTH_MAX


def highlight(text: str, language: str) -> list[list[Span]]:
    """The coloured spans of each line, in order."""
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - loaded with the first code that is shown

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kinds = _kinds()
    lines: list[list[Span]] = [[] for _ in range(text.count("\n") + 1)]
    line = at = 0
    until_s = time.thread_time() + _TIME_MAX_S
    for token, value in get_lexer_by_name(_known(language), stripnl=False, ensurenl=False).get_tokens(text):
        if time.thread_time() > until_s:
            break
        kind = next((kinds[each] for each in reversed(token.split()) if each in kinds), None)
        for number, piece in enumerate(value.split("\n")):
            if number:
                line, at = line + 1, 0
            length = len(piece.encode("utf-16-le", "surrogatepass")) // 2
            if kind is not None and piece.strip():
                lines[line].append(Span(at, length, kind))
            at += length
    return lines


def _known(language: str) -> str:
    name = language.lower()
    return _OTHER_NAMES.get(name, name)


def _kinds() -> dict[object, Kind]:
    """By Pygments' token types; the most special that is named here counts."""
    from pygments.token import Comment, Keyword, Literal, Name, Operator  # noqa: PLC0415

    return {
        Keyword: Kind.KEYWORD,
        Operator.Word: Kind.KEYWORD,
        Name.Tag: Kind.KEYWORD,
        Literal.String: Kind.STRING,
        Literal.Number: Kind.NUMBER,
        Literal.Date: Kind.NUMBER,
        Comment: Kind.COMMENT,
        Name.Builtin: Kind.NAME,
        Name.Function: Kind.NAME,
        Name.Class: Kind.NAME,
        Name.Decorator: Kind.NAME,
        Name.Attribute: Kind.NAME,
    }
