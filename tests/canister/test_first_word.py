"""The benchmark of the first word, on a small model."""

from __future__ import annotations

from dataclasses import replace

from personal_ai.ic.profile import IC
from tests.benchmarks.first_word import QUESTION, SYSTEM, measure
from tests.benchmarks.shapes import SHAPES


def test_the_first_word_waits_for_the_question_only() -> None:
    small = replace(SHAPES["smollm2-135m"], layer_count=2, vocabulary_size=1024)
    figures = measure(small, "int8")
    assert figures["first_word_s"] == IC.pacing.ingress_latency_s + IC.pacing.round_s
    per_token = figures["system_prompt_instructions"] / SYSTEM
    assert figures["first_call_of_300_tokens_instructions"] - figures["first_call_instructions"] > (
        (300 - QUESTION - 10) * per_token * 0.8
    ), "the system prompt was not computed again"
    assert figures["system_prompt_of_another_chat_instructions"] < figures["system_prompt_instructions"] / 10
