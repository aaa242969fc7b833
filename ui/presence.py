"""Whether somebody is at the computer, and locking the vault where nobody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QWindow

from ui.bridge import Bridge

if TYPE_CHECKING:
    from ui.core import Core

_LOOK_EVERY_MS = 5000
_SIGNS = (
    QEvent.Type.KeyPress,
    QEvent.Type.MouseMove,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.Wheel,
    QEvent.Type.TouchBegin,
)


class Presence(QObject):
    """Typing, pointing or scrolling in any window of the program.

    It listens at the system's windows: there are few events there, and every sign passes them first.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._seen = True
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.focusWindowChanged.connect(self._listen_at)
        self._listen_at(application.focusWindow())

    def take(self) -> bool:
        """Whether there was a sign since it was asked last."""
        seen, self._seen = self._seen, False
        return seen

    def eventFilter(self, _: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        self._seen = self._seen or event.type() in _SIGNS
        return False

    def _listen_at(self, window: QWindow | None) -> None:
        if window is not None:
            window.installEventFilter(self)  # a second time, it takes the place of the first


class IdleWatch(QObject):
    """Looks now and then; `left_alone` follows once nobody has used the open vault for as long as it allows."""

    left_alone = Signal()

    def __init__(self, core: Core, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self._core = core
        self._bridge = bridge
        self._presence = Presence(self)
        self._timer = QTimer(self, interval=_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    @property
    def watching(self) -> bool:
        return self._timer.isActive()

    def stop(self) -> None:
        self._timer.stop()

    def look(self) -> None:
        """Somebody who types, points or waits for something uses the vault."""
        if self._presence.take() or self._bridge.long_work:
            self._bridge.run(lambda _: self._core.door.use(), owner=self)
        else:
            self._bridge.run(lambda _: self._core.door.idle, owner=self).on_success(
                lambda idle: self.left_alone.emit() if idle else None
            )
