"""The benchmark of imports measures a real import, and its bound grows with what was measured."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.imports import Run, bound_bytes, measured
from tests.support.checkpoints import Shape


def test_an_import_is_measured_in_its_own_process() -> None:
    run = measured(Shape(tied=True), "int8", sparse=True)
    assert run.parameters == 384 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 160 + 2 * 64) + 64
    assert run.source_bytes > 2 * run.parameters
    assert 20 << 20 < run.peak_memory_bytes < 1500 << 20
    assert run.megabytes_per_s > 0


def test_the_bound_goes_on_evenly_and_never_down() -> None:
    small = Run(100, "int8", 200, 1_000, 1.0, 1.0)
    assert bound_bytes(small, replace(small, parameters=200, peak_memory_bytes=1_100), 1_000) == 1_900
    assert bound_bytes(small, replace(small, parameters=200, peak_memory_bytes=900), 1_000) == 900
