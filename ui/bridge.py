"""The only way between the window's thread and the core's work.

`Bridge.run(work, lane)` carries `work` out on a lane, a thread that does one thing after the other, and brings what
comes of it to callbacks on the window's thread. There, and nowhere else, an exception becomes something to see:
a UserFacingError goes to `on_failure` or the bridge's `failed`, Cancelled is quiet, everything else is a bug and goes
to `crashed`.

Pages and dialogs go while work for them is under way. As with Qt's own connections, a callback ends with the object
whose method it is; any other ends with the owner of its operation. `OwnedBridge` begins operations for one owner.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.jobs import Cancel, Progress

Result = TypeVar("Result")
News = TypeVar("News")

# News is brought to the window in batches: no flood of tokens can keep it from drawing.
_BATCH_INTERVAL_MS = 30


class Lane(Enum):
    """Threads of work. Calls on one lane never overlap."""

    DESK = "desk"  # short calls: unlock, lists; alone uses the conversations, whose store serves one thread at a time
    CHAT = "chat"  # replies
    DEPLOY = "deploy"  # deployments
    IMPORT = "import"  # models on their way in
    ADVICE = "advice"  # looking up, judging and measuring models
    MONEY = "money"  # balances, payments, history
    COLOURS = "colours"  # of code in replies
    LOOK = "look"  # how canisters are, read again and again
    CARE = "care"  # short changes to canisters


class Task:
    """What a piece of work sees of its operation: the token to look at and a way to tell the window something."""

    def __init__(self, tell: Callable[[object], None]) -> None:
        self.cancel = Cancel()
        self.tell = tell


class Operation(Generic[Result]):
    """Work under way. All callbacks run on the window's thread; set them where the operation was started.

    Who begins work and who asked for it may both listen: callbacks of one kind run in the order in which they came.
    """

    def __init__(self, lane: Lane, owner: QObject, tell: Callable[[object], None], *, unasked: bool) -> None:
        self.lane = lane
        self.owner = owner
        self.unasked = unasked
        self.task = Task(tell)
        self.running = True
        self._listeners: dict[type[Any], list[Callable[[Any], object]]] = {}
        self._success: list[Callable[[Result], object]] = []
        self._failure: list[Callable[[UserFacingError], object]] = []
        self._cancelled: list[Callable[[], object]] = []
        self._end: list[Callable[[], object]] = []

    def owned_by(self, owner: QObject) -> Self:
        """Callbacks that are nobody's method end with `owner`, a dialog say, instead of with who began the work."""
        self.owner = owner
        return self

    def on(self, kind: type[News], callback: Callable[[News], object]) -> Self:
        """Hears what the work tells of this kind: pieces of `str` are joined, of `Progress` only the newest comes."""
        self._listeners.setdefault(kind, []).append(callback)
        return self

    def on_success(self, callback: Callable[[Result], object]) -> Self:
        self._success.append(callback)
        return self

    def on_failure(self, callback: Callable[[UserFacingError], object]) -> Self:
        self._failure.append(callback)
        return self

    def on_cancelled(self, callback: Callable[[], object]) -> Self:
        self._cancelled.append(callback)
        return self

    def on_end(self, callback: Callable[[], object]) -> Self:
        """Runs after the other callbacks, however the work ended: the place to stop looking busy."""
        self._end.append(callback)
        return self

    def cancel(self) -> None:
        """Asks the work to stop at its next safe place."""
        self.task.cancel.cancel()


