"""The texts of the starter model: intents with wordings and one answer each, and questions about anything else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from personal_ai.common.errors import FormatError

TEXTS = Path(__file__).resolve().parent / "texts"
LONGEST_ANSWER_WORDS = 45
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing a person may want: `wordings` are for training, `held_out` only for evaluating."""

    name: str
    answer: str
    wordings: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """All texts. `off_topic` is an intent too; `patterns` with {slots} out of `slot_words` widen it for training."""

    intents: tuple[Intent, ...]
    off_topic: Intent
    patterns: tuple[str, ...]
    slot_words: Mapping[str, tuple[str, ...]]

    @property
    def all_intents(self) -> tuple[Intent, ...]:
        return (*self.intents, self.off_topic)


def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation: what two wordings are compared by."""
    return tuple(_WORD.findall(text.lower()))


def normalised(text: str) -> str:
    """One form for all texts that differ in case, spaces and punctuation only."""
    return " ".join(words(text))


def overlap(one: str, other: str) -> float:
    """Shared words over all words of both (Jaccard index), 0 to 1."""
    return _jaccard(frozenset(words(one)), frozenset(words(other)))


def largest_overlap(corpus: Corpus) -> float:
    """The largest overlap of any held-out question with any training question, of whatever intent."""
    training = [frozenset(words(text)) for intent in corpus.all_intents for text in intent.wordings]
    held_out = [frozenset(words(text)) for intent in corpus.all_intents for text in intent.held_out]
    return max(_jaccard(one, other) for one in held_out for other in training)


@cache
def load(folder: Path = TEXTS) -> Corpus:
    """Reads every theme of `folder`. Raises FormatError naming the file and the intent that breaks the rules."""
    intents: list[Intent] = []
    off_topic: list[tuple[Intent, Mapping[str, Any]]] = []
    for path in sorted(folder.glob("*.toml")):
        document = _document(path)
        intents.extend(_intent(path, str(table.get("name")), table) for table in document.get("intent", ()))
        if "off_topic" in document:
            table = document["off_topic"]
            off_topic.append((_intent(path, "off-topic", table), table))
    if len(off_topic) != 1:
        raise FormatError(f"{folder} must hold exactly one off_topic table, not {len(off_topic)}.")
    intent, table = off_topic[0]
    slot_words = {slot: tuple(listed) for slot, listed in table["words"].items()}
    corpus = Corpus(tuple(intents), intent, tuple(table["patterns"]), slot_words)
    _check(corpus)
    return corpus


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path.name} is not a TOML file: {error}.") from error


def _intent(path: Path, name: str, table: Mapping[str, Any]) -> Intent:
    try:
        intent = Intent(name, table["answer"], _lines(table["wordings"]), _lines(table["held_out"]))
    except (KeyError, AttributeError) as error:
        raise FormatError(f"{path.name}: the intent {name} lacks {error}.") from error
    if not (intent.answer.strip() and intent.wordings and intent.held_out):
        raise FormatError(f"{path.name}: the intent {name} has an empty part.")
    if len(intent.answer.split()) > LONGEST_ANSWER_WORDS:
        raise FormatError(f"{path.name}: the answer of {name} is longer than {LONGEST_ANSWER_WORDS} words.")
    return intent


def _lines(block: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in block.splitlines() if line.strip())


def _check(corpus: Corpus) -> None:
    _check_unique("intent", (intent.name for intent in corpus.all_intents))
    _check_unique("answer", (normalised(intent.answer) for intent in corpus.all_intents))
    _check_unique("question", (normalised(text) for i in corpus.all_intents for text in (*i.wordings, *i.held_out)))
    for pattern in corpus.patterns:
        unknown = set(_SLOT.findall(pattern)) - set(corpus.slot_words)
        if unknown:
            raise FormatError(f"The pattern {pattern!r} names no known list of words: {', '.join(sorted(unknown))}.")


def _check_unique(what: str, values: Iterator[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise FormatError(f"The {what} {value!r} stands twice in the texts.")
        seen.add(value)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
