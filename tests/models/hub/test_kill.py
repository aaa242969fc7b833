"""The short form of `python -m tests.faults.hub`: a run for each trouble."""

from __future__ import annotations

from tests.faults.hub import break_downloads


def test_kills_and_troubles_corrupt_nothing_and_begin_nothing_again() -> None:
    outcome = break_downloads(runs=9, seed=1)
    assert outcome.good, outcome
    assert outcome.runs == outcome.troubles == 9 and outcome.kills >= 9
