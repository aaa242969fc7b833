"""The journals as the activity page uses them: read, read again while something runs, payments gone on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from personal_ai.common.errors import UserFacingError
from personal_ai.wallet.journal import Payment
from ui.bridge import Lane, Operation
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.app.activity import Entry

_LOOK_AGAIN_MS = 1000


class ActivityLog(QObject):
    """`changed` follows what is new in `entries` or `problem`. Entries are None until they were read."""

    changed = Signal()

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self._profile = profile
        self._timer = QTimer(self, interval=_LOOK_AGAIN_MS)
        self._timer.timeout.connect(self._look_again)
        self.entries: tuple[Entry, ...] | None = None
        self.problem: UserFacingError | None = None
        self.going_on = False

    def watch(self, *, seen: bool) -> None:
        """Reads now, and from time to time while something runs, as long as anybody looks."""
        if seen:
            self.read()
            self._timer.start()
        else:
            self._timer.stop()

    def read(self) -> Operation[tuple[Entry, ...]]:
        operation = self._profile.bridge.run(lambda _: self._profile.core.activity.entries())
        return operation.on_success(self._take).on_failure(self._fail)

    def go_on(self, payment: Payment) -> Operation[Payment]:
        """Finishes an interrupted payment; one at a time."""
        self.going_on = True
        self.changed.emit()
        operation = self._profile.bridge.run(
            lambda task: self._profile.core.activity.go_on(payment, task.cancel), lane=Lane.MONEY
        )
        return operation.on_end(self._end_going_on)

    def _look_again(self) -> None:
        if self._profile.bridge.runs(Lane.DEPLOY) or self._profile.bridge.runs(Lane.MONEY):
            self.read()

    def _end_going_on(self) -> None:
        """Nothing can be gone on with again before it is known how this ended."""
        self.going_on = False
        self.read().on_end(self.changed.emit)

    def _take(self, entries: tuple[Entry, ...]) -> None:
        if entries != self.entries or self.problem is not None:
            self.entries, self.problem = entries, None
            self.changed.emit()

    def _fail(self, error: UserFacingError) -> None:
        self.problem = error
        self.changed.emit()
