"""The network's time: nanoseconds since 1970, and never backwards, whatever the computer's clock does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Clock:
    """Each reading is later than the one before. source_ns: the computer's clock, or a test's own."""

    def __init__(self, source_ns: Callable[[], int] = time.time_ns) -> None:
        self._source_ns = source_ns
        self._lock = threading.Lock()
        self._last_ns = 0

    def now_ns(self) -> int:
        with self._lock:
            self._last_ns = max(self._source_ns(), self._last_ns + 1)
            return self._last_ns
