"""Recovery phrases: BIP39 in English, without a passphrase, as other Internet Computer tools use it."""

from __future__ import annotations

import difflib
import secrets
import unicodedata
from collections.abc import Mapping
from typing import Literal

from mnemonic import Mnemonic

from personal_ai.identities.errors import PhraseError

LENGTHS = (12, 15, 18, 21, 24)
_MAX_TEXT_LENGTH = 2000
_MAX_WRONG_WORDS = 5
_BITS_PER_CHECKSUM_BIT = 32
_WORDS_PER_CHECKSUM_BIT = 3
_ENGLISH = Mnemonic("english")


def generate(words: Literal[12, 24] = 12) -> str:
    """A fresh phrase from the system's random numbers."""
    phrase: str = _ENGLISH.generate(words // _WORDS_PER_CHECKSUM_BIT * _BITS_PER_CHECKSUM_BIT)
    return phrase


def check(text: str) -> str:
    """The phrase in small letters with single spaces. Raises PhraseError that names what is wrong."""
    if len(text) > _MAX_TEXT_LENGTH:
        raise PhraseError("This is too long for a recovery phrase.")
    words = unicodedata.normalize("NFKD", text).lower().split()
    unknown = [(place, word) for place, word in enumerate(words, start=1) if word not in _ENGLISH.wordlist]
    if unknown:
        said = " ".join(_about(place, word) for place, word in unknown[:_MAX_WRONG_WORDS])
        raise PhraseError(f"Not in the list of words: {said}", next_step="Check how the words are spelled.")
    if len(words) not in LENGTHS:
        raise PhraseError(
            f"A recovery phrase has 12 or 24 words (some have 15, 18 or 21); there are {len(words)} here.",
            next_step="Look for a word that is missing or came twice.",
        )
    phrase = " ".join(words)
    if not _ENGLISH.check(phrase):
        raise PhraseError(
            "The words do not fit together: one of them is another word, or their order is not right.",
            next_step="Compare them with what you wrote down, one by one.",
        )
    return phrase


def seed(phrase: str) -> bytes:
    """The 64-byte seed of a phrase that `check` has passed (PBKDF2-HMAC-SHA512, 2048 rounds)."""
    return bytes(_ENGLISH.to_seed(phrase))


def places_to_verify(phrase: str, count: int = 3) -> tuple[int, ...]:
    """Random places (from 1, ascending) whose words are to be typed again, to see that the phrase was written down."""
    return tuple(sorted(secrets.SystemRandom().sample(range(1, len(phrase.split()) + 1), count)))


def verify_words(phrase: str, typed: Mapping[int, str]) -> None:
    """Compares the words `typed` by place with the phrase. Raises PhraseError that names the wrong ones.

    The near words it suggests are near to what was typed: whoever typed a wrong one must look at the paper again.
    """
    words = phrase.split()
    spelled = {place: unicodedata.normalize("NFKD", word).lower().strip() for place, word in typed.items()}
    wrong = [(place, word) for place, word in sorted(spelled.items()) if words[place - 1] != word]
    if wrong:
        said = " ".join(_about(place, word) for place, word in wrong)
        raise PhraseError(
            f"This is not what stands in your phrase: {said}",
            next_step="Look at what you wrote down; if it differs, write the phrase down again.",
        )


def _about(place: int, word: str) -> str:
    near = [one for one in difflib.get_close_matches(word, _ENGLISH.wordlist, n=4, cutoff=0.6) if one != word][:3]
    return f"word {place}, {word[:20]!r}" + (f" (perhaps {' or '.join(near)})." if near else ".")
