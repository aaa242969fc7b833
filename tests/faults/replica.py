"""Kills a practice network with SIGKILL while it works: `python -m tests.faults.replica [--kills N] [--json]`.

Several senders call a canister that counts in its heap, its stable memory and its certified data, send ICP, top the
canister up and take snapshots. After a random while the network is killed, started again and asked what it remembers.

The answer is {kills, acknowledged, lost, torn}: updates whose certified answer arrived; those of them that the
network has forgotten; and how often something was half done (memories that disagree, money that does not add up).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from personal_ai.common.errors import NetworkError
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_ledger import IcpLedger
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import Management
from personal_ai.ic.principal import Principal
from tests.replica.network.running import OWNER, TRILLION, Running, identity
from tests.support.programs import echo_program

KILLS = 8
SEED = 7
_COUNTER_PLACE = 200_000  # of the counter in the echo canister's stable memory
_FRIEND = identity("who gets the ICP").principal
_LEAST_WORK, _LONGEST_WORK_S, _PATIENCE_S = 8, 0.6, 20.0


@dataclass(frozen=True)
class Outcome:
    """See the module's docstring."""

    kills: int
    acknowledged: int
    lost: int
    torn: int


@dataclass
class Acknowledged:
    """What the network has confirmed so far. Each sender changes a field of its own."""

    counter: int = 0
    counted: int = 0
    icp_sent: int = 0
    topped_up: int = 0
    snapshots: set[bytes] = field(default_factory=set)

    @property
    def total(self) -> int:
        return self.counted + self.icp_sent + self.topped_up + len(self.snapshots)


class Work:
    """The senders of one life of the network; each stops at its first error, which the kill brings."""

    def __init__(self, network: Running, canister_id: Principal, known: Acknowledged) -> None:
        self._network, self._canister_id, self._known = network, canister_id, known
        self._threads = [
            threading.Thread(target=self._send, args=(step,))
            for step in (self._count, self._count, self._pay, self._top_up, self._snapshot)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self, step: Callable[[Agent], None]) -> None:
        agent = self._network.agent()
        try:
            while True:
                step(agent)
        except NetworkError:
            pass
        finally:
            agent.close()

    def _count(self, agent: Agent) -> None:
        counter = int.from_bytes(agent.update(self._canister_id, "count_everywhere", b"")[:8], "little")
        self._known.counter = max(self._known.counter, counter)
        self._known.counted += 1

    def _pay(self, agent: Agent) -> None:
        IcpLedger(agent).transfer(AccountIdentifier.of(_FRIEND), 1, time.time_ns())
        self._known.icp_sent += 1

    def _top_up(self, agent: Agent) -> None:
        CyclesLedger(agent).withdraw(self._canister_id, 1_000, time.time_ns())
        self._known.topped_up += 1

    def _snapshot(self, agent: Agent) -> None:
        old = next(iter(self._known.snapshots), None)
        snapshot = Management(agent).take_snapshot(self._canister_id, replace_id=old)
        self._known.snapshots = {snapshot.id}
        time.sleep(0.05)


def kill_and_look(folder: Path, kills: int, seed: int = SEED) -> Outcome:
    """The whole story in `folder`."""
    chance, known = random.Random(seed), Acknowledged()
    lost = torn = acknowledged = 0
    wasm = echo_program(folder)
    network = Running(folder / "state")
    try:
        agent = network.agent()
        canister_id = network.install(agent, wasm)
        agent.close()
        network.fund(OWNER.principal, 10 * TRILLION)
        network.control("POST", "fund-icp", principal=str(OWNER.principal), e8s=1_000 * E8S_PER_ICP).raise_for_status()
        for _ in range(kills):
            work = Work(network, canister_id, known)
            work.start()
            _wait_for_some(known, known.total + _LEAST_WORK)
            time.sleep(chance.uniform(0.0, _LONGEST_WORK_S))
            network.process.kill()
            work.join()
            network.kill()
            network.start()
            acknowledged = known.total
            more_lost, more_torn = _look(network, canister_id, known)
            lost, torn = lost + more_lost, torn + more_torn
    finally:
        network.kill()
    return Outcome(kills, acknowledged, lost, torn)


def _wait_for_some(known: Acknowledged, total: int) -> None:
    """Until the senders are at work."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while known.total < total and time.monotonic() < deadline_s:
        time.sleep(0.01)


def _look(network: Running, canister_id: Principal, known: Acknowledged) -> tuple[int, int]:
    """How many confirmed updates are lost, and how many things are half done."""
    agent = network.agent()
    try:
        heap = int.from_bytes(agent.query(canister_id, "get", b"")[:8], "little")
        place = _COUNTER_PLACE.to_bytes(8, "little") + (8).to_bytes(8, "little")
        stable = int.from_bytes(agent.query(canister_id, "stable_read", place), "little") if heap else 0
        icp = IcpLedger(agent).balance(AccountIdentifier.of(_FRIEND))
        kept = {snapshot.id for snapshot in Management(agent).snapshots(canister_id)}
        calls = network.calls()
        top_ups = sum(call["method"] == "withdraw" and call["outcome"] == "replied" for call in calls)
        audit = network.control("GET", "audit").raise_for_status().json()
    finally:
        agent.close()
    missing_snapshots = len(known.snapshots - kept) if len(kept) != 1 else 0  # a newer one may have taken its place
    lost = max(known.counter - heap, 0) + max(known.icp_sent - icp, 0) + max(known.topped_up - top_ups, 0)
    torn = [heap != stable, audit["unaccounted_cycles"] != 0, audit["unaccounted_e8s"] != 0]
    known.snapshots = kept
    return lost + missing_snapshots, sum(torn)


def main() -> int:
    """Exit code 0 where nothing was lost and nothing half done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_look(Path(folder), arguments.kills)
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if (outcome.lost, outcome.torn) == (0, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
