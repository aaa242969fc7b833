"""Broken model files, in short: every error is one of the program's own; and the fuzzer sees what is none."""

from __future__ import annotations

import pytest

from tests.faults import import_fuzz
from tests.faults.import_fuzz import fuzz

FORMATS = ("safetensors", "gguf", "onnx", "onnx with blocks")


@pytest.mark.parametrize("name", FORMATS)
def test_broken_files_are_refused_in_words(name: str) -> None:
    outcome = fuzz(name, 40, 7)
    assert (outcome.untyped, outcome.hangs) == (0, 0), outcome.examples
    assert 0 < outcome.accepted < outcome.inputs == 40


def test_other_errors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    target = import_fuzz._Target

    class Careless(target):  # type: ignore[misc, valid-type]
        reads = 0

        def read(self) -> None:
            self.reads += 1
            if self.reads > 1:
                raise TypeError("unforeseen")

    monkeypatch.setattr(import_fuzz, "_Target", Careless)
    outcome = fuzz("safetensors", 3, 0)
    assert (outcome.inputs, outcome.untyped) == (3, 3)
    assert "unforeseen" in outcome.examples[0]