class Bridge(QObject):
    """Lanes of work and the way back. Make one per window, on the window's thread."""

    failed = Signal(object)
    crashed = Signal(object)
    idle = Signal()
    _woken = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lanes: dict[Lane, _Worker] = {}
        self._operations: set[Operation[Any]] = set()
        self._mail: list[tuple[Operation[Any], object]] = []
        self._mail_lock = threading.Lock()
        self._closed = False
        self._delivered_s = 0.0
        self._batch = QTimer(self, singleShot=True)
        self._batch.timeout.connect(self._deliver)
        self._woken.connect(self._wake)  # queued where it comes from a lane, as `self` belongs to this thread

    def run(
        self,
        work: Callable[[Task], Result],
        *,
        lane: Lane = Lane.DESK,
        owner: QObject | None = None,
        unasked: bool = False,
    ) -> Operation[Result]:
        """Carries out `work(task)` on a lane; set the callbacks on what is returned. Without an owner it is ours.

        unasked: the program does it by itself, so that it is no sign of anybody's presence.
        """
        operation: Operation[Result] = Operation(
            lane, owner or self, lambda news: self._post(operation, news), unasked=unasked
        )
        self._operations.add(operation)
        self._lane(lane).put(partial(self._carry_out, operation, work))
        return operation

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def busy(self) -> bool:
        return bool(self._operations)

    @property
    def long_work(self) -> bool:
        """Whether there is a reply, a deployment or an import under way that somebody asked for."""
        return any(
            operation.lane not in (Lane.DESK, Lane.LOOK) and not operation.unasked for operation in self._operations
        )

    def runs(self, lane: Lane) -> bool:
        """Whether anything is under way on this lane."""
        return any(operation.lane is lane for operation in self._operations)

    def cancel_long_work(self) -> None:
        """Asks replies and deployments to stop. What the desk has begun, a save say, is always finished."""
        for operation in self._operations:
            if operation.lane is not Lane.DESK:
                operation.cancel()

    def close(self, timeout_s: float = 3.0) -> bool:
        """Waits for the lanes and drops all news. True if every lane came to its end in time."""
        self.cancel_long_work()
        self._closed = True
        self._batch.stop()
        for worker in self._lanes.values():
            worker.put(None)
        deadline_s = time.monotonic() + timeout_s
        return all(worker.ends_by(deadline_s) for worker in self._lanes.values())

    def _lane(self, lane: Lane) -> _Worker:
        assert not self._closed, "the bridge is closed"
        if lane not in self._lanes:
            self._lanes[lane] = _Worker(lane)
        return self._lanes[lane]

    def _carry_out(self, operation: Operation[Result], work: Callable[[Task], Result]) -> None:
        """On the lane's thread."""
        try:
            operation.task.cancel.raise_if_cancelled()
            outcome = _Done(work(operation.task))
        except BaseException as error:  # sorted on the window's thread
            outcome = _Done(error=error)
        self._post(operation, outcome)

    def _post(self, operation: Operation[Any], news: object) -> None:
        """From any thread. One wake-up serves all news until it is delivered."""
        with self._mail_lock:
            first = not self._mail
            self._mail.append((operation, news))
        if first and not self._closed:
            self._woken.emit()

    def _wake(self) -> None:
        if not self._closed and not self._batch.isActive():
            since_ms = round(1000 * (time.monotonic() - self._delivered_s))
            self._batch.start(max(0, _BATCH_INTERVAL_MS - since_ms))

    def _deliver(self) -> None:
        self._delivered_s = time.monotonic()
        with self._mail_lock:
            mail, self._mail = self._mail, []
        for worker in self._lanes.values():
            worker.drop_done()
        for operation, news in _merged(mail):
            if self._closed:
                return
            if isinstance(news, _Done):
                self._finish(operation, news)
            else:
                self._call(operation, operation._listeners.get(type(news), ()), news)

    def _finish(self, operation: Operation[Any], outcome: _Done) -> None:
        operation.running = False
        self._operations.discard(operation)
        error = outcome.error
        if error is None:
            self._call(operation, operation._success, outcome.value)
        elif isinstance(error, Cancelled):
            self._call(operation, operation._cancelled)
        elif isinstance(error, UserFacingError):
            if operation._failure:
                self._call(operation, operation._failure, error)
            else:
                self.failed.emit(error)
        else:
            self.crashed.emit(error)
        self._call(operation, operation._end)
        if not self._operations:
            self.idle.emit()

    def _call(self, operation: Operation[Any], callbacks: Sequence[Callable[..., object]], *news: object) -> None:
        """A bug in one callback must not swallow the news behind it."""
        for callback in tuple(callbacks):
            if not isValid(_listener(callback) or operation.owner):
                continue
            try:
                callback(*news)
            except Exception as error:  # whatever it is, it is a bug of ours
                self.crashed.emit(error)


class OwnedBridge:
    """The bridge as one owner uses it: what it begins is not told to it any more once it is gone, and stops if long."""

    def __init__(self, bridge: Bridge, owner: QObject) -> None:
        self._bridge = bridge
        self._owner = owner
        self._long: set[Operation[Any]] = set()
        # Not a method of the bridge, which may be gone before the owner is.
        owner.destroyed.connect(partial(_cancel_all, self._long))

    def run(
        self, work: Callable[[Task], Result], *, lane: Lane = Lane.DESK, unasked: bool = False
    ) -> Operation[Result]:
        """See `Bridge.run`."""
        operation = self._bridge.run(work, lane=lane, owner=self._owner, unasked=unasked)
        if lane is not Lane.DESK:
            self._long.difference_update([one for one in self._long if not one.running])
            self._long.add(operation)
        return operation

    def runs(self, lane: Lane) -> bool:
        """See `Bridge.runs`."""
        return self._bridge.runs(lane)


class _Worker:
    """The thread of a lane. `put` and `drop_done` are for the window's thread.

    A job refers to pages and dialogs. The last reference to one must not go on this thread, which would destroy it
    there: jobs are held until the thread has let go of them.
    """

    def __init__(self, lane: Lane) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._held: deque[Callable[[], None] | None] = deque()
        self._let_go = 0  # so many of all jobs; the thread alone writes it
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name=f"lane {lane.value}", daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None] | None) -> None:
        """None: the last one."""
        self._held.append(job)
        self._jobs.put(job)

    def drop_done(self) -> None:
        while self._dropped < self._let_go:
            self._held.popleft()
            self._dropped += 1

    def ends_by(self, deadline_s: float) -> bool:
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job
            self._let_go += 1


class _Done:
    """How an operation ended."""

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error


def _listener(callback: Callable[..., object]) -> QObject | None:
    """The object whose method a callback is."""
    bound_to = getattr(callback, "__self__", None)
    return bound_to if isinstance(bound_to, QObject) else None


def _cancel_all(operations: set[Operation[Any]], *_: object) -> None:
    for operation in operations:
        operation.cancel()


def _merged(mail: list[tuple[Operation[Any], object]]) -> list[tuple[Operation[Any], object]]:
    """Joins neighbouring texts and drops overtaken progress of the same operation."""
    merged: list[tuple[Operation[Any], object]] = []
    for operation, news in mail:
        if merged and merged[-1][0] is operation:
            before = merged[-1][1]
            if isinstance(news, str) and isinstance(before, str):
                merged[-1] = (operation, before + news)
                continue
            if isinstance(news, Progress) and isinstance(before, Progress) and news.step == before.step:
                merged[-1] = (operation, news)
                continue
        merged.append((operation, news))
    return merged
