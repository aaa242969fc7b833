"""Order, rounds and guarding of the one worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from personal_ai.ic.profile import Pacing
from personal_ai.replica.scheduler import UNPACED, Job, Scheduler

ROUND_S = 0.2


@pytest.fixture
def start() -> Iterator[Callable[[Pacing], Scheduler]]:
    started: list[Scheduler] = []

    def one(pacing: Pacing) -> Scheduler:
        started.append(Scheduler(pacing, lambda: None, maintain_every_s=60))
        started[-1].start()
        return started[-1]

    yield one
    for scheduler in started:
        assert scheduler.stop(timeout_s=5)


class Log:
    """When which job ran and was published."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int, float]] = []
        self._changed = threading.Condition()

    def job(self, index: int, instructions: int = 1, size_bytes: int = 0) -> Job:
        def run() -> int:
            self._note("run", index)
            return instructions

        return Job(run, lambda: self._note("publish", index), size_bytes)

    def _note(self, what: str, index: int) -> None:
        with self._changed:
            self.events.append((what, index, time.monotonic()))
            self._changed.notify_all()

    def published(self, count: int) -> list[float]:
        """The times at which `count` jobs were published."""

        def times() -> list[float]:
            return [at for what, _, at in self.events if what == "publish"]

        with self._changed:
            assert self._changed.wait_for(lambda: len(times()) >= count, timeout=10)
        return times()


def test_unpaced_jobs_are_published_one_by_one_in_order(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(UNPACED)
    for index in range(20):
        scheduler.submit(log.job(index))
    log.published(20)
    assert [(what, index) for what, index, _ in log.events] == [
        event for index in range(20) for event in (("run", index), ("publish", index))
    ]


def test_a_round_holds_what_fits_and_shows_it_at_its_end(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0.1))
    began = time.monotonic()
    for index in range(4):
        scheduler.submit(log.job(index, instructions=50))
    times = log.published(4)
    assert [index for what, index, _ in log.events if what == "run"] == [0, 1, 2, 3]
    assert times[0] - began >= 0.1 + ROUND_S
    assert times[1] - times[0] < ROUND_S / 2  # the same round
    assert times[2] - times[1] >= ROUND_S * 0.9  # the next one
    assert times[3] - times[2] < ROUND_S / 2


def test_a_block_holds_four_mebibytes(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0.1))
    for index in range(3):
        scheduler.submit(log.job(index, size_bytes=2 << 20))
    times = log.published(3)
    assert times[1] - times[0] < ROUND_S / 2
    assert times[2] - times[1] >= ROUND_S * 0.9


def test_a_long_call_takes_several_rounds(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0))
    began = time.monotonic()
    scheduler.submit(log.job(0, instructions=250))
    assert log.published(1)[0] - began >= 3 * ROUND_S


@pytest.mark.expects_warnings
def test_a_bug_in_one_job_does_not_stop_the_others(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(UNPACED)
    scheduler.submit(Job(run=lambda: 1 // 0, publish=lambda: None))
    scheduler.submit(log.job(0))
    log.published(1)


def test_maintenance_happens_between_jobs() -> None:
    happened = threading.Event()
    scheduler = Scheduler(UNPACED, happened.set, maintain_every_s=0.05)
    scheduler.start()
    assert happened.wait(5)
    assert scheduler.stop(5)


def test_stopping_does_not_wait_for_long_jobs_or_rounds() -> None:
    release, running = threading.Event(), threading.Event()
    scheduler = Scheduler(Pacing(100, round_s=60, ingress_latency_s=0), lambda: None, maintain_every_s=60)
    scheduler.start()
    scheduler.submit(Job(run=lambda: running.set() or int(release.wait(10)), publish=lambda: None))
    assert running.wait(5)
    assert not scheduler.stop(timeout_s=0.1)
    release.set()
    assert scheduler.stop(timeout_s=5)
