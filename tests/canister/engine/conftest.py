"""The engine's module, built once for all tests of a run and compiled once in each of its processes."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

import pytest
import wasmtime

from personal_ai.common.locks import holding
from tests.canister.engine.wasm_engine import build_harness, compile_harness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> wasmtime.Module:
    folder = tmp_path_factory.getbasetemp()
    return _compiled(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@cache  # a module that imports the fixture has one of its own
def _compiled(folder: Path) -> wasmtime.Module:
    target = folder / "harness.wasm"
    while True:
        with holding(folder / "harness.lock") as ours:
            if ours:
                return compile_harness(target.read_bytes() if target.exists() else build_harness(target))
        time.sleep(0.1)
