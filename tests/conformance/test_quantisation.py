"""The quantisation's conformance, in short; and that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wasmtime

from tests.conformance.quantisation import Case, Text, failure, measured
from tests.conformance.rounding import Rounded, rounded


@pytest.mark.parametrize("checkpoint", ["llama", "gpt2"])
def test_outliers_cost_a_trained_model_nothing(checkpoint: str, harness: wasmtime.Module, tmp_path: Path) -> None:
    """A few sequences only, so only what does not depend on luck is asked of them."""
    cases = list(measured(harness, tmp_path, checkpoint, scales=(1.0, 100.0), sequence_count=4))
    assert [(case.weights, case.outlier_scale) for case in cases] == [
        ("int8", 1.0),
        ("int4", 1.0),
        ("int8", 100.0),
        ("int4", 100.0),
    ]
    for case in cases:
        assert case.perplexity is not None
        assert case.perplexity < 30, "the checkpoint has learnt something"
        assert (case.agreement or 0.0) > {"int8": 0.98, "int4": 0.9}[case.weights]
        assert 0 < case.weights_at_limit < 0.2


GOOD = Case("llama", "int4", 1.0, agreement=0.97, perplexity_change=0.01, saturated_sums=1e-6)


def test_a_good_case_passes() -> None:
    assert failure(GOOD) == ""


@pytest.mark.parametrize(
    "bad",
    [
        {"agreement": 0.95},
        {"agreement": None},
        {"perplexity_change": 0.06},
        {"perplexity_change": float("nan")},
        {"saturated_sums": 1e-4},
        {"saturated_sums": None},
    ],
    ids=str,
)
def test_a_bad_case_fails(bad: dict[str, Any]) -> None:
    assert failure(replace(GOOD, **bad)) != ""


def test_weights_at_the_limit_and_beyond_it_are_counted() -> None:
    values = np.full((64, 1), 0.01, dtype=np.float32)
    values[3] = 1.0
    assert rounded(values, 8) == Rounded(64, 1, 0)
    values[:8] = np.array([1.0, -1.0] * 4)[:, None]  # either sign reaches to the end: one of them has no level -8
    found = rounded(values, 4)
    assert found.at_limit == 8
    assert found.cut_off == 4


def test_agreement_and_perplexity_are_what_they_say() -> None:
    expected = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]))
    text = Text([[1, 0, 1]], [expected])
    assert text.perplexity([expected]) == pytest.approx((1 / (0.5 * 0.8)) ** 0.5)
    assert text.compare([expected]) == (1.0, 0.0)
    other = expected + 7.0  # the same probabilities
    other[2] = [1.0, 0.0, 0.0]
    agreement, change = text.compare([other])
    assert agreement == pytest.approx(2 / 3)
    assert change == pytest.approx(0.0)
