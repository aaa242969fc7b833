"""This computer's speed: measured once, kept, and measured again when the computer is another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models import speed
from personal_ai.models.speed import Speed, known_speed, measured_speed


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_DECODER", replace(speed._DECODER, hidden_size=128, intermediate_size=256))


@pytest.mark.usefixtures("small")
def test_it_is_measured_once(tmp_path: Path) -> None:
    kept = tmp_path / "home" / "speed.json"
    seen: list[Progress] = []
    measured = measured_speed(kept, seen.append, Cancel())
    assert set(measured.weights_per_s) == {"int8", "int4"} and min(measured.weights_per_s.values()) > 1e6
    assert seen[-1].done == seen[-1].total == 2
    assert measured_speed(kept, seen.append, Cancel()) == measured and seen[-1].done == 2 and len(seen) == 3


@pytest.mark.parametrize("change", [{"version": 2}, {"machine": {}}, {"weights_per_s": {"int8": "fast"}}])
def test_what_holds_no_longer_is_not_used(tmp_path: Path, change: dict[str, object]) -> None:
    kept = tmp_path / "speed.json"
    content = {"version": 1, "machine": speed._machine(), "weights_per_s": {"int8": 2e9, "int4": 3e9}}
    kept.write_text(json.dumps(content))
    assert known_speed(kept) == Speed({"int8": 2e9, "int4": 3e9})
    kept.write_text(json.dumps(content | change))
    assert known_speed(kept) is None
    assert known_speed(tmp_path / "missing.json") is None


def test_tokens_follow_from_weights() -> None:
    known = Speed({"int8": 2e9, "int4": 3e9})
    assert known.tokens_per_s("int8", 100_000_000) == 20
    assert known.tokens_per_s("f32", 100_000_000) == 5
