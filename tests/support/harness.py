"""The engine's module, built once for all tests of a run and compiled once in each of its processes: a fixture."""

from __future__ import annotations

import os
import time

import pytest
import wasmtime

from personal_ai.common.locks import holding
from tests.canister.engine.wasm_engine import compile_harness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> wasmtime.Module:
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    while True:
        with holding(folder / "harness.lock") as ours:
            if ours:
                return compile_harness(folder / "harness.wasm")
        time.sleep(0.1)
