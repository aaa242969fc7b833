"""The benchmark of local answers, on a model that takes no time: its figures are what they say."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks import local
from tests.benchmarks.shapes import SHAPES

SMALL = replace(
    SHAPES["smollm2-135m"], vocabulary_size=40_000, hidden_size=64, layer_count=1, head_count=1, key_value_head_count=1
)


def test_one_shape_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(SHAPES, "smollm2-135m", SMALL)
    result = local.measured(tmp_path, "smollm2-135m", "int4", rounds=2, threads=1, peer=False)
    prefill_s = local.PROMPT / result["prefill_tokens_per_s"]
    assert result["first_token_s"] == pytest.approx(prefill_s, rel=1e-2, abs=6e-4)  # tenths of a token, whole ms
    assert result["decode_tokens_per_s"] > 0
    assert 10 << 20 < result["loading_memory_bytes"] <= result["peak_memory_bytes"] < 4 << 30
    assert 1 << 20 < result["own_memory_bytes"] < result["peak_memory_bytes"]
    prose, code, repetition = result["speculation"]["texts"]
    assert prose["guessed"] < 10, "where guesses fail they cease"
    assert code["accepted_share"] > 0.4
    assert repetition["accepted_share"] > 0.9
    assert all(text["decode_ratio"] > 0 for text in (prose, code, repetition))
    assert result["speculation"]["same_choice"] > 0.98


def test_a_round_counts_from_the_question_and_asks_something_new() -> None:
    asked: list[list[int]] = []

    def answer(tokens: list[int], count: int) -> list[float]:
        asked.append(tokens)
        return [0.5 + 0.25 * index for index in range(count)]

    assert local._round(answer, 0, os.getpid())[:2] == (0.5, 0.25)
    local._round(answer, 1, os.getpid())
    assert len(asked[0]) == local.PROMPT
    assert len({tokens[0] for tokens in asked}) == 4
