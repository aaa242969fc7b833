"""Models told without a word that one would have to look up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ui import model_words
from ui.text import FIRM
from ui.tour.scripted import ScriptedModel


@pytest.mark.parametrize(("tokens", "words"), [(512, "380"), (2048, "1,500"), (32_768, "25,000"), (131_072, "98,000")])
def test_what_it_follows_is_told_in_round_numbers_of_words(tokens: int, words: str) -> None:
    assert model_words.remembered(tokens) == f"follows about {words}{FIRM}words of a conversation"


@pytest.mark.parametrize("told", [model_words.quality, model_words.packing])
def test_each_packing_has_its_own_words(told: Callable[[str], str]) -> None:
    assert len({told(quantisation) for quantisation in ("int8", "int4", "f32")}) == 3


def test_a_model_in_one_line() -> None:
    model = ScriptedModel("smol", "Smol", 148_000_000, 2048, "int4")
    assert model_words.facts(model).startswith(
        f"smaller, a little less exact, 148{FIRM}MB  \N{MIDDLE DOT}  follows about"
    )
