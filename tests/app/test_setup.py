"""Setting an AI up, on the practice network and on one that wants to be paid; left and taken up at every step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.app.setup import Choices, Step
from personal_ai.app.workspace import Workspace
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments.journal import DeploymentState
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.principal import Principal


@pytest.fixture
def elsewhere(workspace: Workspace, tmp_path: Path) -> Iterator[PracticeNetwork]:
    """A network of one's own, which has no faucet as far as the program knows."""
    network = PracticeNetwork(tmp_path / "elsewhere")
    running = network.start()
    assert running.root_key_der is not None
    workspace.paths.networks.mkdir(parents=True, exist_ok=True)
    facts = {"version": 1, "name": "rehearsal", "kind": "custom", "gateways": list(running.gateways)}
    (workspace.paths.networks / "own.json").write_text(json.dumps({**facts, "root_key": running.root_key_der.hex()}))
    yield network
    network.stop()


def test_each_step_is_kept(workspace: Workspace) -> None:
    setup = workspace.setup
    assert setup.choices() is None
    assert setup.choose(Choices()).step is Step.MODEL
    assert setup.choose(Choices("starter")).step is Step.NETWORK
    setup.choose(Choices("starter", "practice"))
    again = Workspace(workspace.paths)
    assert again.setup.choices() == Choices("starter", "practice")
    setup.drop()
    assert again.setup.choices() is None


def test_the_words_are_due_until_they_were_typed_or_a_model_was_chosen(workspace: Workspace) -> None:
    setup, vault = workspace.setup, workspace.vault
    assert setup.words_due() == (), "nothing is being set up"
    setup.choose(Choices())
    assert len(setup.words_due()) == 3
    setup.choose(Choices("starter"))
    assert setup.words_due() == ()
    setup.choose(Choices())
    words = vault.reveal_phrase().split()
    vault.confirm_phrase({place: words[place - 1] for place in setup.words_due()})
    assert setup.words_due() == ()


def test_on_the_practice_network_nothing_is_begun_before_the_yes(workspace: Workspace) -> None:
    workspace.setup.choose(Choices("starter", "practice"))
    bill = workspace.setup.bill(Cancel())
    assert bill.payable and bill.needs is None
    assert bill.fit.canister.verdict == "well" and bill.fit.canister.plan is not None
    assert bill.fit.canister.plan.cycles("upload") == bill.plan.cycles("upload")
    assert bill.plan.total == sum(item.cycles for item in bill.plan.items) > 10**12
    assert not workspace.deployments() and not workspace.identities()
    deployment = workspace.setup.agree(bill, Cancel())
    assert deployment.state is DeploymentState.RUNNING and deployment.canister_id is None
    assert workspace.setup.choices() is None and workspace.deployments() == [deployment]


def test_an_identity_that_has_an_ai_there_is_warned_of_and_another_choice_begins_anew(workspace: Workspace) -> None:
    owner = workspace.vault.new_identity("Walnut").principal
    chosen = Choices("starter", "practice", identity=str(owner))
    workspace.setup.choose(chosen)
    assert workspace.setup.choices() == chosen
    assert workspace.setup.bill(Cancel()).warnings == ()
    first = workspace.setup.agree(workspace.setup.bill(Cancel()), Cancel())
    assert first.principal == str(owner)
    workspace.journal.set_canister(first.id, "rwlgt-iiaaa-aaaaa-aaaaa-cai")
    workspace.setup.choose(chosen)
    (warning,) = workspace.setup.bill(Cancel()).warnings
    assert first.name in warning.what and warning.rehearsal
    begun = workspace.setup.choose(Choices("starter", "practice", deployment=first.id, identity=str(owner)))
    assert workspace.setup.choose(replace(begun, identity=None)).deployment is None
    workspace.setup.choose(Choices("starter", "practice", identity="2vxsx-fae"))
    assert workspace.setup.choices() == Choices("starter", "practice"), "an identity that is gone is chosen again"


def test_what_an_earlier_version_kept_is_gone_on_with(workspace: Workspace) -> None:
    kept = {"version": 1, "model": "starter", "network": "practice", "deployment": None}
    workspace.paths.setup.write_text(json.dumps(kept))
    assert workspace.setup.choices() == Choices("starter", "practice")


def test_elsewhere_it_is_paid_from_an_account_of_its_own(workspace: Workspace, elsewhere: PracticeNetwork) -> None:
    workspace.setup.choose(Choices("starter", "rehearsal"))
    poor = workspace.setup.bill(Cancel())
    assert poor.needs is not None and poor.needs.lacking and not poor.payable
    assert poor.conversion is not None and 0 < poor.conversion.total < 10 * E8S_PER_ICP
    assert poor.principal == str(workspace.identities()[0].principal)
    elsewhere.fund_icp(Principal.from_text(poor.principal), 10 * E8S_PER_ICP)

    later = Workspace(workspace.paths).setup.choices()
    assert later is not None and later.step is Step.COST and later.deployment == workspace.deployments()[0].id
    rich = workspace.setup.bill(Cancel())
    assert rich.payable and rich.conversion is not None and rich.principal == poor.principal
    assert not elsewhere.calls(), "nothing is sent before the yes"
    deployment = workspace.setup.agree(rich, Cancel())
    done = workspace.deploy("starter", resume=deployment.id, on_progress=ignore_progress, cancel=Cancel())
    assert done.state is DeploymentState.ACTIVE and done.network == "rehearsal"
    assert len(workspace.identities()) == 1


def test_another_choice_gives_up_what_was_begun_for_the_one_before(
    workspace: Workspace, elsewhere: PracticeNetwork
) -> None:
    workspace.setup.choose(Choices("starter", "rehearsal"))
    workspace.setup.bill(Cancel())
    begun = workspace.setup.choices()
    assert begun is not None and begun.deployment
    assert workspace.setup.choose(Choices("starter", None, begun.deployment)).deployment is None
    assert [one.id for one in workspace.deployments()] == [begun.deployment], "its account may have been paid into"


@pytest.mark.parametrize(
    ("content", "chosen"),
    [
        ("no JSON", None),
        ("[]", None),
        ('{"version": 3, "model": "starter"}', None),
        ('{"version": 1, "cellar": 3}', None),
        ('{"version": 1, "model": "gone"}', Choices()),
        ('{"version": 1, "model": "starter", "network": "gone"}', Choices("starter")),
        ('{"version": 1, "model": "starter", "network": "ic", "deployment": "gone"}', Choices("starter", "ic")),
    ],
)
def test_what_is_gone_or_broken_is_chosen_again(workspace: Workspace, content: str, chosen: Choices | None) -> None:
    workspace.paths.setup.write_text(content)
    assert workspace.setup.choices() == chosen
