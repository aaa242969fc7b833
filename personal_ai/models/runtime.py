"""onnxruntime as everything here gets it: loaded with its telemetry off.

From 1.32 on it makes a device id and sends usage to its maker, unless a variable forbids it before the library is
loaded. Nothing in this program phones home, so nothing else may import onnxruntime (a lint rule in pyproject.toml).
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: TID251

__all__ = ["onnxruntime"]
