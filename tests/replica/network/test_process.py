"""The process: starting, stopping, being killed, and starting again where it was."""

from __future__ import annotations

import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.common.errors import NetworkError, RejectedError
from personal_ai.ic.agent import Agent
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import Management
from personal_ai.ic.profile import NetworkProfile
from personal_ai.replica.__main__ import EXIT_FAILED, EXIT_FOLDER_IN_USE, EXIT_PORT_IN_USE
from tests.replica.network.running import OWNER, TRILLION, Running, start

TIMEOUT_S = 60


def number(reply: bytes) -> int:
    return int.from_bytes(reply[:8], "little")


def fails(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what it said."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert out == ""
    assert "Traceback" not in errors
    return process.returncode, errors


def test_everything_is_there_after_a_restart(own_network: Running, echo_wasm: bytes) -> None:
    agent = own_network.agent()
    canister_id = own_network.install(agent, echo_wasm)
    agent.update(canister_id, "inc", b"")
    signed = agent.sign_update(canister_id, "inc", b"")
    agent.submit(signed)
    agent.update(canister_id, "certify", b"certified")
    facts = (
        own_network.facts["root_key"],
        CyclesLedger(agent).balance(OWNER.principal),
        agent.module_hash(canister_id),
    )
    cycles = Management(agent).canister_status(canister_id).cycles
    agent.close()
    assert own_network.stop() == 0
    own_network.start()
    agent = own_network.agent()
    assert facts == (
        own_network.facts["root_key"], CyclesLedger(agent).balance(OWNER.principal), agent.module_hash(canister_id),
    )  # fmt: skip
    assert number(agent.query(canister_id, "get", b"")) == 2
    assert number(agent.submit(signed)) == 2  # the same bytes again: the answer from before, nothing is done
    assert number(agent.query(canister_id, "get", b"")) == 2
    assert cycles - 10**8 < Management(agent).canister_status(canister_id).cycles <= cycles
    assert [call["method"] for call in own_network.calls()][-3:] == ["certify", "canister_status", "canister_status"]
    assert own_network.install(agent, echo_wasm) != canister_id  # ids go on where they were
    agent.close()


def test_killed_while_calls_run_it_loses_nothing_that_it_confirmed(own_network: Running, echo_wasm: bytes) -> None:
    agent = own_network.agent()
    canister_id = own_network.install(agent, echo_wasm)
    signed = [agent.sign_update(canister_id, "inc", bytes([index])) for index in range(200)]
    confirmed: dict[int, int] = {}

    def send(first: int) -> None:
        for index in range(first, len(signed), 4):
            try:
                confirmed[index] = number(agent.submit(signed[index], timeout_s=TIMEOUT_S))
            except NetworkError:
                return
            if len(confirmed) >= 40:
                own_network.process.kill()

    threads = [threading.Thread(target=send, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own_network.kill()
    agent.close()
    assert 40 <= len(confirmed) < len(signed)
    own_network.start()
    agent = own_network.agent()
    done = number(agent.query(canister_id, "get", b""))
    assert done >= max(confirmed.values())
    assert len([call for call in own_network.calls() if call["method"] == "inc"]) == done
    replies = [number(agent.submit(one)) for one in signed]  # all of them again, whether they had run or not
    assert sorted(replies) == list(range(1, len(signed) + 1))
    assert {index: replies[index] for index in confirmed} == confirmed
    agent.close()


def test_a_port_in_use_is_told_and_nothing_happens(own_network: Running, tmp_path: Path) -> None:
    port = own_network.url.rpartition(":")[2]
    code, said = fails(start(tmp_path / "other", "--port", port))
    assert code == EXIT_PORT_IN_USE
    assert f"Port {port} is in use" in said
    assert not (tmp_path / "other" / "network.json").exists()


def test_two_processes_never_share_a_folder(own_network: Running) -> None:
    code, said = fails(start(own_network.folder))
    assert code == EXIT_FOLDER_IN_USE
    assert "already runs" in said
    own_network.kill()  # the lock dies with the process
    own_network.start()


def test_damaged_keys_are_told(own_network: Running) -> None:
    own_network.stop()
    keys = own_network.folder / "keys.json"
    content = keys.read_bytes()
    keys.write_bytes(content[:-20])
    code, said = fails(start(own_network.folder))
    assert code == EXIT_FAILED
    assert "keys are damaged" in said
    keys.write_bytes(content)
    own_network.start()


def test_secrets_are_for_the_owner_alone(own_network: Running) -> None:
    for name in ("keys.json", "network.json"):
        assert stat.S_IMODE((own_network.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(own_network.folder.stat().st_mode) == 0o700


def test_control_stops_it(own_network: Running) -> None:
    assert own_network.control("POST", "stop").status_code == 200
    own_network.process.communicate(timeout=TIMEOUT_S)
    assert own_network.process.returncode == 0


@pytest.fixture
def paced(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "paced", ("--pace", "ic", "--provisional"))
    yield running
    running.kill()


def test_paced_like_the_network_and_provisional(paced: Running) -> None:
    """A call waits 1.5 s for its block and is seen at the end of a 1 s round."""
    root_key = bytes.fromhex(paced.facts["root_key"])
    agent = Agent(NetworkProfile("local-test", "local", (paced.url,), root_key), OWNER)
    management = Management(agent)
    started_s = time.monotonic()
    canister_id = management.provisional_create_canister(5 * TRILLION)
    assert time.monotonic() - started_s > 2.4
    assert management.canister_status(canister_id).cycles > 4 * TRILLION
    agent.close()


def test_provisional_methods_are_refused_elsewhere(own_network: Running) -> None:
    root_key = bytes.fromhex(own_network.facts["root_key"])
    agent = Agent(NetworkProfile("local-test", "local", (own_network.url,), root_key), OWNER)
    with pytest.raises(RejectedError) as caught:
        Management(agent).provisional_create_canister(5 * TRILLION)
    assert caught.value.error_code == "IC0536"
    agent.close()
