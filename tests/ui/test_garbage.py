"""Garbage is looked for where Qt is used, and nowhere else."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject

from ui.garbage import Garbage, collect_due
from ui.tour.stage import until


@pytest.fixture
def garbage(qapp: object) -> Iterator[Garbage]:
    owner = QObject()
    made = Garbage(owner)
    yield made
    made.end()
    assert gc.isenabled()


class Knot:
    """Refers to itself, so that only a search finds it."""

    def __init__(self, gone_on: list[threading.Thread]) -> None:
        self.itself = self
        self.gone_on = gone_on

    def __del__(self) -> None:
        self.gone_on.append(threading.current_thread())


def _make_knots(gone_on: list[threading.Thread]) -> None:
    """More than enough for Python to look by itself."""
    for _ in range(2 * gc.get_threshold()[0]):
        Knot(gone_on)


def test_a_lane_finds_no_garbage_and_the_window_does(garbage: Garbage) -> None:
    gone_on: list[threading.Thread] = []
    lane = threading.Thread(target=_make_knots, args=(gone_on,))
    lane.start()
    lane.join()
    assert not gone_on
    until(lambda: bool(gone_on))
    assert set(gone_on) == {threading.main_thread()}


def test_what_is_there_once_it_settles_is_not_gone_through_again(garbage: Garbage) -> None:
    garbage.settle()
    try:
        assert gc.get_freeze_count() > 1000
        before = gc.get_freeze_count()
        garbage.settle()
        assert gc.get_freeze_count() <= before
    finally:
        gc.unfreeze()


def test_the_older_generation_that_is_due_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(gc, "collect", looked.append)
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    for counts in ((700, 10, 10), (701, 0, 0), (701, 11, 0), (701, 11, 11)):
        monkeypatch.setattr(gc, "get_count", lambda counts=counts: counts)
        collect_due()
    assert looked == [0, 1, 2]
