"""The short version of tests/faults/kill_deployment.py: a small package; program and network die once each."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.kill_deployment import Outcome, kill_and_continue


def test_program_and_network_are_killed_and_go_on_where_they_stood(tmp_path: Path) -> None:
    outcome = kill_and_continue(tmp_path, kills=2, size_bytes=4_000_000)
    assert (outcome.kills, outcome.network_kills, outcome.answered) == (2, 1, 1)
    assert outcome.chunks >= 3
    assert outcome.good, outcome


@pytest.mark.parametrize(
    "wrong", ["double_creations", "double_payments", "unaccounted_cycles", "unaccounted_e8s", "chunks_sent_twice"]
)
def test_the_judge_sees_what_is_wrong(wrong: str) -> None:
    good = Outcome(2, 1, 1, 1, 0, 0, 0, 0, 3, 0)
    assert good.good and not replace(good, **{wrong: 1}).good and not replace(good, answered=0).good
