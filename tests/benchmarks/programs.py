"""Program files from steps that a test or benchmark put together by hand."""

from __future__ import annotations

from pathlib import Path

from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.compiler.compile import write_program
from personal_ai.compiler.ir import Activation, Step, Weight
from personal_ai.compiler.layouts import fastest
from personal_ai.compiler.planning import Plan, Sizes


def write_steps(target: Path, steps: list[Step], logits: Activation) -> Path:
    """Writes the program of `steps`, for up to 32 tokens and a context of 64."""
    write_program(Plan(steps, logits, (), Sizes(64, 32, ())), target, ignore_progress, Cancel())
    return target


def lay_out(steps: list[Step], *, head: bool = False) -> None:
    """Gives weights the layouts that the compiler chooses in a heap with room. head: those of 8 bits are a head's."""
    for step in steps:
        for operand in step.inputs:
            if isinstance(operand, Weight):
                vocabulary_size = operand.rows if head else 0
                operand.element, operand.source = fastest(operand, vocabulary_size)
