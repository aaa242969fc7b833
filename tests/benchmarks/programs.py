"""Program files from steps that a test or benchmark put together by hand."""

from __future__ import annotations

from pathlib import Path

from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.compiler.compile import write_program
from personal_ai.compiler.ir import Activation, Step
from personal_ai.compiler.planning import Plan, Sizes


def write_steps(target: Path, steps: list[Step], logits: Activation) -> Path:
    """Writes the program of `steps`, for up to 32 tokens and a context of 64."""
    write_program(Plan(steps, logits, (), Sizes(64, 32, ())), target, ignore_progress, Cancel())
    return target
