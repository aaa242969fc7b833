"""The monkey, in short."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("core", ["scripted", "real"])
def test_clicking_and_typing_break_nothing(core: str) -> None:
    command = [sys.executable, "-m", "tests.faults.monkey", "--minutes", "0.07", "--seed", "3", "--core", core]
    run = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, timeout=120, cwd=_ROOT)
    tally = json.loads(run.stdout)
    assert tally["events"] > 20
    assert (tally["crashes"], tally["warnings"], tally["leaked_threads"]) == (0, 0, 0), tally["told"]
