"""The decoders' conformance, in short; and that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from tests.conformance.decoders import Case, failure, measured


@pytest.mark.parametrize(("architecture", "tied"), [("gpt2", True), ("llama 3, stretched positions", False)])
def test_what_the_compiler_takes_the_engine_answers(
    architecture: str, tied: bool, harness: wasmtime.Module, tmp_path: Path
) -> None:
    cases = {case.weights: case for case in measured(harness, tmp_path, architecture, tied=tied)}
    assert list(cases) == ["f32", "int8", "int4"]
    for case in cases.values():
        refused = case.logit_difference is None
        assert bool(case.failure) == refused, case.failure
    assert cases["f32"].logit_difference is not None
    assert cases["int8"].logit_difference is not None


GOOD = Case(
    architecture="llama",
    tied=False,
    weights="int8",
    reference_difference=1e-6,
    logit_difference=0.1,
    logit_difference_relative=0.01,
    engine_difference_relative=1e-4,
    start_difference_relative=1e-4,
    greedy_agreement=1.0,
    splits_equal=True,
)


def test_a_good_case_passes() -> None:
    assert failure(GOOD) == ""


@pytest.mark.parametrize(
    "bad",
    [
        {"reference_difference": 1.0},
        {"logit_difference_relative": 0.5},
        {"engine_difference_relative": float("nan")},
        {"start_difference_relative": 0.01},
        {"greedy_agreement": 0.5},
        {"splits_equal": False},
    ],
    ids=str,
)
def test_a_bad_case_fails(bad: dict[str, Any]) -> None:
    assert failure(replace(GOOD, **bad)) != ""
