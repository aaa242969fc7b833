"""How long cycles last: by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from personal_ai.deployments.runway import Level, Reading, Runway, used_per_day

T = 10**12
DAY_NS = 86_400 * 10**9
RUNWAY = Runway(cycles=10 * T, held_back=4 * T, freezing_days=40.0, rent_per_day=T // 10, used_per_day=None)


def _readings(*cycles_by_day: float) -> list[Reading]:
    return [Reading(day * DAY_NS, round(cycles * T)) for day, cycles in enumerate(cycles_by_day)]


def test_it_lasts_until_it_freezes_not_until_it_is_empty() -> None:
    assert RUNWAY.days_left == pytest.approx(60)
    assert RUNWAY.lacking(60) == 0 and RUNWAY.lacking(90) == 3 * T


def test_what_was_really_used_counts_where_it_is_more_than_the_rent() -> None:
    assert replace(RUNWAY, used_per_day=T // 5).days_left == pytest.approx(30)
    assert replace(RUNWAY, used_per_day=1).days_left == RUNWAY.days_left
    assert replace(RUNWAY, rent_per_day=0).days_left == float("inf")


@pytest.mark.parametrize(
    ("cycles", "level"),
    [(10.0, Level.FINE), (6.9, Level.LOW), (4.6, Level.URGENT), (4.0, Level.FROZEN), (0, Level.FROZEN)],
)
def test_its_owner_is_warned_in_time(cycles: float, level: Level) -> None:
    assert replace(RUNWAY, cycles=round(cycles * T)).level is level


def test_use_is_measured_between_readings_and_top_ups_are_left_out() -> None:
    assert used_per_day(_readings(5, 4, 3.5)) == T * 3 // 4
    assert used_per_day(_readings(5, 4, 9, 8)) == T
    assert used_per_day(_readings(50, 4, *[4] * 14)) == 0, "what is older than two weeks does not count"


@pytest.mark.parametrize("readings", [[], _readings(5), _readings(5, 6), [Reading(0, 5), Reading(60 * 10**9, 4)]])
def test_what_was_hardly_seen_says_nothing(readings: list[Reading]) -> None:
    assert used_per_day(readings) is None
