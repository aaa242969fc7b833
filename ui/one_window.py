"""One window for one profile: a second start brings the first one's window to the front and ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from PySide6.QtNetwork import QLocalServer

LOCK_FILE = "window.lock"
_TIMEOUT_MS = 1000


class FrontDoor(QObject):
    """Hears of later starts. Make it only while holding LOCK_FILE of the home folder; `knocked` follows each start."""

    knocked = Signal()

    def __init__(self, home: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._home = home
        self._server: QLocalServer | None = None

    def open(self) -> None:
        """Begins to listen, once the window is there: loading the network's classes takes its time."""
        from PySide6.QtNetwork import QLocalServer  # noqa: PLC0415

        name = _name(self._home)
        QLocalServer.removeServer(name)  # of a program that was killed: nobody else holds the lock
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        self._server.listen(name)

    def close(self) -> None:
        """The window is on its way out: who starts now waits for that, and opens another."""
        if self._server is not None:
            self._server.close()

    def _answer(self) -> None:
        assert self._server is not None
        while (caller := self._server.nextPendingConnection()) is not None:
            caller.deleteLater()
            self.knocked.emit()


def knock(home: Path) -> bool:
    """Asks the window that is there to come to the front; False where it does not hear, just starting perhaps."""
    from PySide6.QtNetwork import QLocalSocket  # noqa: PLC0415

    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    heard = socket.waitForConnected(_TIMEOUT_MS)
    socket.disconnectFromServer()
    return heard


def _name(home: Path) -> str:
    """Among the names of the system's local sockets, which must be short."""
    import hashlib  # noqa: PLC0415 - the window's start is counted in milliseconds

    return f"personal-ai-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]}"
