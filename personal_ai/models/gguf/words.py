"""The vocabulary of a GGUF file as a Hugging Face tokenizer.json, its template, and the tokens that end a reply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models import huggingface
from personal_ai.models.fields import Fields
from personal_ai.models.gguf.merges import merges_by_score
from personal_ai.models.gguf.reader import GgufFile
from personal_ai.models.words import ForeignWords

_MAX_TOKENS = 1 << 20
_MAX_TEXT_LENGTH = 1 << 20
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4  # types of tokens
_NAMED: Final = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
_SPACE = "▁"

# How texts are cut into words before pairs are merged: by the name that llama.cpp gives a model's way.
_ENGLISH = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA_3 = _ENGLISH + r"\p{N}{1,3}" + _REST
_QWEN_2 = _ENGLISH + r"\p{N}" + _REST
_PATTERNS: Final = {
    "deepseek-r1-qwen": _QWEN_2,
    "llama-bpe": _LLAMA_3,
    "llama-v3": _LLAMA_3,
    "llama3": _LLAMA_3,
    "qwen2": _QWEN_2,
}
_LIKE_GPT_2: Final = ("gpt-2", "gpt2", "mpt", "olmo", "phi-2", "phi-3")
_DIGITS_APART: Final = ("smollm", "starcoder", "refact", "command-r", "exaone")
_WHOLE_WORDS_FIRST: Final = (
    "llama-bpe",
    "llama-v3",
    "llama3",
)  # a word of the vocabulary is not put together from pairs


def gguf_words(file: GgufFile, config: Fields) -> ForeignWords:
    """Raises UnsupportedModelError for vocabularies that are not known, FormatError."""
    facts = Fields(file.facts, file.name)
    kind = facts.text("tokenizer.ggml.model", 64, "")
    if kind not in ("gpt2", "llama"):
        raise _unsupported(f"Its vocabulary is of the kind {kind or 'without a name'!r}; 'gpt2' and 'llama' are known.")
    tokens = _texts(file, "tokenizer.ggml.tokens")
    types = _aligned(file, "tokenizer.ggml.token_type", len(tokens), int)
    made = _byte_level(file, facts, tokens) if kind == "gpt2" else _sentencepiece(file, facts, tokens, types)
    added = [
        {
            "id": number,
            "content": tokens[number],
            "special": type_ == _CONTROL,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for number, type_ in enumerate(types)
        if type_ in (_CONTROL, _USER_DEFINED) and tokens[number].strip(f"{_SPACE} \t\r\n")
    ]
    return ForeignWords(
        tokenizer_json=_json({"version": "1.0", "added_tokens": added, "post_processor": None} | made),
        settings_json=_json(_settings(facts, tokens, begins=kind == "llama")),
        template=facts.text("tokenizer.chat_template", _MAX_TEXT_LENGTH, "") or None,
        end_tokens=huggingface.end_tokens(config),
    )


def _settings(facts: Fields, tokens: Sequence[str], *, begins: bool) -> dict[str, Any]:
    """As tokenizer_config.json. begins: whether texts of this kind of vocabulary begin with bos, unless told."""
    named = {}
    for name, fact in _NAMED.items():
        if f"tokenizer.ggml.{fact}" in facts:
            named[name] = tokens[facts.integer(f"tokenizer.ggml.{fact}", 0, len(tokens) - 1)]
    return named | {"add_bos_token": facts.boolean("tokenizer.ggml.add_bos_token", begins)}


def _byte_level(file: GgufFile, facts: Fields, tokens: list[str]) -> dict[str, Any]:
    """Byte pairs as GPT-2 has them; the merges lie in the file in their order."""
    name = facts.text("tokenizer.ggml.pre", 64, "gpt-2")
    own_words = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    if name in _PATTERNS:
        pattern = {"type": "Split", "pattern": {"Regex": _PATTERNS[name]}, "behavior": "Isolated", "invert": False}
        steps = [pattern, own_words | {"use_regex": False}]
    elif name in _DIGITS_APART:
        steps = [{"type": "Digits", "individual_digits": True}, own_words]
    elif name in _LIKE_GPT_2:
        steps = [own_words]
    else:
        raise _unsupported(f"It cuts texts into words in a way that is not known: {name!r}.")
    return {
        "normalizer": {"type": "NFC"} if _PATTERNS.get(name) == _QWEN_2 else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": own_words,
        "model": {
            "type": "BPE",
            "vocab": _numbered(file, tokens),
            "merges": _pairs(file, _texts(file, "tokenizer.ggml.merges")),
            "ignore_merges": name in _WHOLE_WORDS_FIRST,
        },
    }


def _sentencepiece(file: GgufFile, facts: Fields, tokens: list[str], types: Sequence[int]) -> dict[str, Any]:
    """SentencePiece's byte pairs, which merge what gives the token of the greatest score."""
    prefixed = facts.boolean("tokenizer.ggml.add_space_prefix", True)
    scores = _aligned(file, "tokenizer.ggml.scores", len(tokens), float)
    vocabulary = _numbered(file, tokens)
    merged = {token: scores[id_] for token, id_ in vocabulary.items() if types[id_] in (_NORMAL, _USER_DEFINED)}
    unknown = next((tokens[number] for number, kind in enumerate(types) if kind == _UNKNOWN), None)
    spaced = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    stripped = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefixed else []
    return {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [*([{"type": "Prepend", "prepend": _SPACE}] if prefixed else []), spaced],
        },
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                *stripped,
            ],
        },
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": merges_by_score(vocabulary, merged),
            "unk_token": unknown,
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def _texts(file: GgufFile, name: str) -> list[str]:
    found = file.facts.get(name)
    if not isinstance(found, list) or len(found) > _MAX_TOKENS or not all(isinstance(text, str) for text in found):
        raise FormatError(f"{file.name}: {name} is missing or no list of texts.")
    return found


def _aligned(file: GgufFile, name: str, count: int, kind: type[int | float]) -> list[Any]:
    """A number for each token."""
    found = file.facts.get(name)
    if not isinstance(found, list) or len(found) != count or not all(type(number) is kind for number in found):
        raise FormatError(f"{file.name}: {name} does not have a number for each token.")
    return found


def _numbered(file: GgufFile, tokens: list[str]) -> dict[str, int]:
    """Token to id. Of two tokens of one text the first counts; the other is never made of a text."""
    numbered: dict[str, int] = {}
    for number, token in enumerate(tokens):
        numbered.setdefault(token, number)
    if not tokens:
        raise FormatError(f"{file.name} has no tokens.")
    return numbered


def _pairs(file: GgufFile, merges: list[str]) -> list[list[str]]:
    pairs = [merge.split(" ") for merge in merges]
    if not all(len(pair) == 2 for pair in pairs):
        raise FormatError(f"{file.name}: tokenizer.ggml.merges holds what is no pair.")
    return pairs


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _unsupported(reason: str) -> UnsupportedModelError:
    return UnsupportedModelError("The model's tokenizer cannot be used.", (reason,))
