"""Conformance: the Internet Computer's own JavaScript agent runs the scenario with all its verification on.

Node.js is needed, and its lack is a failure, never a skip: the continuous integration installs it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from personal_ai.ic.agent import Agent
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID
from personal_ai.ic.principal import Principal
from tests.replica.network.running import TRILLION, Running, identity

JS = Path(__file__).parent.parent / "js"
INSTALL_TIMEOUT_S, RUN_TIMEOUT_S = 300, 120


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario's folder with its packages installed as the lock file says."""
    assert shutil.which("node"), "Node.js is missing: install it to run the conformance test"
    assert shutil.which("npm"), "npm is missing: install it to run the conformance test"
    wanted = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    mark = JS / "node_modules" / ".installed"
    with one_at_a_time(tmp_path_factory.getbasetemp().parent / "npm.lock"):
        if not mark.exists() or mark.read_text() != wanted:
            command = ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=JS, check=True, timeout=INSTALL_TIMEOUT_S, stdout=subprocess.DEVNULL)
            mark.write_text(wanted)
    return JS


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Waits for the other workers of this test run; SQLite's lock ends with its process."""
    with closing(sqlite3.connect(lock, timeout=INSTALL_TIMEOUT_S, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield


@pytest.fixture(scope="session")
def seen(packages: Path, network: Running, owner_agent: Agent, echo: Principal) -> dict[str, Any]:
    """What the scenario saw."""
    account = identity("an account that JavaScript reads").principal
    network.fund(account, TRILLION)
    given = {
        "url": network.url,
        "rootKey": network.facts["root_key"],
        "canisterId": str(echo),
        "ledgerId": str(CYCLES_LEDGER_ID),
        "account": str(account),
    }
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    run = subprocess.run(
        ["node", "scenario.mjs"], cwd=packages, input=json.dumps(given), env=environment, timeout=RUN_TIMEOUT_S,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answer


def test_calls_and_queries(seen: dict[str, Any]) -> None:
    assert seen["health"] == "healthy"
    assert seen["rootKeyFetched"]
    assert (seen["callReply"], seen["queryReply"]) == ("grüezi", "grüezi")
    assert seen["asynchronousReply"] == "later"
    assert seen["anonymousCall"] == "nobody"


def test_every_kind_of_key_and_delegation_signs(seen: dict[str, Any]) -> None:
    assert seen["callers"] == dict.fromkeys(("ed25519", "secp256k1", "p256", "delegated", "delegatedToCanister"), True)
    assert seen["delegatedElsewhere"]["name"] == "HttpErrorCode"


def test_rejections_arrive_with_their_codes(seen: dict[str, Any]) -> None:
    rejected, trapped = seen["rejected"], seen["trapped"]
    assert rejected["name"] == trapped["name"] == "CertifiedRejectErrorCode"
    assert (rejected["rejectCode"], rejected["rejectMessage"]) == (4, "no")
    assert (trapped["rejectCode"], trapped["rejectErrorCode"]) == (5, "IC0503")
    assert seen["trapRolledBack"]
    for name, error_code in (("refusedByInspection", "IC0406"), ("unknownMethod", "IC0536")):
        assert seen[name]["name"] == "UncertifiedRejectUpdateErrorCode"
        assert seen[name]["rejectErrorCode"] == error_code
    assert seen["queryRejected"] == {"status": "rejected", "reject_code": 5, "error_code": "IC0536"}


def test_certified_state(seen: dict[str, Any], owner_agent: Agent, echo_wasm: bytes) -> None:
    assert seen["moduleHash"] == hashlib.sha256(echo_wasm).hexdigest()
    assert seen["controllers"] == [str(owner_agent.identity.principal)]
    assert seen["candid"] == "service : {}"
    assert seen["nodes"] == 1


def test_the_ledger_through_candid(seen: dict[str, Any]) -> None:
    assert (seen["balance"], seen["fee"]) == (str(TRILLION), "100000000")
    assert seen["certifiedSymbol"] == "TCYCLES"


def test_forgeries_are_found(seen: dict[str, Any]) -> None:
    for name in ("forgedCall", "forgedQuery", "forgedState", "otherRootKey"):
        assert seen[name]["kind"] == "TrustError", (name, seen[name])


def test_the_lock_file_names_no_registry() -> None:
    lock = (JS / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert not re.search(r"https?://(?!json\.schemastore)[^\"]*registry", lock)
    packages = json.loads(lock)["packages"]
    assert all("integrity" in entry for name, entry in packages.items() if name)
