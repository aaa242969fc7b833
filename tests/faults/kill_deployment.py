"""Kills a deployment again and again and lets it go on: `python -m tests.faults.kill_deployment [--json]`.

A package of random weights is deployed by the real command line onto a practice network of its own. After every
`--every` acknowledged chunks the command is killed with SIGKILL and started again. At the end the network's own call
log must show one canister, and no chunk that the network acknowledged sent a second time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from personal_ai.common.errors import NetworkError
from personal_ai.common.paths import HOME_VARIABLE, Paths
from personal_ai.deployments.practice import PracticeNetwork
from tests.support.checkpoints import Shape, write_checkpoint

_MODEL = "random"
_POLL_S = 0.02
_TIMEOUT_S = 500.0


@dataclass(frozen=True)
class Outcome:
    """What the network's call log says at the end."""

    kills: int
    chunks: int
    chunks_acknowledged: int
    chunks_sent_twice: int
    canisters: int
    active: bool


def kill_and_continue(folder: Path, *, size_bytes: int, every: int) -> Outcome:
    """The whole story in `folder`, which holds the home folder and the checkpoint."""
    paths = Paths(folder / "home")
    environment = {**os.environ, HOME_VARIABLE: str(paths.home)}
    password_file = folder / "password"
    password_file.write_text("correct horse battery\n")
    _command(environment, "vault", "create", "--password-file", str(password_file))
    write_checkpoint(folder / "checkpoint", _shape(size_bytes))
    _command(environment, "model", "import", str(folder / "checkpoint"), "--name", _MODEL)
    network = PracticeNetwork(paths.practice_network, pace="ic")  # unpaced, it is over before it can be killed
    network.start()
    try:
        kills = _deploy_with_kills(environment, password_file, network, every)
        calls = network.calls()
    finally:
        network.stop()
    listing = _command(environment, "deployments")
    return _outcome(calls, kills, active=" active " in listing)


def _shape(size_bytes: int) -> Shape:
    """A Llama of about `size_bytes` once it is int8: 4 h^2 + 3 h i weights a layer, and a scale for every 64."""
    hidden, intermediate = 512, 1536
    layer_bytes = (4 * hidden * hidden + 3 * hidden * intermediate) * (64 + 4) // 64
    layers = -(-size_bytes // layer_bytes)
    return Shape("llama", 1024, hidden, layers, 8, 8, intermediate, tied=True)


def _deploy_with_kills(environment: dict[str, str], password_file: Path, network: PracticeNetwork, every: int) -> int:
    command = [sys.executable, "-m", "ui", "deploy", "--model", _MODEL, "--password-file", str(password_file)]
    deadline_s = time.monotonic() + _TIMEOUT_S
    kills, next_kill = 0, every
    while True:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None and _acknowledged(network) < next_kill:
            assert time.monotonic() < deadline_s, "the deployment does not come to an end"
            time.sleep(_POLL_S)
        killed = process.poll() is None
        process.kill()
        _, errors = process.communicate()
        if not killed:
            assert process.returncode == 0, errors.decode()
            return kills
        kills += 1
        next_kill = _acknowledged(network) + every


def _acknowledged(network: PracticeNetwork) -> int:
    try:
        return sum(_is_acknowledged_chunk(call) for call in network.calls())
    except NetworkError:
        return 0


def _is_acknowledged_chunk(call: dict[str, Any]) -> bool:
    return bool(call["method"] == "put_chunk" and call["outcome"] == "replied")


def _outcome(calls: list[dict[str, Any]], kills: int, *, active: bool) -> Outcome:
    chunks = Counter(call["arg_sha256"] for call in calls if _is_acknowledged_chunk(call))
    canisters = {call["canister_id"] for call in calls if call["method"] == "put_chunk"}
    return Outcome(
        kills=kills,
        chunks=len(chunks),
        chunks_acknowledged=chunks.total(),
        chunks_sent_twice=sum(count > 1 for count in chunks.values()),
        canisters=len(canisters),
        active=active,
    )


def _command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ui", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mb", type=int, default=64)
    parser.add_argument("--every", type=int, default=8, help="acknowledged chunks between two kills")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = kill_and_continue(Path(folder), size_bytes=arguments.size_mb * 1_000_000, every=arguments.every)
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if outcome.active and outcome.canisters == 1 and outcome.chunks_sent_twice == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
