"""Test canisters, built once with the Zig compiler that also builds the real canister."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replica.network.inside import Inside
from tests.support.programs import echo_program


@pytest.fixture(scope="session")
def echo_wasm(pytestconfig: pytest.Config) -> bytes:
    """The echo canister (programs/echo.zig) with its interface as metadata."""
    assert pytestconfig.cache is not None
    return echo_program(pytestconfig.cache.mkdir("programs"))


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """The parts of a network, without a process."""
    parts = Inside.open(tmp_path / "inside")
    yield parts
    parts.store.close()
