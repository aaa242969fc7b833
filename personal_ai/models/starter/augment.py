"""Many wordings out of one: what a person might also have typed. Everything is drawn from the generator it is given."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from personal_ai.models.starter.corpus import Corpus, words

RULES = Path(__file__).resolve().parent / "augmentation.toml"
_SLOT = re.compile(r"\{(\w+)\}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = "aeiou"
_CONSONANTS = "bcdfghjklmnprstvwz"
_INVENTED = 0.2  # of the strange words: nobody has ever seen them


@dataclass(frozen=True, slots=True)
class Rules:
    """`openings` and `synonyms` map a phrase in lower case to what may stand in its place."""

    openings: dict[str, tuple[str, ...]]
    synonyms: dict[str, tuple[str, ...]]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Strength:
    """How likely each change is, for one wording (or for one word where the name ends in `_word`)."""

    opening: float = 0.35
    synonym_word: float = 0.15
    drop_word: float = 0.06
    before: float = 0.12
    after: float = 0.12
    lower_case: float = 0.6
    no_punctuation: float = 0.5
    typo: float = 0.12
    keywords: float = 0.04


@cache
def load_rules(path: Path = RULES) -> Rules:
    """Reads the rules file that comes with the program."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return Rules(
        _alternatives(document["openings"]),
        _alternatives(document["synonyms"]),
        tuple(document["before"]),
        tuple(document["after"]),
    )


def filled(corpus: Corpus, rng: random.Random) -> str:
    """One off-topic question out of the corpus's patterns."""
    pattern = rng.choice(corpus.patterns)
    return _SLOT.sub(lambda slot: rng.choice(corpus.slot_words[slot.group(1)]), pattern)


class Estranger:
    """Makes questions about the app into others that are built like them and ask about anything else."""

    def __init__(self, corpus: Corpus) -> None:
        ours = {word for intent in corpus.intents for text in intent.wordings for word in words(text)}
        slot_words = [text for listed in corpus.slot_words.values() for text in listed]
        off_topic = [*corpus.off_topic.wordings, *corpus.patterns]
        common = {word for text in off_topic for word in words(text)}
        self._ours_alone = ours - common
        self._strange = sorted({word for text in (*off_topic, *slot_words) for word in words(text)} - ours)
        texts = [text for intent in corpus.intents for text in intent.wordings]
        self._texts = [text for text in texts if self._ours_alone.intersection(words(text))]

    def question(self, rng: random.Random) -> str:
        """A wording of some intent with a strange word for each that only questions about the app use."""
        parts = rng.choice(self._texts).split()
        return " ".join(self._word(rng) if self._ours_alone.intersection(words(part)) else part for part in parts)

    def _word(self, rng: random.Random) -> str:
        return _invented(rng) if rng.random() < _INVENTED else rng.choice(self._strange)


def varied(text: str, rules: Rules, strength: Strength, rng: random.Random) -> str:
    """Another way to type `text`; sometimes `text` itself. Never empty."""
    capital, end = text[:1].isupper(), text[-1:] if text[-1:] in "?!." else ""
    body = text.rstrip("?!.")
    if rng.random() < strength.opening:
        body = _other_opening(body, rules, rng)
    parts = body.split()
    parts = _with_synonyms(parts, rules, strength.synonym_word, rng)
    parts = _shortened(parts, strength, rng)
    if rng.random() < strength.before:
        parts = [rng.choice(rules.before) + rng.choice((",", "")), *parts]
    if rng.random() < strength.after:
        parts = [*parts, rng.choice(rules.after)]
    body = " ".join(parts)
    if rng.random() < strength.typo:
        body = _with_typo(body, rng)
    body = body.lower() if rng.random() < strength.lower_case else body[:1].upper() + body[1:] if capital else body
    return body if rng.random() < strength.no_punctuation else body + end


def _invented(rng: random.Random) -> str:
    """A word that sounds possible and means nothing."""
    syllables = (
        rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + rng.choice(("", "", "n", "r", "s", "t", "ck")) for _ in range(3)
    )
    return "".join(list(syllables)[: rng.randint(2, 3)])


def _alternatives(groups: list[list[str]]) -> dict[str, tuple[str, ...]]:
    """Each phrase with the others of all groups that hold it."""
    found: dict[str, list[str]] = {}
    for group in groups:
        for phrase in group:
            found.setdefault(phrase, []).extend(other for other in group if other != phrase)
    return {phrase: tuple(others) for phrase, others in found.items()}


def _other_opening(body: str, rules: Rules, rng: random.Random) -> str:
    lower = body.lower()
    fitting = [opening for opening in rules.openings if lower.startswith(f"{opening} ")]
    if not fitting:
        return body
    opening = max(fitting, key=len)
    return rng.choice(rules.openings[opening]) + body[len(opening) :]


def _with_synonyms(parts: list[str], rules: Rules, probability: float, rng: random.Random) -> list[str]:
    result: list[str] = []
    position = 0
    while position < len(parts):
        length, others = _phrase_at(parts, position, rules)
        if others and rng.random() < probability:
            result.append(rng.choice(others))
            position += length
        else:
            result.append(parts[position])
            position += 1
    return result


def _phrase_at(parts: list[str], position: int, rules: Rules) -> tuple[int, tuple[str, ...]]:
    """The longest phrase (of at most two words) with synonyms that begins at `position`: its length and synonyms."""
    for length in (2, 1):
        others = rules.synonyms.get(" ".join(parts[position : position + length]).lower(), ())
        if others:
            return length, others
    return 1, ()


def _shortened(parts: list[str], strength: Strength, rng: random.Random) -> list[str]:
    if len(parts) > 3 and rng.random() < strength.keywords:
        longest = sorted(range(len(parts)), key=lambda index: -len(parts[index]))[: rng.randint(2, 3)]
        return [parts[index] for index in sorted(longest)]
    if len(parts) < 3:
        return parts
    return [part for part in parts if rng.random() >= strength.drop_word] or parts


def _with_typo(body: str, rng: random.Random) -> str:
    places = [index for index, letter in enumerate(body) if letter.isalpha()]
    if len(places) < 4:
        return body
    at = rng.choice(places[1:])
    kind = rng.randrange(4)
    if kind == 0:
        return body[:at] + body[at + 1 :]
    if kind == 1:
        return body[:at] + body[at] + body[at:]
    if kind == 2:
        return body[:at] + rng.choice(_LETTERS) + body[at + 1 :]
    return body[: at - 1] + body[at] + body[at - 1] + body[at + 1 :]
