"""A practice network as a process of its own, as the app runs it, and what tests do with it."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import Ed25519Identity, Identity
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import InstallMode, Management
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import practice

START_TIMEOUT_S = 60.0
TRILLION = 10**12


def identity(name: str) -> Ed25519Identity:
    """Somebody, the same each time."""
    return Ed25519Identity(hashlib.sha256(name.encode()).digest())


OWNER = identity("owner of the test canisters")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The process, which may not be ready yet."""
    command = [sys.executable, "-m", "personal_ai.replica", "--state", str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@dataclass
class Running:
    """A network that is ready."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] = field(init=False)
    facts: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.process = start(self.folder, *self.arguments)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the network did not start: {self.process.communicate()[1]}")
        self.facts = json.loads((self.folder / "network.json").read_text())
        shown = json.loads(line)
        assert shown == {name: value for name, value in self.facts.items() if name != "control_token"}

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    def agent(self, identity: Identity = OWNER) -> Agent:
        return Agent(practice(self.url, bytes.fromhex(self.facts["root_key"])), identity)

    def control(self, method: str, action: str, **fields: object) -> httpx.Response:
        headers = {"X-Practice-Token": self.facts["control_token"]}
        body: dict[str, Any] = {"json": fields} if method == "POST" else {"params": fields}
        return httpx.request(method, f"{self.url}/_/practice/{action}", headers=headers, **body)

    def fund(self, owner: Principal, cycles: int) -> None:
        self.control("POST", "fund", principal=str(owner), cycles=str(cycles)).raise_for_status()

    def calls(self, after: int = 0) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.control("GET", "calls", after=after).raise_for_status().json()
        return rows

    def create_canister(self, agent: Agent, cycles: int = 3 * TRILLION) -> Principal:
        """A canister that the agent's identity controls."""
        owner = agent.identity.principal
        self.fund(owner, cycles + TRILLION)
        created = CyclesLedger(agent).create_canister(cycles, created_at_time_ns=time.time_ns(), controllers=[owner])
        return created.canister_id

    def install(self, agent: Agent, wasm: bytes, arg: bytes = b"") -> Principal:
        """A new canister with code."""
        canister_id = self.create_canister(agent)
        Management(agent).install_code(canister_id, InstallMode.INSTALL, wasm, arg)
        return canister_id

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """Asks it to end and gives its exit code."""
        if sys.platform == "win32":
            self.process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        _, errors = self.process.communicate(timeout=START_TIMEOUT_S)
        assert "Traceback" not in errors, errors
        return self.process.returncode
