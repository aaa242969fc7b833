"""The parity of both sides, in short; and that it can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import wasmtime

from tests.conformance import parity
from tests.conformance.models import Logits
from tests.conformance.parity import Parity, Sides, compare, open_sides, prompts_of, together
from tests.conformance.quantisation import CHECKPOINTS, GOLDEN


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_both_sides_say_the_same(checkpoint: str, harness: wasmtime.Module, tmp_path: Path) -> None:
    prompts = prompts_of(GOLDEN / checkpoint, 12)
    assert len({tuple(prompt) for prompt in prompts}) == 12
    long_prompts = prompts_of(GOLDEN / checkpoint, 4, parity.LONG_PROMPT_TOKENS)
    result = compare(open_sides(GOLDEN / checkpoint, tmp_path / "model", harness), prompts, long_prompts)
    assert (result.positions, result.prompts) == (12 * parity.PROMPT_TOKENS, 12)
    assert result.greedy_agreement >= parity.AGREEMENT_MIN
    assert result.exact_agreement >= parity.AGREEMENT_MIN
    assert result.long_prompt_agreement >= 0.95, "68 positions only"
    assert result.exact_max_logit_difference < result.max_logit_difference, "the rounding of activations is the cause"
    assert 0.0 <= result.disagreement_lead_max <= 2 * result.max_logit_difference


def says(*rows: Sequence[float]) -> parity.Forward:
    def forward(_: Sequence[int], past: int) -> Logits:
        return np.array(rows[min(past, len(rows) - 1)], dtype=np.float32)

    return forward


def test_a_difference_is_counted_and_measured() -> None:
    canister = says([0.0, 1.0], [3.0, 1.0])
    result = compare(Sides(canister, says([0.0, 1.5], [1.0, 1.25]), canister), [[4, 5]], [[0] * 97])
    assert result == Parity(0.5, 2, 1, 2.0, 2.0, 1.0, 0.0, 0.0)


def test_checkpoints_are_weighted_by_their_positions() -> None:
    whole = together([Parity(1.0, 30, 3, 0.5, 0.1, 1.0, 0.0, 1.0), Parity(0.8, 10, 1, 0.25, 0.2, 0.5, 0.125, 0.9)])
    assert astuple(whole) == pytest.approx((0.95, 40, 4, 0.5, 0.2, 0.875, 0.125, 0.975))


def test_too_little_agreement_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for step_by_step, at_once, code in ((0.989, 1.0, 1), (1.0, 0.989, 1), (0.99, 0.99, 0)):
        result = Parity(step_by_step, 10, 1, 0.1, 0.1, 1.0, 0.0, at_once)
        monkeypatch.setattr(parity, "run", lambda _, result=result: {"a": result})
        assert parity.main(["--json"]) == code
        assert f'"greedy_agreement": {step_by_step}' in capsys.readouterr().out
