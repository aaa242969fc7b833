"""Order, rounds and guarding of the one worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from personal_ai.ic.profile import Pacing
from personal_ai.replica.scheduler import UNPACED, Job, Scheduler

ROUND_S = 0.2
HANGS_S = 60.0  # after which something hangs, on a busy machine too


@pytest.fixture
def start() -> Iterator[Callable[[Pacing], Scheduler]]:
    started: list[Scheduler] = []

    def one(pacing: Pacing) -> Scheduler:
        started.append(Scheduler(pacing, lambda: None, maintain_every_s=60))
        started[-1].start()
        return started[-1]

    yield one
    for scheduler in started:
        assert scheduler.stop(HANGS_S)


class Log:
    """What ran and was published in which order, and when."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []
        self.times_s: list[float] = []
        self._changed = threading.Condition()

    def job(self, index: int, instructions: int = 1, size_bytes: int = 0) -> Job:
        def run() -> int:
            self._note("run", index)
            return instructions

        return Job(run, lambda: self._note("publish", index), size_bytes)

    def _note(self, what: str, index: int) -> None:
        with self._changed:
            self.events.append((what, index))
            self.times_s.append(time.monotonic())
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Until `count` jobs were published."""
        with self._changed:
            published = self._changed.wait_for(
                lambda: sum(what == "publish" for what, _ in self.events) >= count, timeout=HANGS_S
            )
            assert published


def rounds(*each: Sequence[int]) -> list[tuple[str, int]]:
    """The events of jobs that run in rounds: what a round has done is visible at its end."""
    return [(what, index) for indices in each for what in ("run", "publish") for index in indices]


@contextmanager
def held(scheduler: Scheduler, instructions: int) -> Iterator[None]:
    """What is submitted within waits behind a full round: nothing depends on how fast it is submitted."""
    release = threading.Event()
    scheduler.submit(Job(lambda: instructions if release.wait(HANGS_S) else 0, lambda: None))
    yield
    release.set()


def test_unpaced_jobs_are_published_one_by_one_in_order(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(UNPACED)
    for index in range(20):
        scheduler.submit(log.job(index))
    log.wait_for(20)
    assert log.events == rounds(*([index] for index in range(20)))


def test_a_round_holds_what_fits_and_shows_it_at_its_end(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0))
    with held(scheduler, instructions=100):
        for index in range(4):
            scheduler.submit(log.job(index, instructions=50))
    log.wait_for(4)
    assert log.events == rounds([0, 1], [2, 3])
    assert log.times_s[log.events.index(("publish", 2))] - log.times_s[log.events.index(("publish", 1))] >= ROUND_S


def test_a_call_waits_for_its_way_into_a_block_and_for_the_end_of_its_round(
    start: Callable[[Pacing], Scheduler],
) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0.1))
    began_s = time.monotonic()
    scheduler.submit(log.job(0))
    log.wait_for(1)
    assert log.times_s[0] - began_s >= 0.1
    assert log.times_s[1] - began_s >= 0.1 + ROUND_S


def test_a_block_holds_four_mebibytes(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0))
    with held(scheduler, instructions=100):
        for index in range(3):
            scheduler.submit(log.job(index, size_bytes=2 << 20))
    log.wait_for(3)
    assert log.events == rounds([0, 1], [2])


def test_a_long_call_takes_several_rounds(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(Pacing(slice_instructions=100, round_s=ROUND_S, ingress_latency_s=0))
    began_s = time.monotonic()
    scheduler.submit(log.job(0, instructions=250))
    log.wait_for(1)
    assert log.times_s[-1] - began_s >= 3 * ROUND_S


@pytest.mark.expects_warnings
def test_a_bug_in_one_job_does_not_stop_the_others(start: Callable[[Pacing], Scheduler]) -> None:
    log, scheduler = Log(), start(UNPACED)
    scheduler.submit(Job(run=lambda: 1 // 0, publish=lambda: None))
    scheduler.submit(log.job(0))
    log.wait_for(1)


def test_maintenance_happens_between_jobs() -> None:
    happened = threading.Event()
    scheduler = Scheduler(UNPACED, happened.set, maintain_every_s=0.05)
    scheduler.start()
    assert happened.wait(HANGS_S)
    assert scheduler.stop(HANGS_S)


def test_stopping_does_not_wait_for_long_jobs_or_rounds() -> None:
    release, running = threading.Event(), threading.Event()
    scheduler = Scheduler(Pacing(100, round_s=60 * HANGS_S, ingress_latency_s=0), lambda: None, maintain_every_s=60)
    scheduler.start()
    scheduler.submit(Job(run=lambda: running.set() or int(release.wait(HANGS_S)), publish=lambda: None))
    assert running.wait(HANGS_S)
    assert not scheduler.stop(timeout_s=0.1)
    release.set()
    assert scheduler.stop(HANGS_S)
