"""Deploying with money: a rehearsal on a practice network that is not known as one, so that no faucet helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.principal import Principal
from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("cheap_passwords")

REHEARSAL = "rehearsal"


@pytest.fixture
def network(profile: Paths, tmp_path: Path) -> Iterator[PracticeNetwork]:
    """Under another name and from another folder, as one of the user's own networks."""
    practice = PracticeNetwork(tmp_path / "elsewhere")
    running = practice.start()
    assert running.root_key_der is not None
    profile.networks.mkdir(parents=True, exist_ok=True)
    facts = {"version": 1, "name": REHEARSAL, "kind": "custom", "gateways": list(running.gateways)}
    (profile.networks / "rehearsal.json").write_text(json.dumps({**facts, "root_key": running.root_key_der.hex()}))
    yield practice
    practice.stop()


def owner(run: Run, password_file: str) -> Principal:
    """The identity that the first attempt has made."""
    return Principal.from_text(run("vault", "identities", "--password-file", password_file).output.split()[0])


def test_a_deployment_is_paid_from_its_identitys_own_account(
    run: Run, profile: Paths, network: PracticeNetwork, password_file: str
) -> None:
    deploy = ("deploy", "--model", "small", "--network", REHEARSAL, "--password-file", password_file)
    assert json.loads(run(*deploy, "--plan", "--json").output)["total_cycles"] > 10**12

    poor = run(*deploy, "--yes")
    assert poor.exit_code == 1 and "0 are on its account" in poor.errors and "Nothing was paid" in poor.errors
    paying = owner(run, password_file)
    assert str(paying) in poor.errors, "it says where to send what is lacking"

    network.fund_icp(paying, 10 * E8S_PER_ICP)
    asked = run(*deploy)
    assert asked.exit_code == 1 and "will be turned into what is lacking" in asked.errors and "create" in asked.errors
    assert "In a canister: runs well." in asked.errors and "operators" in asked.errors
    assert not network.calls(), "nothing is sent before somebody agrees"

    done = run(*deploy, "--yes")
    assert done.exit_code == 0 and done.output.startswith("Rowan: small runs in canister ")
    assert owner(run, password_file) == paying, "the identity of the first attempt"
    (canister_id,) = network.canisters_of(paying)
    methods = [call["method"] for call in network.calls()]
    assert (methods.count("notify_create_canister"), methods.count("create_canister")) == (1, 0)

    answer = run("chat", "--password-file", password_file, "Hello")
    assert answer.exit_code == 0 and "your canister" in answer.output

    tied = run(*deploy, "--new", "--identity", "Rowan")
    assert tied.exit_code == 1 and "the new canister and Rowan together" in tied.errors
    again = run(*deploy, "--new", "--identity", "Rowan", "--canister", str(canister_id), "--name", "Birch")
    assert again.exit_code == 0 and str(canister_id) in again.output
    assert methods.count("put_chunk") == [call["method"] for call in network.calls()].count("put_chunk")

    for path in profile.home.glob("deployments.sqlite*"):
        path.unlink()
    adopt = ("canister", "adopt", str(canister_id), "--password-file", password_file)
    nowhere = run(*adopt, "--network", "moon")
    assert nowhere.exit_code == 1 and "There is no network named moon" in nowhere.errors
    adopted = run(*adopt, "--network", REHEARSAL)
    assert adopted.exit_code == 0 and adopted.output == f"Rowan: small answers from canister {canister_id}.\n"
    [listed] = json.loads(run("canister", "list", "--json").output)["canisters"]
    assert (listed["network"], listed["principal"]) == (REHEARSAL, str(paying))


def test_networks_that_nobody_knows_are_refused(run: Run, profile: Paths, password_file: str) -> None:
    unknown = run("deploy", "--model", "small", "--network", "moon", "--password-file", password_file)
    assert unknown.exit_code == 1 and "There is no network named moon" in unknown.errors
    assert run("vault", "identities", "--password-file", password_file).output == ""
