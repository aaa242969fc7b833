"""Readings and budgets on disk."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, UnknownVersionError
from personal_ai.deployments.burn_history import Budget, BurnHistory
from personal_ai.deployments.runway import Reading

PLACE = ("practice", "lxzze-o7777-77777-aaaaa-cai")
DAY_NS = 86_400 * 10**9
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("version", "paused"), [(1, False), (2, True)])
def test_a_golden_file_of_each_version_is_read_and_brought_up_to_date(
    tmp_path: Path, version: int, paused: bool
) -> None:
    path = tmp_path / "burn.sqlite"
    shutil.copy(GOLDEN / f"burn-{version}.sqlite", path)
    for _ in range(2):
        history = BurnHistory(path)
        assert history.readings(*PLACE) == [Reading(1_700_000_000_000_000_000, 10**20)]
        assert history.budget(*PLACE) == Budget(10**12, 90, paused=paused)
        history.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()


def test_readings_come_back_in_order_and_old_ones_go(tmp_path: Path) -> None:
    history = BurnHistory(tmp_path / "burn.sqlite")
    history.note(*PLACE, 7, DAY_NS)
    history.note(*PLACE, 10**20, 2 * DAY_NS)
    history.note("ic", PLACE[1], 1, DAY_NS)
    assert history.readings(*PLACE) == [Reading(DAY_NS, 7), Reading(2 * DAY_NS, 10**20)]
    history.note(*PLACE, 5, 402 * DAY_NS)
    assert history.readings(*PLACE) == [Reading(2 * DAY_NS, 10**20), Reading(402 * DAY_NS, 5)]
    assert history.readings("ic", PLACE[1]) == []
    history.close()


def test_looking_often_fills_no_disk_but_a_top_up_is_seen(tmp_path: Path) -> None:
    history = BurnHistory(tmp_path / "burn.sqlite")
    for time_ns, cycles in ((DAY_NS, 9), (DAY_NS + 10**9, 8), (DAY_NS + 2 * 10**9, 20), (DAY_NS + 10**12, 19)):
        history.note(*PLACE, cycles, time_ns)
    assert [reading.cycles for reading in history.readings(*PLACE)] == [9, 20, 19]
    history.close()


def test_a_budget_is_set_changed_and_ended(tmp_path: Path) -> None:
    history = BurnHistory(tmp_path / "burn.sqlite")
    assert history.budget(*PLACE) is None
    for budget in (Budget(10**20, 90), Budget(5, 30), None):
        history.set_budget(*PLACE, budget)
        assert history.budget(*PLACE) == budget
    history.close()
    for cycles, days in ((0, 90), (-1, 90), (1, 0), (1, 4000)):
        with pytest.raises(BadInputError):
            Budget(cycles, days)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version=3")
    db.close()
    with pytest.raises(UnknownVersionError, match="format 3"):
        BurnHistory(newer)
