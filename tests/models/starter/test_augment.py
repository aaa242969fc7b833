from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.models.starter.augment import Estranger, Strength, filled, load_rules, varied
from personal_ai.models.starter.corpus import load, normalised, words

NOTHING = Strength(
    opening=0, synonym_word=0, drop_word=0, before=0, after=0, lower_case=0, no_punctuation=0, typo=0, keywords=0
)


def _varied(text: str, seed: int = 0, **strength: float) -> str:
    return varied(text, load_rules(), Strength(**dict.fromkeys(_NAMES, 0.0) | strength), random.Random(seed))


_NAMES = ("opening", "synonym_word", "drop_word", "before", "after", "lower_case", "no_punctuation", "typo", "keywords")


@given(st.integers(0, 2**32), st.sampled_from([text for i in load().all_intents for text in i.wordings]))
def test_a_variation_is_never_empty_and_the_same_for_the_same_seed(seed: int, text: str) -> None:
    one = varied(text, load_rules(), Strength(), random.Random(seed))
    assert one.strip()
    assert one == varied(text, load_rules(), Strength(), random.Random(seed))


def test_strength_nothing_changes_nothing() -> None:
    for intent in load().intents:
        for text in intent.wordings:
            assert varied(text, load_rules(), NOTHING, random.Random(1)).rstrip("?!.") == text.rstrip("?!.")


def test_an_opening_is_exchanged_and_the_rest_kept() -> None:
    openings = {_varied("How do I delete a chat?", seed, opening=1) for seed in range(30)}
    assert len(openings) > 5
    assert all(text.endswith("delete a chat?") and not text.lower().startswith("how do i ") for text in openings)


def test_a_synonym_takes_the_place_of_the_longest_phrase() -> None:
    texts = {_varied("my recovery phrase", seed, synonym_word=1) for seed in range(30)}
    assert "my twelve words" in texts
    assert not any("recovery phrase" in text for text in texts)


def test_a_typo_changes_little() -> None:
    for seed in range(50):
        text = _varied("canister", seed, typo=1)
        assert abs(len(text) - 8) <= 1
        assert text[0] in "ca"


def test_dropping_words_keeps_short_questions_whole() -> None:
    assert _varied("my balance", drop_word=1) == "my balance"


def test_keywords_are_words_of_the_question_in_order() -> None:
    for seed in range(20):
        kept = _varied("how do I export every conversation", seed, keywords=1).split()
        assert 2 <= len(kept) <= 3
        assert "conversation" in kept


@pytest.mark.parametrize("seed", range(50))
def test_patterns_are_filled_completely(seed: int) -> None:
    question = filled(load(), random.Random(seed))
    assert "{" not in question
    assert normalised(question)


def test_an_estranged_question_keeps_none_of_the_words_that_only_the_app_uses() -> None:
    corpus = load()
    off_topic = {word for text in (*corpus.off_topic.wordings, *corpus.patterns) for word in words(text)}
    ours = {word for intent in corpus.intents for text in intent.wordings for word in words(text)}
    estranger, rng = Estranger(corpus), random.Random(5)
    known = {normalised(text) for intent in corpus.intents for text in intent.wordings}
    for _ in range(300):
        question = estranger.question(rng)
        assert not (ours - off_topic).intersection(words(question))
        assert normalised(question) not in known
