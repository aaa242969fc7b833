"""Python looks for garbage on the window's thread alone, and only between two events.

Left to itself it looks wherever the next object happens to be made. On a lane's thread it would destroy pages, cursors
and pictures while Qt uses them; on the window's own, in the middle of Qt's walk through all widgets, those that come
next. Either ends the process.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_LOOK_MS = 1000


def look_between_events(application: QObject) -> None:
    """From now on, as long as there is the application. Call it on the window's thread."""
    gc.disable()
    timer = QTimer(application, interval=_LOOK_MS)
    timer.timeout.connect(collect_due)
    timer.start()


def settle() -> None:
    """What the program is made of is there by now. It is not gone through again, which would hold the window up."""
    if not gc.get_freeze_count():
        gc.freeze()


def collect_due() -> None:
    """Looks through the oldest generation that is due, as Python would by itself."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return
