"""The practice network as a process: started once, found again, stopped for good."""

import socket
from pathlib import Path

import pytest

from personal_ai.common.errors import FormatError, NetworkUnreachableError
from personal_ai.deployments.practice import NETWORK_FILE, PracticeNetwork
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.ledgers import CyclesLedger


def test_it_is_found_again_and_answers_nothing_once_stopped(tmp_path: Path) -> None:
    network = PracticeNetwork(tmp_path / "network")
    assert not network.running
    profile = network.start()
    agent = Agent(profile, Ed25519Identity(bytes(range(32))))
    try:
        again = PracticeNetwork(tmp_path / "network")
        assert again.start() == profile and again.running
        network.fund(agent.identity.principal, 12)
        assert CyclesLedger(agent).balance(agent.identity.principal) == 12
        again.stop()
        assert not network.running
        with pytest.raises(NetworkUnreachableError):
            CyclesLedger(agent).balance(agent.identity.principal)
        with pytest.raises(NetworkUnreachableError):
            network.calls()
        assert network.start() == profile, "it comes back at the same address"
        assert CyclesLedger(agent).balance(agent.identity.principal) == 12, "its state outlives the process"
    finally:
        network.stop()
        agent.close()
    network.stop()


def test_another_port_is_taken_when_the_old_one_is_in_use(tmp_path: Path) -> None:
    network = PracticeNetwork(tmp_path / "network")
    gateway = network.start().gateways[0]
    network.stop()
    with socket.create_server(("127.0.0.1", int(gateway.rpartition(":")[2]))):
        assert network.start().gateways[0] != gateway
    network.stop()


def test_a_network_that_cannot_start_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "state.sqlite").mkdir()
    with pytest.raises(NetworkUnreachableError, match="did not start") as caught:
        PracticeNetwork(folder).start()
    assert "network.log" in caught.value.next_step


def test_a_damaged_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / NETWORK_FILE).write_bytes(b'{"version": 1, "url": 5}')
    with pytest.raises(FormatError, match="damaged"):
        PracticeNetwork(tmp_path).running  # noqa: B018


def test_one_never_started_has_no_profile(tmp_path: Path) -> None:
    with pytest.raises(NetworkUnreachableError, match="never been started"):
        PracticeNetwork(tmp_path).profile()
