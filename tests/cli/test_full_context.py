"""A conversation in the terminal that outgrows the model's context: nothing is left out without a word."""

from __future__ import annotations

import io

import pytest

from personal_ai.common.paths import Paths
from tests.cli.conftest import Run

QUESTIONS = "Tell me of the network, please\n" * 12


@pytest.mark.usefixtures("profile")
def test_it_stops_and_says_so(run: Run, profile: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(QUESTIONS))
    done = run("chat", "--local", "--model", "small")
    assert done.exit_code == 1
    assert "the model can follow 128" in done.errors and "nothing was left out" in done.errors


@pytest.mark.parametrize(
    ("way", "said"),
    [("leave-out", "The model no longer sees the first"), ("new", "A new conversation; it begins with the last")],
)
def test_it_goes_on_as_chosen(run: Run, profile: Paths, monkeypatch: pytest.MonkeyPatch, way: str, said: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(QUESTIONS))
    done = run("chat", "--local", "--model", "small", "--when-full", way)
    assert done.exit_code == 0, done.errors
    assert said in done.errors and done.output.count("[this computer, ") == 12
