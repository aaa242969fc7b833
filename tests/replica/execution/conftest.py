from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.replica.heap import ComparedHeap
from tests.replica.execution.driver import Driver


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Driver]:
    """A canister without a module."""
    driver = Driver(tmp_path / "state")
    yield driver
    driver.store.close()


@pytest.fixture
def echo(empty: Driver, echo_wasm: bytes) -> Driver:
    """The echo canister."""
    outcome = empty.install(echo_wasm)
    assert outcome.reject is None, outcome.reject
    return empty


@pytest.fixture
def compared_heap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a test as on a system where the heap file cannot be mapped over the memory."""
    monkeypatch.setattr("personal_ai.replica.instance.heap_at", ComparedHeap)
