"""Whether somebody is at the computer: typing, pointing or scrolling in any window of the program."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QGuiApplication, QWindow

_SIGNS = (
    QEvent.Type.KeyPress,
    QEvent.Type.MouseMove,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.Wheel,
    QEvent.Type.TouchBegin,
)


class Presence(QObject):
    """Listens at the system's windows: there are few events there, and every sign passes them first."""

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
