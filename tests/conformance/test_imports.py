"""The conformance of imports, in short; and that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.imports import Case, cases, failure, measured

_SHORT = ("qwen2: gguf, Q4_K", "llama: dynamo", "phi3, longrope: safetensors, F16, tied, 3 files")


@pytest.mark.parametrize("name", _SHORT)
def test_models_come_in_whole(name: str, tmp_path: Path) -> None:
    made = {f"{architecture}: {source}": (architecture, source, make) for architecture, source, make in cases()}
    case = measured(*made[name], tmp_path)
    assert case.failure == ""
    assert case.logit_difference is not None


def test_every_way_is_among_the_cases() -> None:
    named = {f"{architecture}, {source}" for architecture, source, _ in cases()}
    for architecture in ("llama", "qwen2"):
        for way in ("torchscript", "dynamo", "genai-int4", "gguf, Q8_0"):
            assert f"{architecture}, {way}" in named
    for architecture in ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3", "phi3"):
        assert any(name.startswith(f"{architecture}, safetensors") for name in named)


GOOD = Case("llama", "safetensors", 1e-6, tokens_equal=True, template_equal=True)


def test_a_good_case_passes() -> None:
    assert failure(GOOD) == ""


@pytest.mark.parametrize(
    "bad",
    [
        {"logit_difference": 1.0},
        {"logit_difference": float("nan")},
        {"logit_difference": None},
        {"tokens_equal": False},
        {"template_equal": False},
    ],
    ids=str,
)
def test_a_bad_case_fails(bad: dict[str, Any]) -> None:
    assert failure(replace(GOOD, **bad)) != ""
