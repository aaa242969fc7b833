"""The engine's module, built once for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from tests.canister.engine.wasm_engine import compile_harness


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> wasmtime.Module:
    return compile_harness(Path(tmp_path_factory.mktemp("harness")) / "harness.wasm")
