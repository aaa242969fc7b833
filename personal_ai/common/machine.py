"""What this computer has."""

from __future__ import annotations

import os


def memory_bytes() -> int | None:
    """The memory of the whole computer; None where the system does not say it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
