"""Practice networks for the tests: one that all share, and fresh ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.ic.agent import Agent
from personal_ai.ic.principal import Principal
from tests.replica.network.running import Running


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One network for all tests that only add to it."""
    running = Running(tmp_path_factory.mktemp("network") / "state")
    yield running
    running.kill()


@pytest.fixture(scope="session")
def owner_agent(network: Running) -> Iterator[Agent]:
    agent = network.agent()
    yield agent
    agent.close()


@pytest.fixture(scope="session")
def echo(network: Running, owner_agent: Agent, echo_wasm: bytes) -> Principal:
    """The echo canister on the shared network."""
    return network.install(owner_agent, echo_wasm)


@pytest.fixture
def own_network(tmp_path: Path) -> Iterator[Running]:
    """A network of the test's own, to be stopped, killed and started again."""
    running = Running(tmp_path / "state")
    yield running
    running.kill()
