"""Guesses are what followed the same words; they grow where they hold and go silent where they fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.models.local.lookup import PromptLookup

SENTENCE = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26]


def written(prompt: list[int], reply: list[int]) -> tuple[int, int, int]:
    """Steps, guesses and right guesses when `reply` is what the model would say."""
    lookup, context, steps, guesses, rights = PromptLookup(), list(prompt), 0, 0, 0
    while len(context) < len(prompt) + len(reply):
        guess = lookup.guess(context)
        rest = reply[len(context) - len(prompt) :]
        right = next((index for index, pair in enumerate(zip(guess, rest, strict=False)) if pair[0] != pair[1]), None)
        right = min(len(guess), len(rest)) if right is None else right
        lookup.learn(len(guess), right)
        context += rest[: right + 1]
        steps, guesses, rights = steps + 1, guesses + len(guess), rights + right
    return steps, guesses, rights


def test_words_said_before_are_guessed() -> None:
    lookup = PromptLookup()
    assert lookup.guess([*SENTENCE, 1, 2, *SENTENCE[:4]]) == [15]
    lookup.learn(1, 1)
    assert lookup.guess([*SENTENCE, 1, 2, *SENTENCE[:6]]) == [17, 18, 19]
    assert lookup.guess([*SENTENCE, 1, 2, *SENTENCE[:6], 9]) == []


def test_the_latest_place_is_followed() -> None:
    assert PromptLookup().guess([1, 2, 3, 4, 5, 1, 2, 3, 4, 6, 1, 2, 3, 4]) == [6]


@pytest.mark.parametrize("count", range(4))
def test_too_few_words_are_no_reason(count: int) -> None:
    assert PromptLookup().guess(SENTENCE[:count] * 2) == []


def test_a_text_once_more_takes_a_fraction_of_the_steps() -> None:
    text = [int(token) for token in np.random.default_rng(3).integers(0, 1000, 200)]
    steps, guesses, rights = written(text, text)
    assert steps < 200 / 6
    assert rights >= guesses - 7


def test_guesses_that_fail_cease() -> None:
    """The same four words again and again, and another one after them each time."""
    text = [token for index in range(500) for token in (1, 2, 3, 4, 100 + index)]
    steps, guesses, rights = written([], text)
    assert rights == 0
    assert guesses <= 3
    assert steps == len(text)


def test_after_failures_a_long_repetition_is_seen_again() -> None:
    failing = [token for index in range(50) for token in (1, 2, 3, 4, 100 + index)]
    text = list(range(1000, 1200))
    steps, _, _ = written([*text], [*failing, *text])
    assert steps < len(failing) + 100


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 59))
def test_a_guess_is_what_followed_the_same_words(tokens: list[int], begun: int) -> None:
    """Whether it saw the conversation grow or sees it for the first time."""
    lookup = PromptLookup()
    lookup.guess(tokens[:begun])
    guess = lookup.guess(tokens)
    assert guess == PromptLookup().guess(tokens)
    places = [place for place in range(4, len(tokens)) if tokens[place - 4 : place] == tokens[-4:]]
    assert guess == (tokens[places[-1] : places[-1] + 1] if places else [])
