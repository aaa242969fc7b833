"""Long work: cancelling it, and telling how far it is.

The core is synchronous and threaded. A long call takes `on_progress` and a `Cancel`; it raises `Cancelled`
at its next safe place once the token is set.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from personal_ai.common.errors import Cancelled

_T = TypeVar("_T")
_CANCEL_NOTICED_S = 0.05
_RATE_WINDOW_S = 10.0
_RATE_AFTER_S = 0.02  # sooner it would be noise


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a step: `done` of `total` `unit`s. Rate and time left are None until they can be told."""

    step: str
    done: int
    total: int
    unit: str
    rate_per_s: float | None = None
    remaining_s: float | None = None


ProgressCallback = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """The callback of callers that do not watch."""


class Cancel:
    """A token that one thread sets and others look at."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled when the token is set."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, timeout_s: float) -> None:
        """Sleeps up to `timeout_s` seconds; raises Cancelled as soon as the token is set."""
        if self._event.wait(timeout_s):
            raise Cancelled


def interruptible(action: Callable[[], _T], cancel: Cancel) -> _T:
    """What `action` gives or raises; raises Cancelled as soon as the token is set.

    The action runs in a thread of its own and is then left to its end, so it must be harmless and end by itself.
    """
    ended = threading.Event()
    outcome: list[Callable[[], _T]] = []

    def run() -> None:
        try:
            value = action()
        except BaseException as error:  # handed on to who waits
            raised = error
            outcome.append(lambda: _raise(raised))
        else:
            outcome.append(lambda: value)
        ended.set()

    cancel.raise_if_cancelled()
    threading.Thread(target=run, name="interruptible", daemon=True).start()
    while not ended.wait(_CANCEL_NOTICED_S):
        cancel.raise_if_cancelled()
    return outcome[0]()


def _raise(error: BaseException) -> NoReturn:
    raise error


class Meter:
    """Counts one step and reports it with its rate over the last ten seconds. Safe to use from several threads."""

    def __init__(
        self,
        step: str,
        total: int,
        unit: str,
        on_progress: ProgressCallback,
        *,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step, self._total, self._unit = step, total, unit
        self._on_progress = on_progress
        self._clock = clock
        self._lock = threading.Lock()
        self._done = done
        self._samples: deque[tuple[float, int]] = deque([(clock(), done)])
        self._report()

    def advance(self, count: int = 1) -> None:
        """Adds `count` done units and reports."""
        with self._lock:
            self._done += count
            now = self._clock()
            self._samples.append((now, self._done))
            while len(self._samples) > 2 and self._samples[0][0] < now - _RATE_WINDOW_S:
                self._samples.popleft()
            self._report()

    def _report(self) -> None:
        (first_s, first_done), (last_s, last_done) = self._samples[0], self._samples[-1]
        rate = (last_done - first_done) / (last_s - first_s) if last_s - first_s >= _RATE_AFTER_S else None
        remaining_s = (self._total - self._done) / rate if rate else None
        self._on_progress(Progress(self._step, self._done, self._total, self._unit, rate, remaining_s))
