"""Advice: the verdicts and their reasons, from sizes, speed and pace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from personal_ai.deployments.fit import Candidate, Fit, candidate_of, fit
from personal_ai.ic.profile import IC, Pacing
from personal_ai.models.library import starter
from personal_ai.models.speed import Speed
from tests.benchmarks.shapes import SHAPES

SPEED = Speed({"int8": 10e9, "int4": 15e9})
GB = 10**9


def advice(name: str, *, speed: Speed | None = SPEED, memory_bytes: int | None = 16 * GB) -> Fit:
    candidate = Candidate(name, "apache-2.0", replace(SHAPES[name], context_length=8192), 2_000_000)
    return fit(candidate, "int8", IC, speed=speed, memory_bytes=memory_bytes)


def test_a_small_model_runs_well_everywhere() -> None:
    told = advice("smollm2-135m")
    assert (told.here.verdict, told.canister.verdict) == ("well", "well")
    assert told.here.tokens_per_s == pytest.approx(10e9 / 134.5e6, rel=0.01)
    assert told.canister.context_length == 4096 and told.canister.plan is not None
    assert 350 < told.canister.tokens_per_call < 450
    assert (told.canister.conversations, told.canister.kept_bits) == (11, 8)
    assert told.canister.tokens_per_s == pytest.approx(128 / told.canister.reply_s)
    assert told.parameters == pytest.approx(134.5e6, rel=0.01)
    assert "no word leaves" in told.privacy[0] and "operators" in told.privacy[1]


def test_a_pace_is_told_no_closer_than_it_is_known() -> None:
    assert "about 74.4 tokens/s" in advice("smollm2-135m").here.reason
    fast = advice("smollm2-135m", speed=Speed({"int8": 1e12, "int4": 1e12}))
    assert "about 7,436 tokens/s" in fast.here.reason


def test_a_large_one_runs_slowly_in_a_canister() -> None:
    told = advice("llama3.2-1b")
    assert told.canister.verdict == "slowly" and "tokens/s; people read" in told.canister.reason
    assert told.canister.upload_s > 300


def test_what_does_not_fit_a_canister_has_the_compilers_reason_and_no_figures() -> None:
    huge = replace(SHAPES["llama3.2-1b"], layer_count=80, context_length=4096)
    told = fit(Candidate("huge", "mit", huge, 0), "int8", IC, speed=None, memory_bytes=None)
    assert told.canister.verdict == "not" and "3758096384 bytes" in told.canister.reason
    assert told.canister.plan is None and told.canister.tokens_per_call == 0
    assert told.here.tokens_per_s is None and "not been measured" in told.here.reason


def test_too_little_memory_or_speed_here() -> None:
    small = advice("qwen2.5-0.5b", memory_bytes=GB)
    assert small.here.verdict == "not" and "this computer has 1.0 GB" in small.here.reason
    slow = advice("qwen2.5-0.5b", speed=Speed({"int8": 1e8, "int4": 1e8}))
    assert slow.here.verdict == "not" and "tokens/s" in slow.here.reason


def test_a_slow_network_makes_it_slow() -> None:
    package = candidate_of(starter())
    slow = replace(IC, pacing=Pacing(slice_instructions=500_000))
    assert fit(package, "int8", IC, speed=SPEED, memory_bytes=None).canister.verdict == "well"
    assert fit(package, "int8", slow, speed=SPEED, memory_bytes=None).canister.verdict == "not"


def test_a_model_whose_single_token_outgrows_a_message_does_not_run() -> None:
    profile = replace(IC, limits=replace(IC.limits, update_instructions=1_000_000))
    told = fit(candidate_of(starter()), "int8", profile, speed=None, memory_bytes=None)
    assert told.canister.verdict == "not" and "single token" in told.canister.reason
