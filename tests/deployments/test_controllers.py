"""Controllers on the practice network: shown, added, proved and removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, RejectedError
from personal_ai.deployments import controllers
from personal_ai.deployments.controllers import Controller
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal
from personal_ai.identities.vault import IdentityRecord

OWNER, BACKUP, STRANGER = (Ed25519Identity(bytes((number,)) * 32) for number in (1, 2, 3))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PracticeNetwork]:
    network = PracticeNetwork(tmp_path_factory.mktemp("network"))
    network.start()
    yield network
    network.stop()


def _agent(network: PracticeNetwork, identity: Ed25519Identity) -> Agent:
    return Agent(network.profile(), identity)


@pytest.fixture
def owner(network: PracticeNetwork) -> Iterator[Agent]:
    agent = _agent(network, OWNER)
    yield agent
    agent.close()


@pytest.fixture
def canister(network: PracticeNetwork, owner: Agent) -> Principal:
    network.fund(OWNER.principal, 2_000_000_000_000)
    ledger = CyclesLedger(owner)
    return ledger.create_canister(
        1_000_000_000_000, created_at_time_ns=time.time_ns(), controllers=(OWNER.principal,)
    ).canister_id


def test_a_backup_controller_is_added_proved_and_removed(
    network: PracticeNetwork, owner: Agent, canister: Principal, tmp_path: Path
) -> None:
    assert controllers.read(owner, canister) == {OWNER.principal}
    backup, stranger = _agent(network, BACKUP), _agent(network, STRANGER)
    try:
        with pytest.raises(RejectedError):
            controllers.prove(backup, canister)
        with pytest.raises(RejectedError):
            controllers.add(stranger, canister, STRANGER.principal)
        both = {OWNER.principal, BACKUP.principal}
        for _ in range(2):
            assert controllers.add(owner, canister, BACKUP.principal) == both
        controllers.prove(backup, canister)
        assert controllers.read(stranger, canister) == both  # everybody sees it
        assert controllers.remove(backup, canister, OWNER.principal) == {BACKUP.principal}
        with pytest.raises(RejectedError):
            controllers.prove(owner, canister)
    finally:
        backup.close()
        stranger.close()


def test_slips_change_nothing(owner: Agent, canister: Principal) -> None:
    with pytest.raises(BadInputError, match="does not remove itself"):
        controllers.remove(owner, canister, OWNER.principal)
    with pytest.raises(BadInputError, match="does not control"):
        controllers.remove(owner, canister, ANONYMOUS)
    for number in range(controllers.MAX_CONTROLLERS - 1):
        controllers.add(owner, canister, Principal(bytes((number, 1))))
    with pytest.raises(BadInputError, match="at most"):
        controllers.add(owner, canister, ANONYMOUS)
    assert len(controllers.read(owner, canister)) == controllers.MAX_CONTROLLERS


def test_what_worries_is_told() -> None:
    lonely = IdentityRecord(0, "Rowan", ANONYMOUS)
    safe = IdentityRecord(0, "Rowan", ANONYMOUS, restorable=True)
    other = Controller(MANAGEMENT, None)
    known = controllers.known([MANAGEMENT, ANONYMOUS], [lonely])
    assert known == (Controller(ANONYMOUS, lonely), other)
    assert "Only Rowan" in str(controllers.worry([Controller(ANONYMOUS, lonely)]))
    assert controllers.worry([Controller(ANONYMOUS, safe)]) is None
    assert controllers.worry(known) is None
    assert "None of your identities" in str(controllers.worry([other]))
