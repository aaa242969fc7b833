"""The short form of `tests.faults.replica`."""

from __future__ import annotations

from pathlib import Path

from tests.faults.replica import kill_and_look


def test_killed_at_work_it_forgets_nothing_that_it_confirmed(tmp_path: Path) -> None:
    outcome = kill_and_look(tmp_path, kills=2)
    assert (outcome.lost, outcome.torn) == (0, 0)
    assert outcome.acknowledged >= 8
