"""How long a canister's cycles last, and why.

A canister freezes when its cycles no longer last for its freezing threshold of rent; what lies below that is held back
for its memory. The network says the rent of a day; what answering takes on top is measured from what was seen before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from personal_ai.deployments import cycles_needed
from personal_ai.ic.management import CanisterStatus

LOW_DAYS, URGENT_DAYS = 30, 7
_MEASURED_DAYS = 14
_MEASURED_MIN_S = 3600  # less than an hour says nothing about a day
_NS_PER_S = 10**9


class Level(Enum):
    """How soon its owner should do something."""

    FINE = "fine"
    LOW = "low"  # less than LOW_DAYS
    URGENT = "urgent"  # less than URGENT_DAYS
    FROZEN = "frozen"  # it answers nothing until it is topped up

    @property
    def severity(self) -> int:
        """Grows as it gets worse."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """A canister's cycles at one time."""

    time_ns: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Runway:
    """The forecast. Cycles and cycles per day; held_back: below it the canister is frozen.

    used_per_day: what was really used, None as long as too little was seen.
    """

    cycles: int
    held_back: int
    freezing_days: float
    rent_per_day: int
    used_per_day: int | None

    @property
    def burned_per_day(self) -> int:
        """What the forecast counts on: never less than the rent."""
        return max(self.rent_per_day, self.used_per_day or 0)

    @property
    def days_left(self) -> float:
        """Until it freezes; infinite where it burns nothing."""
        left = max(self.cycles - self.held_back, 0)
        return left / self.burned_per_day if self.burned_per_day else float("inf")

    @property
    def level(self) -> Level:
        if self.cycles <= self.held_back:
            return Level.FROZEN
        if self.days_left < URGENT_DAYS:
            return Level.URGENT
        return Level.LOW if self.days_left < LOW_DAYS else Level.FINE

    def lacking(self, days: float) -> int:
        """What to top up so that it lasts for `days`."""
        return max(self.held_back + round(self.burned_per_day * days) - self.cycles, 0)


def forecast(status: CanisterStatus, readings: Sequence[Reading]) -> Runway:
    """The runway of a canister, with the readings of before and now in the order of time."""
    return Runway(
        cycles=status.cycles,
        held_back=cycles_needed.freezing_limit(status),
        freezing_days=status.freezing_threshold_s / cycles_needed.SECONDS_PER_DAY,
        rent_per_day=status.idle_cycles_per_day,
        used_per_day=used_per_day(readings),
    )


def used_per_day(readings: Sequence[Reading]) -> int | None:
    """Cycles used in a day over the last two weeks; spans in which cycles came in are left out, for they hide it."""
    since_ns = readings[-1].time_ns - _MEASURED_DAYS * cycles_needed.SECONDS_PER_DAY * _NS_PER_S if readings else 0
    recent = [reading for reading in readings if reading.time_ns >= since_ns]
    falls = [(earlier, later) for earlier, later in pairwise(recent) if later.cycles <= earlier.cycles]
    span_s = sum(later.time_ns - earlier.time_ns for earlier, later in falls) / _NS_PER_S
    if span_s < _MEASURED_MIN_S:
        return None
    used = sum(earlier.cycles - later.cycles for earlier, later in falls)
    return round(used * cycles_needed.SECONDS_PER_DAY / span_s)
