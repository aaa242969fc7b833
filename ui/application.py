"""The Qt application: its name, its theme, and the signals of the system that it listens to."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable

from PySide6.QtCore import QObject, QSocketNotifier
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from ui.theme import pixmap, theme


def make_application() -> QApplication:
    """The dressed application. It ends when it is told to, not with its last window: closing may take a moment."""
    application = QApplication(sys.argv[:1])
    application.setApplicationName("Personal AI")
    application.setDesktopFileName("personal-ai")
    application.setQuitOnLastWindowClosed(False)
    dressed = theme()
    application.setWindowIcon(QIcon(pixmap("ais", dressed.tokens.accent, 128)))
    return application


class SystemSignals(QObject):
    """Calls `close` on Ctrl+C and on a polite request to end. Python alone would notice only at the next click."""

    def __init__(self, close: Callable[[], object]) -> None:
        super().__init__()
        self._hear, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._notifier = QSocketNotifier(self._hear.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(lambda: self._hear.recv(64))
        signal.set_wakeup_fd(self._wake.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: close())

    def stop(self) -> None:
        """Lets go of the signals."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        self._notifier.setEnabled(False)
        self._hear.close()
        self._wake.close()
