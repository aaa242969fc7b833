"""The signals of the system that the program listens to. Started once the window is there: a socket loads slowly."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

from PySide6.QtCore import QObject, QSocketNotifier


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
