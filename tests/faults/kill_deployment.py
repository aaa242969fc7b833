"""Kills program and network while models are deployed: `python -m tests.faults.kill_deployment [--kills N]`.

The real command line pays with ICP (every other time for the canister itself, else for cycles, and with these for the
canister), uploads a package of random weights and asks a question, on a network of its own that it does not know as a
practice network. At random moments the command and the network are killed in turn with SIGKILL; the network is started
again, and so is the command until it ends well. As long as kills are left, another deployment of another identity
follows. `--pace ic` lets the network take its time as the real one does, so that most kills come while an answer is
awaited; it takes several times as long.

The judge is the network: its audit, its ledgers' blocks, its canisters and its log of calls.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from personal_ai.app.workspace import Workspace
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import HOME_VARIABLE, Paths
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_ledger import IcpIndex
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from tests.replica.network.running import Running
from tests.support.checkpoints import Shape, write_checkpoint

KILLS = 8
SIZE_BYTES = 14_000_000
SEED = 11
_MODEL, _NETWORK, _PASSWORD = "random", "elsewhere", "correct horse battery"
_CALLS_MOST = 3  # a kill comes after so many more calls
_DELAY_MOST_S = {"none": 0.1, "ic": 2.0}  # and so much later
_QUIET_S = {"none": 0.3, "ic": 5.0}  # without a call: nothing is on its way to the network any more
_LIVES_FROM_QUIET = 3  # every third life begins when all is quiet, the others at once
_POLL_S = 0.02
_PATIENCE_S = 120.0  # for one life of the program


@dataclass(frozen=True)
class Outcome:
    """What the network says at the end. deployments: how many were begun; answered: how many answer a question.

    double_payments: blocks of the two ledgers beyond those of paying once. chunks_sent_twice: of those that the network
    had when a life of the program began and nothing was on its way; what is on its way then may come twice.
    """

    kills: int
    network_kills: int
    deployments: int
    answered: int
    double_creations: int
    double_payments: int
    unaccounted_cycles: int
    unaccounted_e8s: int
    chunks: int
    chunks_sent_twice: int

    @property
    def good(self) -> bool:
        lost = (self.double_creations, self.double_payments, self.unaccounted_cycles, self.unaccounted_e8s)
        return lost == (0, 0, 0, 0) and self.chunks_sent_twice == 0 and self.answered == self.deployments


@dataclass
class Killer:
    """Runs commands, and kills them or the network until `wanted` kills are done."""

    network: Running
    environment: dict[str, str]
    wanted: int
    chance: random.Random
    pace: str
    client: httpx.Client
    answered: int = 0
    lives: int = 0
    births: list[int] = field(default_factory=list)  # how many calls there had been when a life began in quiet
    done: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        return self.wanted - self.done.total()

    def run(self, *arguments: str, until: str) -> None:
        """One command of the program, again and again until it says `until`."""
        while True:
            network_kills = self.done["network"]
            output, killed = self._live(arguments)
            if until in output:
                return
            assert killed or self.done["network"] > network_kills, f"it failed although nobody was killed: {output}"

    def _live(self, arguments: tuple[str, ...]) -> tuple[str, bool]:
        """One life of the program: all that it said, and whether it was killed."""
        self.lives += 1
        if self.lives % _LIVES_FROM_QUIET == 0:
            self.births.append(self._quiet())
        with tempfile.TemporaryFile() as said:
            command = [sys.executable, "-m", "ui", *arguments]
            process = subprocess.Popen(command, env=self.environment, stdout=said, stderr=subprocess.STDOUT)
            killed = self._disturb(process)
            process.wait(_PATIENCE_S)
            said.seek(0)
            output = said.read().decode()
        assert "Traceback" not in output, output
        return output, killed

    def _disturb(self, process: subprocess.Popen[bytes]) -> bool:
        """Kills the two in turn, at moments that chance names; whether the program was killed."""
        while self.left and self._moment_comes(process):
            victim = ("program", "network")[self.done.total() % 2]
            self.done[victim] += 1
            if victim == "program":
                process.kill()
                return True
            self.network.kill()
            self.network.start()
        return False

    def _moment_comes(self, process: subprocess.Popen[bytes]) -> bool:
        """False where the program ends before it."""
        wanted = self._calls() + self.chance.randint(1, _CALLS_MOST)
        while self._calls() < wanted:
            if process.poll() is not None:
                return False
            time.sleep(_POLL_S)
        try:
            process.wait(self.chance.uniform(0.0, _DELAY_MOST_S[self.pace]))
        except subprocess.TimeoutExpired:
            return True
        return False

    def _quiet(self) -> int:
        """Waits until no call is on its way any more; how many calls there have been."""
        seen, since_s = self._calls(), time.monotonic()
        while time.monotonic() - since_s < _QUIET_S[self.pace]:
            time.sleep(_POLL_S)
            if (now := self._calls()) != seen:
                seen, since_s = now, time.monotonic()
        return seen

    def _calls(self) -> int:
        """How many calls the network has carried out; asked often, through one connection."""
        token = {"X-Practice-Token": self.network.facts["control_token"]}
        return len(self.client.get(f"{self.network.url}/_/practice/calls", headers=token).raise_for_status().json())


def kill_and_continue(folder: Path, *, kills: int, size_bytes: int = SIZE_BYTES, pace: str = "none") -> Outcome:
    """The whole story in `folder`, which holds the home folder, the checkpoint and the network."""
    paths = Paths(folder / "home")
    (folder / "password").write_text(_PASSWORD + "\n")
    network = Running(folder / "network", ("--pace", pace))
    try:
        port = httpx.URL(network.url).port
        network.arguments = (*network.arguments, "--port", str(port))  # where the program knows it
        with closing(_prepared(paths, folder, network, size_bytes)) as workspace, httpx.Client() as client:
            environment = {**os.environ, HOME_VARIABLE: str(paths.home)}
            killer = Killer(network, environment, kills, random.Random(SEED), pace, client)
            while killer.left or not workspace.deployments():
                _deploy_and_ask(killer, workspace, folder / "password")
            return _judged(killer, workspace)
    finally:
        network.kill()


def _prepared(paths: Paths, folder: Path, network: Running, size_bytes: int) -> Workspace:
    """A vault, the model, and the network under a name of the user's own."""
    workspace = Workspace(paths)
    workspace.create_vault(workspace.new_phrase(), _PASSWORD)
    checkpoint = write_checkpoint(folder / "checkpoint", _shape(size_bytes))
    workspace.import_model(checkpoint, name=_MODEL, on_progress=ignore_progress, cancel=Cancel())
    paths.networks.mkdir(parents=True)
    facts = {"version": 1, "name": _NETWORK, "kind": "custom", "gateways": [network.url]}
    facts["root_key"] = network.facts["root_key"]
    (paths.networks / f"{_NETWORK}.json").write_text(json.dumps(facts))
    return workspace


