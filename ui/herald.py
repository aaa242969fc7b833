"""Looks after the canisters by the hour, and tells what is worth telling: in the window, or where nobody looks at it,
through the system.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from personal_ai.app import notices
from personal_ai.common.errors import UserFacingError
from ui.bridge import Lane
from ui.notice_words import words_inside, words_outside
from ui.preferences import load_notifications
from ui.profile import Profile
from ui.text import tr
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.app.notices import Notice
    from personal_ai.app.runway import Tended
    from personal_ai.deployments.journal import Deployment

_FIRST_MS, _EVERY_MS = 30_000, 3_600_000


class Herald(QObject):
    """`called` follows a click on what the system showed."""

    called = Signal()

    def __init__(self, profile: Profile, toast: Toast, settings: Path, window: QWidget) -> None:
        super().__init__(profile)
        self._profile = profile
        self._toast = toast
        self._settings = settings
        self._window = window
        self._tray: QSystemTrayIcon | None = None
        self._timer = QTimer(self, interval=_FIRST_MS)
        self._timer.timeout.connect(self.tend)
        self._timer.start()

    def rest(self) -> None:
        """The window closes or locks: nothing is begun any more."""
        self._timer.stop()

    def tend(self) -> None:
        """Reads every canister's cycles and tops up within budgets. A network that is away is no news."""
        self._timer.setInterval(_EVERY_MS)
        if self._profile.overview.deployments:
            self._profile.bridge.run(
                lambda task: self._profile.core.runway.tend(task.cancel), lane=Lane.CARE, unasked=True
            ).on_success(self._take).on_failure(_say_nothing)

    def tell_deployed(self, deployment: Deployment) -> None:
        self._tell(notices.deployed(deployment))

    def _take(self, tended: Tended) -> None:
        for notice in tended.notices:
            self._tell(notice)
        if tended.paid:
            self._profile.refresh()

    def _tell(self, notice: Notice) -> None:
        if not load_notifications(self._settings):
            return
        if not self._window.isActiveWindow() and (tray := self._shown_tray()) is not None:
            tray.showMessage(tr("Personal AI"), words_outside(notice), self._window.windowIcon())
        else:
            self._toast.announce(words_inside(notice))

    def _shown_tray(self) -> QSystemTrayIcon | None:
        """The way to the system's notifications, where there is one; its icon is there from the first one on."""
        if self._tray is None and QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            self._tray = QSystemTrayIcon(self._window.windowIcon(), self)
            self._tray.setToolTip(tr("Personal AI"))
            self._tray.messageClicked.connect(self.called)
            self._tray.activated.connect(self.called)
            self._tray.show()
        return self._tray


def _say_nothing(_: UserFacingError) -> None:
    """What is wrong with a canister comes as a notice; the rest is seen where the user looks."""
