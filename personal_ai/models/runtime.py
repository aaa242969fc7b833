"""onnxruntime as everything here gets it: loaded with its telemetry off.

From 1.32 on it makes a device id and sends usage to its maker, unless a variable forbids it before the library is
loaded. Nothing in this program phones home, so nothing else may import onnxruntime (a lint rule in pyproject.toml).
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: TID251

__all__ = ["onnxruntime", "share_threads", "shares_threads"]

_shared = False


def share_threads(threads: int | None) -> None:
    """One pool of threads for all that onnxruntime will run in this process; None leaves their number to it.

    Else each graph has its own, and those of the one that ran last wait in a loop for a while, in the way of the next.
    For a process of onnxruntime's own: it must come before the first graph, once, and holds until the end.
    """
    global _shared  # noqa: PLW0603 -- as onnxruntime's pool is the process's own
    onnxruntime.set_global_thread_pool_sizes(threads or 0, 1)
    _shared = True


def shares_threads() -> bool:
    return _shared
