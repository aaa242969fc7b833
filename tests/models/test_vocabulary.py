"""A hostile tokenizer.json ends in a typed error, whatever the library below makes of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.models.vocabulary import SpecialToken, Vocabulary
from tests.support.chat_models import CHATML, MISTRAL, PHI_3, Family

Change = Callable[[dict[str, Any]], object]
SPECIAL = {"content": "<x>", "special": True, "lstrip": False, "rstrip": False, "single_word": False}


def spoiled(change: Change, family: Family = CHATML) -> Vocabulary:
    tokenizer, config = family.files()
    raw = json.loads(tokenizer)
    change(raw)
    return Vocabulary(json.dumps(raw).encode(), config)


def add_special(content: str) -> Change:
    def change(raw: dict[str, Any]) -> None:
        ids = [*raw["model"]["vocab"].values(), *(token["id"] for token in raw["added_tokens"])]
        raw["added_tokens"].append({**raw["added_tokens"][0], "content": content, "id": 1 + max(ids)})

    return change


def set_model(**model: object) -> Change:
    return lambda raw: raw.update(model=model)


BROKEN: dict[str, Change] = {
    "a huge id": lambda raw: raw["model"]["vocab"].update(zzz=2**40),
    "a negative id": lambda raw: raw["model"]["vocab"].update(zzz=-1),
    "merges of nothing": lambda raw: raw["model"].update(merges=[["nope", "nah"]]),
    "a broken charsmap (the library panics)": lambda raw: raw.update(
        normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    ),
    "no model": lambda raw: raw.pop("model"),
    "a model of no kind": set_model(type="Oracle"),
    "added tokens that are none": lambda raw: raw.update(added_tokens=7),
    "an added token without text": lambda raw: raw["added_tokens"].append({"id": 1}),
    "an added token with a foreign number": lambda raw: raw["added_tokens"].append(
        SPECIAL | {"id": 100_000, "normalized": False}
    ),
    "the same added token twice": lambda raw: raw["added_tokens"].append({**raw["added_tokens"][0], "id": 5}),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_broken_tokenizers_are_refused(change: Change) -> None:
    with pytest.raises(FormatError):
        spoiled(change)


@pytest.mark.parametrize(
    "change",
    [
        set_model(type="Unigram", unk_id=None, vocab=[["a", 0.0]]),
        set_model(type="WordLevel", vocab={"a": 0}, unk_token="nope"),
        lambda raw: raw.update(
            pre_tokenizer={"type": "Split", "pattern": {"Regex": "(x+)+$"}, "behavior": "Isolated", "invert": False}
        ),
    ],
    ids=["Unigram without unknown", "WordLevel without unknown", "a pattern that never ends"],
)
def test_what_breaks_only_over_a_text_is_refused_then(change: Change) -> None:
    vocabulary = spoiled(lambda raw: (raw.update(added_tokens=[]), change(raw)))
    with pytest.raises(FormatError):
        vocabulary.encode(["x" * 40 + "y"])


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be replaced; of long lists and objects the first few."""
    keys = list(value)[:6] if isinstance(value, dict) else range(min(len(value), 3)) if isinstance(value, list) else []
    return [path, *(found for key in keys for found in paths(value[key], (*path, key)))]  # type: ignore[index]


ALL_PATHS = {family: paths(json.loads(family.files()[0]))[1:] for family in (CHATML, MISTRAL)}
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**33), 2**33),
    st.text(max_size=4),
    st.sampled_from([[], {}, [[]], {"type": "Sequence"}, "ByteLevel", "first", "always"]),
)


@pytest.mark.parametrize("family", [CHATML, MISTRAL], ids=lambda family: family.name)
@given(data=st.data())
@settings(max_examples=150)
def test_any_change_is_survived(family: Family, data: st.DataObject) -> None:
    *parents, last = data.draw(st.sampled_from(ALL_PATHS[family]))

    def replace(raw: Any) -> None:
        for key in parents:
            raw = raw[key]
        raw[last] = data.draw(values)

    with contextlib.suppress(BadInputError):
        vocabulary = spoiled(replace, family)
        ids = vocabulary.encode(["Hello </s><|im_end|> 你好"])
        assert vocabulary.special_ids.isdisjoint(ids)
        decoder = vocabulary.decoder()
        assert isinstance("".join(map(decoder.push, ids)) + decoder.flush(), str)


def test_tokens_that_no_text_yields_do_not_count_for_the_models_size() -> None:
    plain = Vocabulary(*CHATML.files())
    assert spoiled(add_special("<image>")).size_in_text == plain.size_in_text


def test_special_tokens_swallow_the_space_beside_them() -> None:
    vocabulary = Vocabulary(*PHI_3.files())
    user, end = vocabulary.split("<|user|><|end|>")
    assert isinstance(user, SpecialToken)
    assert vocabulary.encode([user, " \n Hi", end, "\n"]) == vocabulary.encode([user, "Hi", end])


def test_the_longest_special_token_wins() -> None:
    vocabulary = spoiled(add_special("<|im_end|>>"))
    parts = [part.text if isinstance(part, SpecialToken) else part for part in vocabulary.split("a<|im_end|>>>b")]
    assert parts == ["a", "<|im_end|>>", ">b"]
