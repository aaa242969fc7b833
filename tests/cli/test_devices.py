"""`personal-ai model devices` says what a model runs on, and why."""

from __future__ import annotations

from personal_ai.common.paths import Paths
from personal_ai.models.local.devices import ACCELERATORS
from tests.cli.conftest import Run


def test_the_choice_and_its_reasons_can_be_read(run: Run, profile: Paths) -> None:
    result = run("model", "devices", "small")
    assert result.exit_code == 0
    *others, last = result.output.splitlines()
    assert last == "runs on processor, own kernel: it is the fastest that can be used"
    assert [line.partition(":")[0] for line in others] == [f"not on {device.label}" for device in ACCELERATORS]


def test_an_unknown_model_is_told(run: Run, profile: Paths) -> None:
    result = run("model", "devices", "nobody")
    assert result.exit_code == 1
    assert "no model named nobody" in result.errors
