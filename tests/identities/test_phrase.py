from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.identities import phrase
from personal_ai.identities.errors import PhraseError

KNOWN = "abandon " * 11 + "about"


@pytest.mark.parametrize("words", [12, 24])
def test_fresh_phrases_are_valid_and_differ(words: int) -> None:
    first, second = phrase.generate(words), phrase.generate(words)  # type: ignore[arg-type]
    assert first != second
    assert len(first.split()) == words
    assert phrase.check(first) == first


def test_twelve_words_unless_told_otherwise() -> None:
    assert len(phrase.generate().split()) == 12


def test_spelling_is_made_one() -> None:
    assert phrase.check("  ABANDON\n" * 11 + "\tAbout ") == KNOWN


def test_the_seed_is_that_of_the_standard() -> None:
    """The vector of BIP39 without a passphrase."""
    assert phrase.seed(KNOWN).hex() == (
        "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
        "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4"
    )


def test_wrong_words_are_named_with_near_ones() -> None:
    with pytest.raises(PhraseError) as raised:
        phrase.check("abandn " + "abandon " * 10 + "abuot")
    message = str(raised.value)
    assert "word 1, 'abandn' (perhaps abandon" in message
    assert "word 12, 'abuot' (perhaps about" in message
    assert "word 2" not in message


@pytest.mark.parametrize("count", [0, 1, 11, 13, 25])
def test_a_wrong_number_of_words_is_said(count: int) -> None:
    with pytest.raises(PhraseError, match=f"there are {count} here"):
        phrase.check("abandon " * count)


@pytest.mark.parametrize("words", ["abandon " * 12, "about " + "abandon " * 11])
def test_words_that_do_not_fit_together(words: str) -> None:
    with pytest.raises(PhraseError, match="do not fit together"):
        phrase.check(words)


@given(st.text(max_size=200))
def test_any_text_is_a_phrase_or_refused_in_a_short_message(text: str) -> None:
    try:
        phrase.check(text)
    except PhraseError as error:
        assert len(str(error)) < 800


def test_a_long_text_is_refused_at_once() -> None:
    with pytest.raises(PhraseError, match="too long"):
        phrase.check("x " * 1_000_000)


def test_some_words_are_asked_for_again_at_random_places() -> None:
    asked = [phrase.places_to_verify(KNOWN) for _ in range(50)]
    assert all(len(set(places)) == 3 and sorted(places) == list(places) for places in asked)
    assert {place for places in asked for place in places} == set(range(1, 13))
    assert max(phrase.places_to_verify(phrase.generate(24), 24)) == 24


def test_words_typed_again_are_compared() -> None:
    phrase.verify_words(KNOWN, {1: " Abandon ", 12: "ABOUT"})
    with pytest.raises(PhraseError) as raised:
        phrase.verify_words(KNOWN, {1: "abandon", 3: "abandn", 12: "above"})
    message = str(raised.value)
    assert "word 3, 'abandn' (perhaps abandon" in message
    assert "word 12, 'above' (perhaps" in message and "word 1," not in message
    assert "perhaps above" not in message
