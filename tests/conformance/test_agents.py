"""The short form of `tests.conformance.agents`: the agent that is installed anyway.

The JavaScript agents have a test of their own in tests/replica/network, with forgeries.
"""

from __future__ import annotations

from pathlib import Path

from tests.conformance.agents import measure


def test_ic_py_takes_all_its_steps(tmp_path: Path) -> None:
    outcome = measure(["ic-py"], tmp_path)
    assert (outcome.failed, outcome.passed) == (0, 9), outcome.steps
