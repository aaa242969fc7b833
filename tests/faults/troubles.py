"""What can go wrong around a program that keeps a journal and talks to a network, at numbered points of its way.

A point is each write of a journal and each request. `Troubles` counts them, in the order in which they come, through
all lives of the program; a plan says what happens at which.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from personal_ai.common.errors import NetworkTimeoutError, NetworkUnreachableError
from personal_ai.deployments.journal import Journal
from personal_ai.ic.transport import Request, Response
from personal_ai.wallet.journal import PaymentJournal
from tests.wallet.conftest import InProcess

_SECOND_NS = 10**9


class Stopped(BaseException):
    """The program was killed: nothing that it would still do happens."""


class Point(StrEnum):
    """Where something can go wrong."""

    WRITE = "write"
    SEND = "send"


class Fault(StrEnum):
    """What goes wrong."""

    STOP_BEFORE = "stopped before"
    STOP_AFTER = "stopped after"  # the write is on disk; the request was carried out and nobody read the answer
    DISK_FULL = "disk full"  # for this life
    CALL_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    DELAYED = "delayed"  # the request arrives after the next call
    DUPLICATED = "duplicated"
    GATEWAY_DOWN = "gateway down"  # for this life
    CLOCK_A_LITTLE_AHEAD = "clock 90 s ahead"  # for this life, as all clocks
    CLOCK_AHEAD = "clock 1 h ahead"
    CLOCK_BEHIND = "clock 2 h behind"


STOPS = (Fault.STOP_BEFORE, Fault.STOP_AFTER)
CLOCKS = {
    Fault.CLOCK_A_LITTLE_AHEAD: 90 * _SECOND_NS,
    Fault.CLOCK_AHEAD: 3600 * _SECOND_NS,
    Fault.CLOCK_BEHIND: -7200 * _SECOND_NS,
}
POSSIBLE: Mapping[Point, tuple[Fault, ...]] = {
    Point.WRITE: (*STOPS, Fault.DISK_FULL, *CLOCKS),
    Point.SEND: (
        *STOPS, Fault.CALL_LOST, Fault.ANSWER_LOST, Fault.DELAYED, Fault.DUPLICATED, Fault.GATEWAY_DOWN, *CLOCKS,
    ),
}  # fmt: skip


class VirtualClock:
    """The time of the world. It passes only when it is told to, and a little with each look."""

    def __init__(self) -> None:
        self._now_ns = time.time_ns()

    def now_ns(self) -> int:
        self._now_ns += 1000
        return self._now_ns

    def advance(self, seconds: int) -> None:
        self._now_ns += seconds * _SECOND_NS


@dataclass
class Troubles:
    """`plan`: what happens at which point. Safe to use from several threads."""

    plan: Mapping[int, Fault]
    points: list[Point] = field(default_factory=list)
    delayed: list[Request] = field(default_factory=list)
    skew_ns: int = 0
    disk_full: bool = False
    gateway_down: bool = False
    _dead: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reach(self, point: Point) -> Fault | None:
        """Counts a point; gives what happens there. Raises Stopped where the program no longer lives."""
        with self._lock:
            if self._dead:
                raise Stopped
            fault = self.plan.get(len(self.points))
            self.points.append(point)
        if fault is None or fault not in POSSIBLE[point]:
            return None
        self.skew_ns = CLOCKS.get(fault, self.skew_ns)
        self.disk_full |= fault is Fault.DISK_FULL
        self.gateway_down |= fault is Fault.GATEWAY_DOWN
        if fault is Fault.STOP_BEFORE:
            self.stop()
        return fault

    def stop(self) -> None:
        self._dead = True
        raise Stopped

    def begin_life(self) -> None:
        """The program is started again on a computer that is well."""
        self._dead = self.disk_full = self.gateway_down = False
        self.skew_ns = 0


class _Troubled:
    """A journal's writes, with troubles. To be put before a class of journals."""

    _troubles: Troubles

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        fault = self._troubles.reach(Point.WRITE)
        with super()._transaction():  # type: ignore[misc]
            yield
            if self._troubles.disk_full:
                raise sqlite3.OperationalError("database or disk is full")
        if fault is Fault.STOP_AFTER:
            self._troubles.stop()


class TroubledJournal(_Troubled, Journal):
    """A journal of deployments."""

    def __init__(self, path: Path, troubles: Troubles) -> None:
        self._troubles = troubles
        super().__init__(path)


class TroubledPayments(_Troubled, PaymentJournal):
    """A journal of payments."""

    def __init__(self, path: Path, troubles: Troubles, clock_ns: Callable[[], int]) -> None:
        self._troubles = troubles
        super().__init__(path, clock_ns=clock_ns)


class TroubledTransport:
    """Implements Transport on a practice network in this process."""

    def __init__(self, network: InProcess, troubles: Troubles) -> None:
        self._network, self._troubles = network, troubles

    def send(self, request: Request, timeout_s: float) -> Response:
        troubles = self._troubles
        fault = troubles.reach(Point.SEND)
        if troubles.gateway_down:
            raise NetworkUnreachableError("The gateway is down.")
        if fault is Fault.DELAYED:
            troubles.delayed.append(request)
        if fault in (Fault.CALL_LOST, Fault.DELAYED):
            raise NetworkTimeoutError("There was no answer in time.")
        response = self._network.send(request, timeout_s)
        if fault is Fault.DUPLICATED:
            response = self._network.send(request, timeout_s)
        if request.path.endswith("/call"):
            self._deliver_delayed(timeout_s)
        if fault is Fault.STOP_AFTER:
            troubles.stop()
        if fault is Fault.ANSWER_LOST:
            raise NetworkTimeoutError("There was no answer in time.")
        return response

    def _deliver_delayed(self, timeout_s: float) -> None:
        while self._troubles.delayed:
            self._network.send(self._troubles.delayed.pop(0), timeout_s)

    def close(self) -> None:
        pass
