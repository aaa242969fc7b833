"""The benchmarks behind docs/engine-memory.md, on small models."""

from __future__ import annotations

from dataclasses import replace

import wasmtime

from tests.benchmarks import heap_only, passes
from tests.benchmarks.shapes import SHAPES

SMALL = replace(SHAPES["smollm2-135m"], layer_count=2, vocabulary_size=1024)


def test_what_comes_of_an_upgrade_that_keeps_the_heap() -> None:
    figures = heap_only.measure(SMALL, "int8")
    upgrades = figures["upgrades"]
    assert "does not support" in upgrades["no section, heap kept"]["refused"]
    assert "needs wasm_memory_persistence" in upgrades["section, option left out"]["refused"]
    assert upgrades["same build, heap kept"]["the conversation then"] == "goes on, 3 tokens computed"
    assert upgrades["other build, heap replaced"]["the conversation then"] == "NeedPrefix"
    assert figures["rent_per_day_heap_only_cycles"] < figures["rent_per_day_cycles"]


def test_a_pass_over_guesses_saves_next_to_nothing(harness: wasmtime.Module) -> None:
    figures = passes.measure(SMALL, "int8", harness)
    assert all(share > 0.85 for share in figures["pass_per_steps"].values()), "else guessing ahead pays: build it"
