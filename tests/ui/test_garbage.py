"""Garbage is looked for where Qt is used and between events, and nowhere else."""

from __future__ import annotations

import gc
import threading

import pytest

from ui.garbage import collect_due, settle
from ui.tour.stage import until


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


def test_a_lane_finds_no_garbage_and_the_window_does(qapp: object) -> None:
    gone_on: list[threading.Thread] = []
    lane = threading.Thread(target=_make_knots, args=(gone_on,))
    lane.start()
    lane.join()
    assert not gone_on
    until(lambda: bool(gone_on))
    assert set(gone_on) == {threading.main_thread()}


def test_the_window_finds_none_in_the_middle_of_an_event(qapp: object) -> None:
    gone_on: list[threading.Thread] = []
    _make_knots(gone_on)
    assert not gone_on


def test_what_is_there_once_it_settles_is_not_gone_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    monkeypatch.setattr(gc, "get_freeze_count", lambda: len(frozen))
    settle()
    settle()
    assert frozen == [1]


def test_the_oldest_generation_that_is_due_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(gc, "collect", looked.append)
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    for counts in ((700, 10, 10), (701, 0, 0), (701, 11, 0), (701, 11, 11)):
        monkeypatch.setattr(gc, "get_count", lambda counts=counts: counts)
        collect_due()
    assert looked == [0, 1, 2]
