"""Whether the bill comes out as planned: a deployment on the practice network, item by item.

    python -m tests.benchmarks.spending [--shape smollm2-135m] [--json]

Planned is what `personal-ai deploy --plan` says. Spent is what the network took: its own log of calls, and the
canister's balance. `share` is (spent - planned) / planned. Without --shape it is the starter model.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from personal_ai.canister.client import CanisterClient
from personal_ai.chat.answerers import hash_of_tokens
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.deployments.deployer import ACTIVATE, INSTALL, UPLOAD, Deployer
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.plan import CALL_INSTRUCTIONS, Replies, contents_of, plan
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.management import Management
from personal_ai.ic.principal import Principal
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library, starter
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from tests.support.checkpoints import Shape, write_checkpoint

SHAPES = {"smollm2-135m": Shape("llama", 49152, 576, 30, 9, 3, 1536, 2048, tied=True)}
_REPLIES = Replies(count=3, prompt_tokens=64, reply_tokens=128)
_ID = "aa" * 16


@dataclass(frozen=True)
class Spent:
    """Cycles that the network took for one item, beside those that were planned."""

    planned: int
    spent: int

    @property
    def share(self) -> float:
        return (self.spent - self.planned) / self.planned


class _WatchedJournal(Journal):
    """Notes the canister's balance after each step. Asking costs the canister nothing: it is a query."""

    def __init__(self, path: Path, agent: Agent) -> None:
        super().__init__(path)
        self._agent = agent
        self.balances: dict[str, int] = {}

    def finish(self, deployment_id: str, name: str, *, result: str = "", block_index: int | None = None) -> None:
        super().finish(deployment_id, name, result=result, block_index=block_index)
        if name in (INSTALL, UPLOAD, ACTIVATE):
            self.balances[name] = _client(self, self._agent).status().cycles


def compare(package: ModelPackage, folder: Path) -> dict[str, Spent]:
    """Deploys the package onto a network of its own and asks it some questions; every item, planned and spent."""
    paths = Paths(folder)
    network = PracticeNetwork(paths.practice_network)
    agent = Agent(network.start(), Ed25519Identity(bytes(range(32))))
    try:
        return _compare(package, paths, network, agent)
    finally:
        agent.close()
        network.stop()


def _compare(package: ModelPackage, paths: Paths, network: PracticeNetwork, agent: Agent) -> dict[str, Spent]:
    journal = _WatchedJournal(paths.journal, agent)
    principal, state = str(agent.identity.principal), DeploymentState.RUNNING
    journal.begin(Deployment(_ID, "Rowan", "practice", principal, package.name, package.manifest_sha256, state, 1))
    Deployer(journal, agent, package, paths.programs, network.fund).run(_ID, ignore_progress, Cancel())
    client = _client(journal, agent)
    idle_cycles_per_day = Management(agent).canister_status(client.canister_id).idle_cycles_per_day
    before_replies = client.status().cycles
    answered = [_ask(client, number) for number in range(_REPLIES.count)]
    after_replies = client.status().cycles
    replies = replace(_REPLIES, reply_tokens=round(sum(answered) / len(answered)))
    planned = plan(agent.profile, contents_of(package), replies=replies)
    create = journal.step(_ID, "create")
    assert create is not None and create.amount_cycles is not None
    balances = journal.balances
    install = sum(call["cycles"] for call in network.calls() if call["method"] == "install_code")
    spent = {
        "create": create.amount_cycles - install - balances[INSTALL],
        "install": install,
        "upload": balances[INSTALL] - balances[UPLOAD],
        "verify": balances[UPLOAD] - balances[ACTIVATE],
        "replies": before_replies - after_replies,
        "storage": planned.days * idle_cycles_per_day,
    }
    journal.close()
    return {what: Spent(planned.cycles(what), cycles) for what, cycles in spent.items()}


def _client(journal: Journal, agent: Agent) -> CanisterClient:
    canister_id = journal.deployment(_ID).canister_id
    assert canister_id is not None
    return CanisterClient(agent, Principal.from_text(canister_id))


def _ask(client: CanisterClient, number: int) -> int:
    """One question of its own words, answered as a chat does it; the reply's tokens."""
    tokens = [(31 * number + 7 * place) % 500 + 5 for place in range(_REPLIES.prompt_tokens)]
    kept: Sequence[int] = ()
    replied = 0
    while replied < _REPLIES.reply_tokens:
        generated = client.generate(
            conversation=bytes([number]),
            keep=len(kept),
            keep_hash=hash_of_tokens(kept),
            append=tokens[len(kept) :],
            max_tokens=_REPLIES.reply_tokens - replied,
            max_instructions=CALL_INSTRUCTIONS,
            sampling=Sampling(),
        )
        tokens += generated.tokens
        kept = list(tokens)
        replied += len(generated.tokens)
        if generated.finish in ("end", "stop"):
            break
    return replied


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.spending", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        package = starter()
        if chosen.shape:
            checkpoint = write_checkpoint(folder / "checkpoint", SHAPES[chosen.shape], number_format="BF16")
            package = import_folder(checkpoint, Library(folder / "library"))
        items = compare(package, folder / "home")
    figures: dict[str, Any] = {
        what: {"planned": item.planned, "spent": item.spent, "share": round(item.share, 5)}
        for what, item in items.items()
    }
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
