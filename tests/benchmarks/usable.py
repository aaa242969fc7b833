"""Says when a window can be used, then how many widgets it has; for `tests.benchmarks.ui`, in a process of its own."""

from __future__ import annotations

import os

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

USABLE = "usable"


def show_and_tell(application: QApplication, window: QMainWindow) -> None:
    """Shows the window, prints USABLE once it is drawn and has answered an event, then the count; ends the process."""
    answered: list[bool] = []
    window.show()
    application.processEvents()
    QTimer.singleShot(0, lambda: answered.append(True))
    while not answered:
        application.processEvents()
    print(USABLE, flush=True)
    print(len(application.allWidgets()), flush=True)  # makes PySide load classes that no user waits for
    os._exit(0)  # what is loading behind the page need not be waited for