def _shape(size_bytes: int) -> Shape:
    """A Llama of about `size_bytes` once it is int8: 4 h^2 + 3 h i weights a layer, and a scale for every 64."""
    hidden, intermediate = 512, 1536
    layer_bytes = (4 * hidden * hidden + 3 * hidden * intermediate) * (64 + 4) // 64
    layers = -(-size_bytes // layer_bytes)
    return Shape("llama", 1024, hidden, layers, 8, 8, intermediate, tied=True)


def _deploy_and_ask(killer: Killer, workspace: Workspace, password: Path) -> None:
    """One person's way from some ICP to an answer."""
    number = len(workspace.deployments()) + 1
    name = f"Tree {number}"
    owner = workspace.vault.new_identity(name).principal
    if number % 2:
        killer.network.fund(owner, CYCLES_LEDGER_FEE)  # with cycles on the account, ICP bring what is lacking
    fund = killer.network.control("POST", "fund-icp", principal=str(owner), e8s=10 * E8S_PER_ICP)
    fund.raise_for_status()
    unlock = ("--password-file", str(password))
    deploy = ("deploy", "--model", _MODEL, "--network", _NETWORK, "--identity", name, "--name", name)
    killer.run(*deploy, "--yes", *unlock, until=f"{name}: {_MODEL} runs in canister")
    killer.run("chat", *unlock, "--deployment", name, "Hello", until="your canister")
    killer.answered += 1


def _judged(killer: Killer, workspace: Workspace) -> Outcome:
    network = killer.network
    audit = network.control("GET", "audit").raise_for_status().json()
    owners = [Principal.from_text(one.principal) for one in workspace.deployments()]
    chunks = _chunks(network.calls())
    canisters = [len(network.control("GET", "canisters", principal=str(owner)).json()) for owner in owners]
    with closing(network.agent()) as agent:
        payments_too_many = sum(_payments_too_many(agent, owner) for owner in owners)
    return Outcome(
        kills=killer.done.total(),
        network_kills=killer.done["network"],
        deployments=len(owners),
        answered=killer.answered,
        double_creations=sum(abs(count - 1) for count in canisters),
        double_payments=payments_too_many,
        unaccounted_cycles=abs(audit["unaccounted_cycles"]),
        unaccounted_e8s=abs(audit["unaccounted_e8s"]),
        chunks=len(chunks),
        chunks_sent_twice=sum(
            any(first < birth <= again for birth in killer.births)
            for places in chunks.values()
            for first, again in pairwise(places)
        ),
    )


def _chunks(calls: list[dict[str, Any]]) -> dict[tuple[str, str], list[int]]:
    """Which of the calls brought each chunk of each canister, by their places in the log."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, call in enumerate(calls):
        if call["method"] == "put_chunk" and call["outcome"] == "replied":
            found.setdefault((call["canister_id"], call["arg_sha256"]), []).append(place)
    return found


def _payments_too_many(agent: Agent, owner: Principal) -> int:
    """Once ICP are sent off; where cycles lay on the account, others come onto it, and all are spent."""
    account = AccountIdentifier.of(owner)
    sent = sum(one.sender == str(account) for one in IcpIndex(agent).transactions(account).entries)
    ledger = CyclesLedger(agent)
    entries = [one for one in ledger.entries(0, ledger.length()) if str(owner) in (one.sender, one.receiver)]
    expected = ["mint", "mint", "burn"] if entries else []
    return abs(sent - 1) + abs(len(entries) - len(expected)) + ([one.operation for one in entries] != expected)


def main() -> int:
    """Exit code 0 where all answered, nothing was paid twice and every unit of money is accounted for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--size-mb", type=int, default=SIZE_BYTES // 10**6)
    parser.add_argument("--pace", choices=sorted(_DELAY_MOST_S), default="none")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_continue(
            Path(folder), kills=arguments.kills, size_bytes=arguments.size_mb * 10**6, pace=arguments.pace
        )
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
