"""Other people's agents on the practice network: `python -m tests.conformance.agents [--agent NAME] [--json]`.

Each agent takes the steps of foreign_agents/steps.mjs or steps.py in a process of its own, the JavaScript ones with
certificate and query-signature verification on. Their packages are installed on first use, as pinned there and here.

The answer is {passed, failed, steps: {agent: {step: what went wrong, or ""}}}.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, ICP_LEDGER_ID
from tests.replica.network.running import TRILLION, Running, identity
from tests.support.programs import echo_program

SCRIPTS = Path(__file__).parent / "foreign_agents"
ICP_PY_CORE = "icp-py-core==2.3.1"  # needs another cbor2 than ic-py: an environment of its own
_INSTALL_TIMEOUT_S, _RUN_TIMEOUT_S = 300, 120

Steps = dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How many steps of all agents went as they should."""

    passed: int
    failed: int
    steps: dict[str, Steps]


def _node(package: str) -> Sequence[str]:
    _install_node_packages()
    return ["node", "steps.mjs", package]


def _icp_py_core() -> Sequence[str]:
    folder = SCRIPTS / ".venv"
    python = folder / "bin" / "python"
    mark = folder / ".installed"
    if not mark.exists() or mark.read_text() != ICP_PY_CORE:
        venv.create(folder, clear=True, with_pip=True)
        _install([str(python), "-m", "pip", "install", "--quiet", ICP_PY_CORE])
        mark.write_text(ICP_PY_CORE)
    return [str(python), "steps.py", "icp-py-core"]


AGENTS = {
    "@icp-sdk/core": lambda: _node("icp-sdk"),
    "@dfinity/agent": lambda: _node("dfinity"),
    "ic-py": lambda: [sys.executable, "steps.py", "ic-py"],
    "icp-py-core": _icp_py_core,
}


def _install_node_packages() -> None:
    wanted = hashlib.sha256((SCRIPTS / "package-lock.json").read_bytes()).hexdigest()
    mark = SCRIPTS / "node_modules" / ".installed"
    if not mark.exists() or mark.read_text() != wanted:
        _install(["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"])
        mark.write_text(wanted)


def _install(command: Sequence[str]) -> None:
    subprocess.run(command, cwd=SCRIPTS, check=True, timeout=_INSTALL_TIMEOUT_S, capture_output=True)


def measure(agents: Sequence[str], folder: Path) -> Outcome:
    """Lets each agent take its steps on one network, whose state and test canister lie in `folder`."""
    wasm = echo_program(folder)
    network = Running(folder / "state")
    try:
        agent = network.agent()
        canister_id = network.install(agent, wasm)
        agent.close()
        account = identity("an account that others read").principal
        network.fund(account, TRILLION)
        network.control("POST", "fund-icp", principal=str(account), e8s=5 * E8S_PER_ICP).raise_for_status()
        given = {
            "url": network.url,
            "rootKey": network.facts["root_key"],
            "canisterId": str(canister_id),
            "ledgerId": str(CYCLES_LEDGER_ID),
            "icpLedgerId": str(ICP_LEDGER_ID),
            "account": str(account),
            "moduleHash": hashlib.sha256(wasm).hexdigest(),
        }
        steps = {name: _steps(AGENTS[name](), given) for name in agents}
    finally:
        network.kill()
    failures = [wrong for taken in steps.values() for wrong in taken.values() if wrong]
    return Outcome(sum(map(len, steps.values())) - len(failures), len(failures), steps)


def _steps(command: Sequence[str], given: dict[str, str]) -> Steps:
    """What one agent saw. A process that does not end well is one failed step."""
    hidden = ("proxy", "pythonpath")  # loopback needs no proxy, and the agents nothing of this program
    environment = {name: value for name, value in os.environ.items() if not any(one in name.lower() for one in hidden)}
    try:
        ended = subprocess.run(
            command, cwd=SCRIPTS, input=json.dumps(given), env=environment, timeout=_RUN_TIMEOUT_S,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        return {"run": error.stderr[-500:]}
    except subprocess.TimeoutExpired:
        return {"run": "it did not end in time"}
    steps: Steps = json.loads(ended.stdout.splitlines()[-1])
    return steps


def main() -> int:
    """Exit code 0 where every step of every agent went as it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agent", action="append", choices=sorted(AGENTS), help="one agent; all if not given")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(arguments.agent or list(AGENTS), Path(folder))
    print(json.dumps(asdict(outcome), ensure_ascii=False) if arguments.json else outcome)
    return 0 if outcome.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
