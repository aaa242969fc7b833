"""What is built once for all tests of a run, in whichever of its processes it is wanted first; the engine's module."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import wasmtime

from personal_ai.common.locks import holding
from tests.canister.engine.wasm_engine import compile_harness


@contextmanager
def shared_file(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """The file `name` of this run, for one process at a time: whoever finds nothing there makes it."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    while True:
        with holding(folder / f"{name}.lock") as ours:
            if ours:
                yield folder / name
                return
        time.sleep(0.1)


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> wasmtime.Module:
    """Compiled once in each process."""
    with shared_file(tmp_path_factory, "harness.wasm") as file:
        return compile_harness(file)
