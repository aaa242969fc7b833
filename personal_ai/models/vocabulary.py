"""A foreign tokenizer.json, tamed: text in, tokens out, and special tokens only where the program itself asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tokenizers import Tokenizer

from personal_ai.common.errors import FormatError
from personal_ai.models.fields import Fields, parse_json
from personal_ai.models.stream_decoder import StreamDecoder, parse_spelling

MAX_TOKENIZER_SIZE_BYTES: Final = 64 << 20
_MAX_ADDED_TOKENS = 1 << 18
_MAX_TOKEN = 1 << 20
_MAX_TOKEN_LENGTH = 1000
_CUTS_MAX = 16  # a token has at most 1000 characters, and each cut halves it
_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SpecialToken:
    """A token that text never yields. `hidden` ones are left out of a reply's text, as the tokenizer wants it.

    strips_left and strips_right: it swallows the white space beside it.
    """

    id: int
    text: str
    hidden: bool
    strips_left: bool = False
    strips_right: bool = False


class Vocabulary:
    """The tokens of a model. Raises FormatError or UnsupportedModelError when the files are broken or unknown."""

    def __init__(self, tokenizer_json: bytes, config_json: bytes) -> None:
        """tokenizer_json, config_json: the content of tokenizer.json and tokenizer_config.json."""
        raw = parse_json(tokenizer_json, "tokenizer.json")
        tokenizer = Fields(raw, "tokenizer.json")
        config = Fields(parse_json(config_json, "tokenizer_config.json"), "tokenizer_config.json")
        self._spelling = parse_spelling(tokenizer)
        added = _added_tokens(tokenizer)
        self._at_start = _textual_tokenizer(raw, added)
        self._further_on = self._at_start
        if _changes_at_start(tokenizer.raw("pre_tokenizer")):
            self._further_on = _textual_tokenizer(_without_prefix(raw), added)
        if any(self.id_of(token.text) != token.id for token in added):
            raise FormatError("tokenizer.json: the added tokens are numbered in a way that does not hold.")
        self.named_texts = dict(_named_texts(config))
        self.special_tokens = self._special_tokens(added, config)
        self._special_ids = frozenset(token.id for token in self.special_tokens) - self._unknown_id(tokenizer)
        self._hidden_ids = frozenset(token.id for token in self.special_tokens if token.hidden)

    @property
    def size_in_text(self) -> int:
        """One more than the greatest id that text may yield."""
        known = _guarded(lambda: self._at_start.get_vocab(with_added_tokens=True))
        return 1 + max((token for token in known.values() if token not in self._special_ids), default=-1)

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids that no text yields. The token for unknown characters is not among them: it has no power."""
        return self._special_ids

    def id_of(self, text: str) -> int | None:
        """The id of the token that is spelled so."""
        found: int | None = _guarded(lambda: self._at_start.token_to_id(text))
        return found

    def split(self, text: str) -> Iterator[str | SpecialToken]:
        """Cuts a template's text at the special tokens in it, the leftmost and of those the longest first."""
        present = {token.text: token for token in self.special_tokens if token.text in text}
        if not present:
            yield text
            return
        choices = "|".join(re.escape(choice) for choice in sorted(present, key=len, reverse=True))
        for part in re.split(f"({choices})", text):
            if part:
                yield present.get(part, part)

    def encode(self, parts: Sequence[str | SpecialToken]) -> list[int]:
        """The tokens of texts and special tokens. Texts never yield special tokens, whatever they say."""
        joined = _joined(parts)
        ids: list[int] = []
        for index, part in enumerate(joined):
            if isinstance(part, SpecialToken):
                ids.append(part.id)
                continue
            before, after = joined[index - 1] if index else "", joined[index + 1] if index + 1 < len(joined) else ""
            text = part.lstrip() if isinstance(before, SpecialToken) and before.strips_right else part
            text = text.rstrip() if isinstance(after, SpecialToken) and after.strips_left else text
            text = text.encode(errors="replace").decode()  # half characters come from broken clipboards
            ids += self._encode_text(text, self._further_on if index else self._at_start, _CUTS_MAX)
        return ids

    def decoder(self) -> StreamDecoder:
        """A decoder for one reply."""
        return StreamDecoder(self._bytes_of, self._spelling.strip_first)

    def _bytes_of(self, token: int) -> bytes:
        if token in self._hidden_ids or not 0 <= token <= _MAX_TOKEN:
            return b""
        spelled: str | None = _guarded(lambda: self._at_start.id_to_token(token))
        return b"" if spelled is None else self._spelling.bytes_of(spelled)

    def _encode_text(self, text: str, tokenizer: Tokenizer, cuts_left: int) -> list[int]:
        """Where the vocabulary itself spells a special token, the text is cut in its middle, again and again."""
        if not text:
            return []
        encoding = _guarded(lambda: tokenizer.encode(text, add_special_tokens=False))
        ids: list[int] = encoding.ids
        if self._special_ids.isdisjoint(ids):
            return ids
        spans = [span for token, span in zip(ids, encoding.offsets, strict=True) if token in self._special_ids]
        cuts = sorted({(start + end) // 2 for start, end in spans if end - start > 1} - {0, len(text)})
        if not cuts or not cuts_left:  # a single character, or odd offsets: the text goes on without it
            return [token for token in ids if token not in self._special_ids]
        ends = zip([0, *cuts], [*cuts, len(text)], strict=True)
        return [token for start, end in ends for token in self._encode_text(text[start:end], tokenizer, cuts_left - 1)]

    def _special_tokens(self, added: Sequence[SpecialToken], config: Fields) -> tuple[SpecialToken, ...]:
        known = {token.text: token for token in added}
        named = [*self.named_texts.values(), *_additional_texts(config)]
        ids = {text: self.id_of(text) for text in named if text not in known}
        further = [SpecialToken(found, text, hidden=True) for text, found in ids.items() if found is not None]
        return (*added, *further)

    def _unknown_id(self, tokenizer: Fields) -> frozenset[int]:
        unknown = tokenizer.fields("model").raw("unk_token")
        powers = {self.named_texts.get(name) for name in ("bos_token", "eos_token")}
        if not isinstance(unknown, str) or unknown in powers:
            return frozenset()
        found = self.id_of(unknown)
        return frozenset() if found is None else frozenset({found})


def _joined(parts: Sequence[str | SpecialToken]) -> list[str | SpecialToken]:
    """Neighbouring texts as one, so that words may reach over the border of template and message."""
    joined: list[str | SpecialToken] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part:
            joined.append(part)
    return joined


def _added_tokens(tokenizer: Fields) -> tuple[SpecialToken, ...]:
    """Every added token is special to us, even where the file calls it ordinary (<think>), unless it is white space."""
    listed = tokenizer.raw("added_tokens")
    listed = [] if listed is None else listed
    if not isinstance(listed, list) or len(listed) > _MAX_ADDED_TOKENS:
        raise FormatError("tokenizer.json: the added tokens are no list, or too many.")
    entries = [Fields(entry, "tokenizer.json: added_tokens") for entry in listed]
    tokens = [
        SpecialToken(
            id=entry.integer("id", 0, _MAX_TOKEN),
            text=entry.text("content", _MAX_TOKEN_LENGTH),
            hidden=entry.boolean("special", False),
            strips_left=entry.boolean("lstrip", False),
            strips_right=entry.boolean("rstrip", False),
        )
        for entry in entries
    ]
    return tuple(token for token in tokens if token.text.strip())


def _textual_tokenizer(raw: Any, added: Sequence[SpecialToken]) -> Tokenizer:
    """The tokenizer, blind to its special tokens and without what it would add, cut or pad."""
    special = {token.text for token in added}
    listed = [{**entry, "special": entry["content"] in special} for entry in raw.get("added_tokens") or []]
    changed = {**raw, "added_tokens": listed, "post_processor": None, "truncation": None, "padding": None}
    tokenizer: Tokenizer = _guarded(lambda: Tokenizer.from_str(json.dumps(changed)))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _changes_at_start(pre_tokenizer: object) -> bool:
    """Whether a Metaspace puts a space before a text's very beginning only."""
    match pre_tokenizer:
        case {"type": "Metaspace", "prepend_scheme": "first"}:
            return True
        case {"type": "Sequence", "pretokenizers": list(steps)}:
            return any(isinstance(step, dict) and step.get("prepend_scheme") == "first" for step in steps)
    return False


def _without_prefix(raw: Any) -> Any:
    pre_tokenizer = raw["pre_tokenizer"]
    if pre_tokenizer["type"] == "Metaspace":
        return {**raw, "pre_tokenizer": {**pre_tokenizer, "prepend_scheme": "never"}}
    steps = [
        {**step, "prepend_scheme": "never"} if "prepend_scheme" in step else step
        for step in pre_tokenizer["pretokenizers"]
    ]
    return {**raw, "pre_tokenizer": {**pre_tokenizer, "pretokenizers": steps}}


def _named_texts(config: Fields) -> Iterator[tuple[str, str]]:
    for name in _NAMED_TOKENS:
        value = config.raw(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str) and 0 < len(text) <= _MAX_TOKEN_LENGTH:
            yield name, text


def _additional_texts(config: Fields) -> list[str]:
    listed = config.raw("additional_special_tokens")
    entries = listed if isinstance(listed, list) else []
    texts = [entry.get("content") if isinstance(entry, dict) else entry for entry in entries]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _guarded(call: Callable[[], R]) -> R:
    """Runs the tokenizers library, whose panics are no Exceptions. Raises FormatError."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise FormatError("The model's tokenizer (tokenizer.json) is broken.") from error
