"""The sampler against its own words, written out again step by step, and against the golden cases."""

from __future__ import annotations

import json
import math
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.models.sampling import LN2_HIGH, LN2_LOW, LOG2_E, Sampling, exp, sample, uniform

GOLDEN = Path(__file__).parent / "golden" / "sampling.json"
GREATEST = float(np.finfo(np.float32).max)


def stepwise(logits: list[float], context: list[int], sampling: Sampling) -> int:
    """The module's text as one scalar program."""
    single = np.float32
    values = [finite(single(value)) for value in logits]
    penalty = single(sampling.repetition_penalty)
    if penalty != 1:
        for token in set(context):
            if 0 <= token < len(values):
                with np.errstate(over="ignore"):
                    changed = values[token] / penalty if values[token] > 0 else values[token] * penalty
                values[token] = finite(changed)
    order = sorted(range(len(values)), key=lambda token: (-float(values[token]), token))
    if single(sampling.temperature) == 0:
        return order[0]
    if sampling.top_k:
        order = order[: sampling.top_k]
    greatest, temperature = float(values[order[0]]), float(single(sampling.temperature))
    weights = {token: exponential((float(values[token]) - greatest) / temperature) for token in order}
    if single(sampling.top_p) < 1:
        enough, running, kept = float(single(sampling.top_p)) * ascending_sum(weights), 0.0, []
        for token in order:
            kept.append(token)
            running += weights[token]
            if running >= enough:
                break
        weights = {token: weights[token] for token in kept}
    weights = {token: weight for token, weight in weights.items() if weight >= float(single(sampling.min_p))}
    threshold, running = uniform(sampling.seed, len(context)) * ascending_sum(weights), 0.0
    for token in sorted(weights):
        running += weights[token]
        if running > threshold:
            return token
    raise AssertionError("the sum is greater than any share of it")


def finite(value: np.float32) -> np.float32:
    if math.isnan(value) or value == -math.inf:
        return np.float32(-GREATEST)
    return np.float32(GREATEST) if value == math.inf else value


def ascending_sum(weights: dict[int, float]) -> float:
    total = 0.0
    for token in sorted(weights):
        total += weights[token]
    return total


def exponential(x: float) -> float:
    if x < -700:
        return 0.0
    k = math.floor(x * LOG2_E + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = 1 / math.factorial(13)
    for n in range(12, -1, -1):
        p = p * r + 1 / math.factorial(n)
    return math.ldexp(p, k)


any_logit = st.one_of(st.floats(-30, 30, width=32), st.floats(width=32), st.sampled_from([0.0, 1.0, 1.0, math.nan]))
samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-30, 0.3, 0.8, 1.0, 5.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 1000]),
    top_p=st.sampled_from([1.0, 0.95, 0.5, 1e-6]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.5, 100.0]),
    seed=st.integers(0, 2**64 - 1),
)


@given(st.lists(any_logit, min_size=1, max_size=12), st.lists(st.integers(0, 15), max_size=8), samplings)
@settings(max_examples=500)
def test_the_sampler_does_what_its_text_says(logits: list[float], context: list[int], sampling: Sampling) -> None:
    given_logits = np.array(logits, dtype=np.float32)
    before = given_logits.copy()
    assert sample(given_logits, context, sampling) == stepwise(logits, context, sampling)
    assert np.array_equal(given_logits, before, equal_nan=True)


def golden_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(GOLDEN.read_text())["cases"]
    return cases


@pytest.mark.parametrize("case", golden_cases(), ids=lambda case: case["why"])
def test_golden_cases(case: dict[str, Any]) -> None:
    """The canister's sampler reads the same file. Logits are the bits of f32."""
    logits = np.array(case["logits_bits"], dtype=np.uint32).view(np.float32)
    assert sample(logits, case["context"], Sampling(**case["sampling"])) == case["token"]


@pytest.mark.parametrize("number", json.loads(GOLDEN.read_text())["uniform"], ids=str)
def test_golden_random_numbers(number: dict[str, int]) -> None:
    assert uniform(number["seed"], number["position"]) == number["numerator"] / 2**53


@pytest.mark.parametrize("number", json.loads(GOLDEN.read_text())["exp"], ids=str)
def test_golden_exponentials(number: dict[str, str]) -> None:
    (x,) = struct.unpack(">d", bytes.fromhex(number["x_bits"]))
    (result,) = struct.unpack(">d", bytes.fromhex(number["result_bits"]))
    assert exp(np.array([x]))[0] == result == exponential(x)


def test_exp_is_the_exponential() -> None:
    x = -np.linspace(0, 700, 100_001)
    assert np.abs(exp(x) / np.exp(x) - 1).max() < 2**-50
    assert exp(np.array([-700.1, -1e300, -np.inf])).tolist() == [0, 0, 0]


def test_draws_follow_the_weights() -> None:
    logits = np.log(np.array([1, 2, 3, 4], dtype=np.float32))
    counts = Counter(sample(logits, range(position), Sampling(temperature=1.0, seed=7)) for position in range(4000))
    for token in range(4):
        assert abs(counts[token] / 4000 - (token + 1) / 10) < 0.03


def test_seeds_and_positions_give_unrelated_numbers() -> None:
    numbers = np.array([uniform(seed, position) for seed in range(64) for position in range(64)])
    assert abs(numbers.mean() - 0.5) < 0.02
    assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"repetition_penalty": 0.0},
        {"seed": 2**64},
        {"seed": -1},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Sampling(**wrong)
