"""The order of things: one worker carries calls out one after the other, in rounds if the network is paced.

Unpaced, a call's end is visible at once. Paced like the real network, a call waits for its way into a block,
a round holds as many calls as fit into its block and its instructions, a long call takes several rounds, and
what a round has done is visible at its end.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from personal_ai.ic.profile import Pacing

_log = logging.getLogger(__name__)

BLOCK_BYTES = 4 << 20  # what the real network takes in a round
UNPACED = Pacing(slice_instructions=0, round_s=0.0, ingress_latency_s=0.0)


@dataclass(frozen=True, slots=True)
class Job:
    """`run` carries a call out and gives the instructions that it took; `publish` makes its end visible."""

    run: Callable[[], int]
    publish: Callable[[], None]
    size_bytes: int = 0  # of the message in the block


class Scheduler:
    """A thread of its own from `start` to `stop`. `maintain` is called now and then between calls."""

    def __init__(self, pacing: Pacing, maintain: Callable[[], None], maintain_every_s: float) -> None:
        self._pacing = pacing
        self._maintain, self._maintain_every_s = maintain, maintain_every_s
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, Job]] = deque()  # with the time from which they may run
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queues a job behind those that wait."""
        with self._changed:
            self._waiting.append((time.monotonic() + self._pacing.ingress_latency_s, job))
            self._changed.notify_all()

    def stop(self, timeout_s: float) -> bool:
        """Takes no more jobs and waits for the one that runs; False where it takes longer than `timeout_s`."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        maintained_s = time.monotonic()
        while not self._stopping:
            if time.monotonic() - maintained_s >= self._maintain_every_s:
                self._guarded(self._maintain)
                maintained_s = time.monotonic()
            job = self._next(maintained_s + self._maintain_every_s)
            if job is not None:
                self._round(job)

    def _next(self, until_s: float, room_bytes: int = BLOCK_BYTES) -> Job | None:
        """The next job, if it may run and has room, waiting for one until `until_s` (monotonic)."""
        with self._changed:
            while not self._stopping:
                now_s = time.monotonic()
                ready_s = self._waiting[0][0] if self._waiting else math.inf
                if ready_s <= now_s:
                    return self._waiting.popleft()[1] if self._waiting[0][1].size_bytes <= room_bytes else None
                if now_s >= until_s:
                    break
                self._changed.wait(min(ready_s, until_s) - now_s)
        return None

    def _round(self, job: Job | None) -> None:
        """Runs jobs until the round is full, then shows what came of them when it ends."""
        started_s = time.monotonic()
        used, room_bytes, finished = 0, BLOCK_BYTES, []
        while job is not None:
            room_bytes -= job.size_bytes
            used += self._guarded(job.run) or 0
            finished.append(job)
            job = self._next(0, room_bytes) if used < self._pacing.slice_instructions else None
        if self._pacing.round_s:
            rounds = max(1, math.ceil(used / self._pacing.slice_instructions))
            self._sleep_until(started_s + rounds * self._pacing.round_s)
        for one in finished:
            one.publish()

    def _sleep_until(self, until_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, timeout=max(until_s - time.monotonic(), 0))

    def _guarded(self, action: Callable[[], int | None]) -> int | None:
        """One job's bug must not stop the network for all others."""
        try:
            return action()
        except Exception:
            _log.exception("the scheduler's job failed")
            return None
