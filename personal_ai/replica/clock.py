"""The network's time: nanoseconds since 1970, and never backwards, whatever the computer's clock does."""

from __future__ import annotations

import threading
import time


class Clock:
    """Each reading is later than the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ns = 0

    def now_ns(self) -> int:
        with self._lock:
            self._last_ns = max(time.time_ns(), self._last_ns + 1)
            return self._last_ns
