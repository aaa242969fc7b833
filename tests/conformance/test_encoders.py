"""The encoders' conformance, in short; and that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from tests.conformance.encoders import Case, failure, measured


def test_an_encoder_answers_the_same_everywhere(
    harness: wasmtime.Module,
    tmp_path: Path,
) -> None:
    cases = list(measured(harness, tmp_path, "roberta, mean, unit length"))
    assert {case.weights for case in cases} == {"f32", "int8", "int4"}
    for case in cases:
        assert not case.failure, case.failure


GOOD = Case("bert", "int8", local_difference=1e-7, engine_difference=1e-5, cosine=0.9999)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tokens_equal": False}, "tokens"),
        ({"local_difference": 1e-3}, "local_difference"),
        ({"engine_difference": float("nan")}, "engine_difference"),
        ({"cosine": 0.9}, "cosine"),
        ({"tiles_equal": False}, "cut"),
    ],
)
def test_a_case_can_fail(change: dict[str, object], reason: str) -> None:
    assert not failure(GOOD)
    assert reason in failure(replace(GOOD, **change))  # type: ignore[arg-type]
