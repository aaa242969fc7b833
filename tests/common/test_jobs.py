"""Progress with rate and time left; cancelling."""

import threading

import pytest

from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel, Meter, Progress, interruptible


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_rate_and_time_left_come_from_the_last_ten_seconds() -> None:
    clock, reports = _Clock(), list[Progress]()
    meter = Meter("Uploading", 1000, "bytes", reports.append, clock=clock)
    assert reports[0] == Progress("Uploading", 0, 1000, "bytes")
    clock.now_s = 1.0
    meter.advance(100)
    assert (reports[-1].rate_per_s, reports[-1].remaining_s) == (100.0, 9.0)
    clock.now_s = 12.0
    meter.advance(0)
    clock.now_s = 13.0
    meter.advance(200)
    assert reports[-1].done == 300
    assert reports[-1].rate_per_s == 200.0, "the first second is forgotten after ten"


def test_resumed_work_counts_its_rate_from_where_it_began() -> None:
    clock, reports = _Clock(), list[Progress]()
    meter = Meter("Uploading", 100, "chunks", reports.append, done=90, clock=clock)
    clock.now_s = 2.0
    meter.advance(2)
    assert reports[-1].rate_per_s == 1.0


def test_a_set_token_stops_at_once() -> None:
    cancel = Cancel()
    cancel.raise_if_cancelled()
    cancel.wait(0.0)
    cancel.cancel()
    with pytest.raises(Cancelled):
        cancel.raise_if_cancelled()
    with pytest.raises(Cancelled):
        cancel.wait(60.0)


def test_an_interruptible_action_gives_what_it_gives() -> None:
    assert interruptible(lambda: 5, Cancel()) == 5
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, Cancel())


def test_an_interruptible_action_is_left_when_cancelled() -> None:
    cancel, let_go, ended = Cancel(), threading.Event(), threading.Event()

    def action() -> None:
        cancel.cancel()
        let_go.wait(60)
        ended.set()

    with pytest.raises(Cancelled):
        interruptible(action, cancel)
    assert not ended.is_set()
    let_go.set()
    assert ended.wait(60)
    with pytest.raises(Cancelled):
        interruptible(lambda: pytest.fail("it was cancelled before"), cancel)
