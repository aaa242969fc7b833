"""A window on a scripted core, and waiting for it without a sleep that is too short or too long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEventLoop, QObject, QTimer

from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from ui.pages.chat import ChatPage
from ui.pages.unlock import UnlockPage
from ui.preferences import load_window, save_appearance
from ui.shell import Shell
from ui.theme import Appearance
from ui.tour.scripted import PASSWORD, ScriptedCore
from ui.window import SIZE, Window

T = TypeVar("T", bound=QObject)

_POLL_MS = 5
_TIMEOUT_MS = 60_000  # of what hangs, on a busy machine too


class Stage:
    """Opens the real window on a scripted core. Close it when the picture is taken."""

    def __init__(self, core: ScriptedCore, home: Path, *, size: tuple[int, int] | None = None) -> None:
        self.core = core
        self.released = threading.Event()
        self.crashes: list[BaseException] = []
        self._paths = Paths(home)
        self._size = size
        self._window: Window | None = None
        self._ended = False

    def show(self, appearance: Appearance = Appearance.LIGHT) -> Stage:
        """The first page: welcome or unlock."""
        if self.core.has_vault:
            self._paths.vault.parent.mkdir(parents=True, exist_ok=True)
            self._paths.vault.touch()
        save_appearance(self._paths.settings, appearance)
        self._window = Window(self.open_core, self._paths)
        self._window.bridge.crashed.connect(self.crashes.append)
        self._window.closed.connect(self._end)
        if self._size or not load_window(self._paths.settings).geometry:
            self._window.resize(*(self._size or SIZE))  # whatever the screen is like
        self._window.show()
        self.settle()
        return self

    def open_core(self) -> ScriptedCore:
        """What the window opens; again where a trial was thrown away."""
        return self.core

    def enter(self, appearance: Appearance = Appearance.LIGHT) -> Stage:
        """Unlocks; the chat page is there when it returns."""
        self.core.has_vault = True
        self.show(appearance)
        self.find(UnlockPage).chosen.emit(PASSWORD)
        self.until(lambda: self.window.shell is not None)
        self.settle()
        return self

    @property
    def window(self) -> Window:
        assert self._window is not None, "nothing is shown yet"
        return self._window

    @property
    def shell(self) -> Shell:
        assert self.window.shell is not None
        return self.window.shell

    @property
    def chat(self) -> ChatPage:
        return self.shell.chat

    def find(self, kind: type[T]) -> T:
        found = self.window.findChild(kind)
        assert isinstance(found, kind), f"no {kind.__name__} in the window"
        return found

    def hold_word(self, number: int) -> None:
        """The reply stands still before this word until it is stopped or the stage is closed."""
        self.core.script.before_word = lambda at, cancel: self.hold(cancel) if at == number else None

    def hold_step(self, name: str) -> None:
        """The deployment stands still in this step."""
        self.core.script.before_step = lambda step, cancel: self.hold(cancel) if step.step == name else None

    def hold(self, cancel: Cancel) -> None:
        """To be called from a script: stands still until the work is cancelled or the stage is closed."""
        while not self.released.wait(_POLL_MS / 1000):
            cancel.raise_if_cancelled()

    def settle(self) -> None:
        """Until nothing is under way and everything is drawn."""
        self.until(lambda: not self.window.bridge.busy)
        self.draw()

    def draw(self) -> None:
        """Lets the window lay itself out."""
        wait(_POLL_MS)
        wait(_POLL_MS)

    def until(self, condition: Callable[[], bool], timeout_ms: int = _TIMEOUT_MS) -> None:
        """Runs the event loop until the condition holds."""
        until(condition, timeout_ms)

    def close(self) -> None:
        """Ends everything that is still held, and the window."""
        if self._window is None:
            return
        self.released.set()
        self.window.close()
        if self.window.isVisible():  # a trial asks once what is to become of it
            self.window.close()
        self.until(lambda: self._ended)
        self.window.deleteLater()
        self._window = None
        assert not self.crashes, f"the window broke: {self.crashes}"

    def _end(self) -> None:
        self._ended = True


def wait(time_ms: int) -> None:
    """Runs the event loop for a time. (`QTest.qWait` keeps the interpreter's lock, and with it the lanes, waiting.)"""
    loop = QEventLoop()
    QTimer.singleShot(time_ms, loop.quit)
    loop.exec()


def until(condition: Callable[[], bool], timeout_ms: int = _TIMEOUT_MS) -> None:
    """Runs the event loop until the condition holds; fails after the time limit."""
    waited_ms = 0
    while not condition():
        assert waited_ms < timeout_ms, "waited in vain"
        wait(_POLL_MS)
        waited_ms += _POLL_MS
