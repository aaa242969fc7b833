"""The program: with arguments the command line, without them the window."""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from personal_ai.common.paths import Paths
    from ui.core import Core
    from ui.window import Window

_SETTLED_AFTER_MS = 500  # once the window is there
_KNOCKS, _BETWEEN_KNOCKS_S = 80, 0.2  # for longer than a window takes to end


def main() -> int:
    """Entry point `personal-ai`; the exit code. The command line never loads Qt."""
    arguments = sys.argv[1:]
    if not arguments:
        return open_window()
    from personal_ai.cli.main import main as command_line  # noqa: PLC0415 - the window does not need it

    return command_line(arguments)


def open_window() -> int:
    """Shows the window on the default profile until it is closed; where there is one already, that is shown."""
    if sys.platform == "win32":
        import personal_ai.models.runtime  # noqa: F401, PLC0415 - its libraries must be loaded before Qt's

    from personal_ai.common.locks import holding  # noqa: PLC0415 - the command line does not need Qt
    from personal_ai.common.paths import Paths  # noqa: PLC0415
    from ui.one_window import LOCK_FILE, knock  # noqa: PLC0415

    paths = Paths.default()
    for _ in range(_KNOCKS):  # one that is just starting or ending does not hear
        with holding(paths.home / LOCK_FILE) as alone:
            if alone:
                return _show_window(paths)
        if knock(paths.home):
            return 0
        time.sleep(_BETWEEN_KNOCKS_S)
    print("Personal AI is open already, and its window does not answer.", file=sys.stderr)
    return 1


def make_window(paths: Paths) -> tuple[QApplication, Window]:
    """The application and its window, not shown yet."""
    # Nearly all that a start makes stays: to look for garbage meanwhile takes 9 ms and finds none.
    gc.disable()
    from PySide6.QtCore import QTimer  # noqa: PLC0415

    from ui.application import make_application  # noqa: PLC0415
    from ui.one_window import FrontDoor  # noqa: PLC0415
    from ui.window import Window  # noqa: PLC0415

    application = make_application()
    window = Window(lambda: _workspace(paths), paths)
    door = FrontDoor(paths.home, window)
    door.knocked.connect(window.come_to_front)
    QTimer.singleShot(_SETTLED_AFTER_MS, door, door.open)
    window.leaving.connect(door.close)
    window.closed.connect(application.quit)
    return application, window


def _show_window(paths: Paths) -> int:
    application, window = make_window(paths)
    sys.excepthook = lambda _, error, __: window.show_crash(error)
    window.show()
    from ui.system_signals import SystemSignals  # noqa: PLC0415 - the window is not held up by it

    signals = SystemSignals(window.close)
    code = application.exec()
    signals.stop()
    return code


def _workspace(paths: Paths) -> Core:
    """Imported off the window's thread: it loads the whole core."""
    from personal_ai.app.workspace import Workspace  # noqa: PLC0415

    return Workspace(paths)


if __name__ == "__main__":
    sys.exit(main())
