"""Python looks for garbage on the window's thread alone.

Left to itself it looks wherever the next object happens to be made. On a lane's thread it would find pages, cursors and
pictures that refer to each other and destroy them while Qt uses them, which ends the process.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_LOOK_MS = 1000


class Garbage(QObject):
    """As long as it is there and not ended, nothing else looks for garbage. Make it on the window's thread."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._frozen = False
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(collect_due)
        self._timer.start()

    def settle(self) -> None:
        """What the program is made of is there by now, and is not gone through again: that would hold the window up."""
        if not self._frozen:
            self._frozen = True
            gc.freeze()

    def end(self) -> None:
        self._timer.stop()
        gc.enable()


def collect_due() -> None:
    """Looks through the oldest generation that is due, as Python would by itself."""
    counts, thresholds = gc.get_count(), gc.get_threshold()
    for generation in (2, 1, 0):
        if counts[generation] > thresholds[generation]:
            gc.collect(generation)
            return
