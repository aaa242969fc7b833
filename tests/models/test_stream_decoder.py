"""Streamed text is the whole text, and no character shows before it is whole."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import UnsupportedModelError
from personal_ai.models.fields import Fields
from personal_ai.models.stream_decoder import Spelling, parse_spelling
from personal_ai.models.vocabulary import Vocabulary
from tests.support.chat_models import CHATML, FAMILIES, GEMMA, MISTRAL, Family

by_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@cache
def vocabulary(family: Family) -> Vocabulary:
    return Vocabulary(*family.files())


def token(family: Family, word: str) -> int:
    found = family.tokenizer().token_to_id(word)
    assert found is not None
    return found


def streamed(family: Family, ids: list[int]) -> list[str]:
    decoder = vocabulary(family).decoder()
    return [*map(decoder.push, ids), decoder.flush()]


@by_family
@given(text=st.text(max_size=40))
@settings(max_examples=80)
def test_a_text_comes_back_without_a_broken_character(family: Family, text: str) -> None:
    tokenizer = family.tokenizer()
    ids = [token for token in vocabulary(family).encode([text]) if token != tokenizer.token_to_id("<unk>")]
    pieces = streamed(family, ids)
    assert "".join(pieces) == tokenizer.decode(ids)
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)
    assert text.isascii() or "🙂" not in text or "🙂" in "".join(pieces)


@pytest.mark.parametrize("family", [CHATML], ids=["byte-level"])
@given(ids=st.lists(st.integers(0, 430), max_size=30))
@settings(max_examples=200)
def test_any_tokens_at_all_come_to_the_full_decode(family: Family, ids: list[int]) -> None:
    assert "".join(streamed(family, ids)) == family.tokenizer().decode(ids)


@given(ids=st.lists(st.integers(0, 700), max_size=30))
@settings(max_examples=200)
def test_broken_byte_tokens_spoil_no_more_than_they_must(ids: list[int]) -> None:
    """The tokenizers library gives up a whole run of byte tokens; we keep what is whole in it."""
    ours, theirs = "".join(streamed(MISTRAL, ids)), MISTRAL.tokenizer().decode(ids)
    if "\ufffd" in theirs:
        assert ours.count("\ufffd") <= theirs.count("\ufffd")
    else:
        assert ours == theirs


@by_family
def test_a_split_character_waits_until_it_is_whole(family: Family) -> None:
    ids = vocabulary(family).encode(["a𝄞"])
    pieces = streamed(family, ids)
    assert len(ids) >= 4
    assert [piece for piece in pieces if piece] in (["a", "𝄞"], [" a", "𝄞"])
    assert pieces[-1] == ""


@by_family
def test_an_unfinished_character_at_the_end_is_told(family: Family) -> None:
    ids = vocabulary(family).encode(["a𝄞"])[:-1]
    pieces = streamed(family, ids)
    assert "\ufffd" not in "".join(pieces[:-1])
    assert set(pieces[-1]) == {"\ufffd"}


def test_special_tokens_are_silent_and_unknown_ids_too() -> None:
    silent = [token(CHATML, "<|im_end|>"), 10_000, -1]
    assert "".join(streamed(CHATML, silent)) == ""
    think = token(CHATML, "<think>")
    assert "".join(streamed(CHATML, [think])) == "<think>", "an added token that the file does not hide"


def test_the_first_space_is_dropped_where_the_tokenizer_does_so() -> None:
    ids = [token(MISTRAL, "▁the")] * 2
    assert "".join(streamed(MISTRAL, ids)) == "the the"
    ids = [token(GEMMA, "▁the")] * 2
    assert "".join(streamed(GEMMA, ids)) == " the the"


def test_metaspace_decoders_are_known() -> None:
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    assert parse_spelling(Fields({"decoder": metaspace}, "t")) == Spelling(space="▁", strip_first=True)
    never = metaspace | {"prepend_scheme": "never"}
    assert parse_spelling(Fields({"decoder": never}, "t")) == Spelling(space="▁", strip_first=False)


@pytest.mark.parametrize(
    "decoder",
    [
        None,
        {"type": "WordPiece", "prefix": "##", "cleanup": True},
        {"type": "Sequence", "decoders": []},
        {"type": "Sequence", "decoders": [{"type": "Fuse"}]},
        {"type": "Sequence", "decoders": [{"type": "Strip", "content": "x", "start": 9, "stop": 0}]},
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": ".*"}, "content": " "}]},
    ],
    ids=json.dumps,
)
def test_other_decoders_are_refused_by_name(decoder: object) -> None:
    with pytest.raises(UnsupportedModelError, match="decoder"):
        parse_spelling(Fields({"decoder": decoder}, "tokenizer.json"))
