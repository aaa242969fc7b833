"""Answering here tells nobody: onnxruntime's own telemetry stays off (it would make a device id and a queue)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ANSWER = """
from personal_ai.models.library import starter
from personal_ai.models.local import LocalModel
LocalModel(starter()).logits([1, 2, 3])
"""


def test_a_local_answer_leaves_no_trace_of_telemetry(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", _ANSWER], env={**environment, "HOME": str(tmp_path)}, check=True, timeout=120)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
