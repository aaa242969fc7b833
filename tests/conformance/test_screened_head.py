"""The screened head's conformance, in short; and that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wasmtime

from tests.conformance.screened_head import Figures, Position, failure, figures, measured


def test_a_trained_model_says_the_same(harness: wasmtime.Module, tmp_path: Path) -> None:
    positions = measured(harness, tmp_path, sequence_count=2)
    found = figures(positions)
    assert found.positions == 190
    assert found.greedy_differs == 0
    assert found.perplexity < 1000, "the checkpoint has learnt something: 8,192 words are 8,192 before"
    assert 0 < found.distance < 0.05, "the heads are not the same head"
    equal = np.mean([np.mean(position.exact == position.screened) for position in positions])
    assert 0.05 < equal < 0.2, "512 words of 8,192 are exact"


GOOD = Figures(1, 0.0, 0.01, 0.02, 0.1, 0.9, 100.0, 0.005)


def test_good_figures_pass() -> None:
    assert failure(GOOD) == ""


@pytest.mark.parametrize(
    "bad", [{"greedy_differs": 0.01}, {"distance": 0.06}, {"perplexity_change": float("nan")}], ids=str
)
def test_bad_figures_fail(bad: dict[str, Any]) -> None:
    assert failure(replace(GOOD, **bad)) != ""


def test_figures_are_what_they_say() -> None:
    exact = np.log(np.array([0.5, 0.25] + [0.25 / 98] * 98, dtype=np.float32))
    other = exact.copy()
    other[[0, 1]] = exact[[1, 0]]
    found = figures([Position([1], 0, exact, exact), Position([1, 2], 0, exact, other)])
    assert found.greedy_differs == 0.5
    assert found.top_40_missed == 0
    assert found.distance == pytest.approx(0.125)
    assert found.distance_max == pytest.approx(0.25)
    assert found.perplexity == pytest.approx(2.0)
    assert found.perplexity_change == pytest.approx(2**0.5 - 1)
