"""Tokens to text as they come. Characters that are spread over several tokens appear when they are whole."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from personal_ai.common.errors import UnsupportedModelError
from personal_ai.models.fields import Fields

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_level_alphabet() -> dict[str, int]:
    """GPT-2's spelling of bytes: printable ones as themselves, the others as the characters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF: Final = _byte_level_alphabet()


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a tokenizer's vocabulary spells bytes.

    byte_level: each character stands for a byte. Else characters are UTF-8, `space` stands for a space,
    byte_tokens says whether <0x41> stands for a byte, and strip_first whether a text's first space is dropped.
    """

    byte_level: bool = False
    space: str = ""
    byte_tokens: bool = False
    strip_first: bool = False

    def bytes_of(self, token: str) -> bytes:
        """The bytes that the token adds to a text."""
        if self.byte_level:
            if all(character in _BYTE_OF for character in token):
                return bytes(_BYTE_OF[character] for character in token)
            return token.encode()
        if self.byte_tokens and (match := _BYTE_TOKEN.fullmatch(token)):
            return bytes.fromhex(match[1])
        return (token.replace(self.space, " ") if self.space else token).encode()


def parse_spelling(tokenizer: Fields) -> Spelling:
    """The spelling that tokenizer.json's decoder means. Raises UnsupportedModelError."""
    decoder = tokenizer.raw("decoder")
    steps = _steps(decoder)
    names = [step.text("type", 40, "") for step in steps]
    if names and all(name == "ByteLevel" for name in names):
        return Spelling(byte_level=True)
    if names == ["Metaspace"]:
        scheme = steps[0].text("prepend_scheme", 20, "always")
        stripped = scheme != "never" and steps[0].boolean("add_prefix_space", True)
        return Spelling(space=steps[0].text("replacement", 1, "▁"), strip_first=stripped)
    spelling = _sentencepiece(steps)
    if spelling is None:
        reason = f"Its decoder is of an unknown kind: {', '.join(names) or 'none'}."
        raise UnsupportedModelError("The model's tokenizer cannot be used.", (reason,))
    return spelling


def _steps(decoder: object) -> list[Fields]:
    fields = Fields(decoder if decoder is not None else {}, "tokenizer.json: decoder")
    if fields.raw("type") != "Sequence":
        return [fields]
    inner = fields.raw("decoders")
    return [Fields(step, "tokenizer.json: decoder") for step in (inner if isinstance(inner, list) else [])]


def _sentencepiece(steps: list[Fields]) -> Spelling | None:
    """A sequence of Replace (a character by a space), ByteFallback, Fuse and Strip (of one space at the start)."""
    space, byte_tokens, strip_first = "", False, False
    for step in steps:
        match step.raw("type"):
            case "Replace" if step.raw("content") == " " and isinstance(step.fields("pattern").raw("String"), str):
                space = step.fields("pattern").text("String", 1)
            case "ByteFallback":
                byte_tokens = True
            case "Fuse":
                pass
            case "Strip" if (step.raw("content"), step.raw("start"), step.raw("stop")) == (" ", 1, 0):
                strip_first = True
            case _:
                return None
    return Spelling(space=space, byte_tokens=byte_tokens, strip_first=strip_first) if space else None


class StreamDecoder:
    """Turns one reply's tokens into text. The pieces together are the whole text; broken bytes become U+FFFD."""

    def __init__(self, bytes_of: Callable[[int], bytes], strip_first: bool) -> None:
        """bytes_of: what a token adds; nothing for special tokens and for ids without a token."""
        self._bytes_of = bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._strip = strip_first

    def push(self, token: int) -> str:
        """The text that is certain after `token`; may be empty."""
        return self._stripped(self._decoder.decode(self._bytes_of(token)))

    def flush(self) -> str:
        """What an unfinished character at the end comes to. Then the decoder is as new, but for the first space."""
        return self._stripped(self._decoder.decode(b"", True))

    def _stripped(self, text: str) -> str:
        if self._strip and text:
            self._strip = False
            return text.removeprefix(" ")
        return text
