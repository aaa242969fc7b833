"""The short version of tests/faults/deployment.py: some of its cases, of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.faults.deployment import SHORT, SHORT_BOUGHT, WHOLE, faultless, judge, singles
from tests.faults.purchase import DAY_AND_AN_HOUR_S, Case, World, world
from tests.faults.troubles import STOPS, Fault

# Where on the way from ICP to the paid canister something happens that could be paid for twice.
_PAYING = range(2, 27, 3)
_OTHERS = (Fault.DISK_FULL, Fault.DELAYED, Fault.DUPLICATED, Fault.CLOCK_AHEAD, Fault.GATEWAY_DOWN)


@pytest.fixture(scope="module")
def where() -> Iterator[World]:
    with world() as opened:
        yield opened


def test_nothing_is_paid_twice_and_nothing_is_lost(where: World) -> None:
    good = faultless(where)
    whole_points = range(good[SHORT].points, good[WHOLE].points, 9)
    cases = [
        *singles(_PAYING, STOPS, (DAY_AND_AN_HOUR_S,), whole=False),
        *singles(
            range(good[SHORT_BOUGHT].points - 8), (Fault.STOP_AFTER,), (DAY_AND_AN_HOUR_S,), whole=False, bought=True
        ),
        *singles(range(14, 19), (Fault.CLOCK_AHEAD,), (0,), whole=False, bought=True),
        *singles(whole_points, (Fault.STOP_AFTER,), (0,), whole=True),
        *(Case(((12 + number, fault),), whole=False) for number, fault in enumerate(_OTHERS)),
    ]
    outcome = judge([(case, where.endure(case)) for case in cases], good)
    assert outcome.good, outcome


def test_the_judge_sees_what_is_wrong(where: World) -> None:
    good = faultless(where)
    case, verdict = Case(whole=False), good[SHORT]
    twice = replace(verdict, canisters=2, left=(verdict.left[0] - 5, verdict.left[1] - 7))
    outcome = judge([(case, twice)], good)
    assert (outcome.double_creations, outcome.unaccounted_cycles, outcome.unaccounted_e8s) == (1, 5, 7)
    assert not outcome.good
