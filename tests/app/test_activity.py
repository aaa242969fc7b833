"""Deployments and payments as one list, read from their journals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from personal_ai.app.activity import DELIVER, PAY, Standing, Undertaking, payment_entry
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.wallet.journal import Kind, Payment, PaymentJournal, State


@pytest.fixture
def workspace(own_home: object) -> Iterator[Workspace]:
    opened = Workspace(Paths.default())
    yield opened
    opened.close()


def _payment(kind: Kind, state: State) -> Payment:
    return Payment("p", "practice", "2vxsx-fae", kind, "2vxsx-fae", 1, 1, 1, state)


def test_both_journals_in_one_list_with_every_step(workspace: Workspace) -> None:
    state = DeploymentState.RUNNING
    workspace.journal.begin(Deployment("d", "Rowan", "practice", "2vxsx-fae", "m", "00" * 32, state, 5))
    workspace.journal.intend("d", "create", created_at_time_ns=1, amount_cycles=10**12)
    workspace.journal.finish("d", "create", result="aaaaa-aa")
    workspace.journal.intend("d", "install")
    with closing(PaymentJournal(workspace.paths.payments)) as payments:
        first = payments.intend("practice", "2vxsx-fae", Kind.SEND_ICP, target="2vxsx-fae", amount=1, fee=1)
        second = payments.intend("ic", "aaaaa-aa", Kind.CONVERT, target="aaaaa-aa", amount=1, fee=1)

    entries = workspace.activity.entries()
    assert [entry.id for entry in entries] == [second.id, first.id, "d"]
    assert all(entry.open for entry in entries)
    steps = [(step.name, step.standing) for step in entries[-1].steps]
    assert steps == [
        ("create", Standing.DONE),
        ("install", Standing.BEGUN),
        ("upload", Standing.TO_COME),
        ("activate", Standing.TO_COME),
    ]
    assert entries[-1].steps[0].amount_cycles == 10**12

    workspace.journal.set_state("d", DeploymentState.FAILED, "no")
    assert workspace.activity.entries()[-1].steps[1].standing is Standing.FAILED
    workspace.journal.set_state("d", DeploymentState.ACTIVE)
    assert not workspace.activity.entries()[-1].open


def _deployed(workspace: Workspace) -> None:
    state = DeploymentState.ACTIVE
    workspace.journal.begin(Deployment("d", "Rowan", "practice", "2vxsx-fae", "m", "00" * 32, state, 5))
    for name in ("create", "install", "upload", "activate"):
        workspace.journal.intend("d", name)
        workspace.journal.finish("d", name)


def _steps(workspace: Workspace, undertaking: Undertaking) -> list[tuple[str, Standing]]:
    [entry] = [one for one in workspace.activity.entries() if one.undertaking is undertaking]
    return [(step.name, step.standing) for step in entry.steps]


def test_an_upgrade_is_an_entry_of_its_own_with_its_steps(workspace: Workspace) -> None:
    _deployed(workspace)
    journal = workspace.journal
    journal.intend("d", "upgrade")
    journal.intend("d", "upgrade-snapshot")
    [upgrade, deployed] = workspace.activity.entries()
    assert (upgrade.id, upgrade.open) == ("d/upgrade", True)
    assert (deployed.id, deployed.open) == ("d", False)
    assert _steps(workspace, Undertaking.UPGRADE) == [
        ("upgrade-snapshot", Standing.BEGUN),
        ("upgrade-install", Standing.TO_COME),
        ("upgrade-check", Standing.TO_COME),
    ]
    for name, result in (("snapshot", "00"), ("install", ""), ("check", "No answer."), ("roll-back", "")):
        journal.intend("d", f"upgrade-{name}")
        journal.finish("d", f"upgrade-{name}", result=result)
    journal.finish("d", "upgrade", result="No answer.")
    assert _steps(workspace, Undertaking.UPGRADE) == [
        ("upgrade-snapshot", Standing.DONE),
        ("upgrade-install", Standing.DONE),
        ("upgrade-check", Standing.FAILED),
        ("upgrade-roll-back", Standing.DONE),
    ]
    upgrade = workspace.activity.entries()[0]
    assert (upgrade.open, upgrade.failure) == (False, "No answer.")


def test_another_model_is_an_entry_of_its_own_and_takes_the_last_step_again(workspace: Workspace) -> None:
    _deployed(workspace)
    journal = workspace.journal
    journal.intend("d", "replace", result="other")
    replacement = workspace.activity.entries()[0]
    assert (replacement.id, replacement.open, replacement.model) == ("d/replacement", True, "other")
    assert _steps(workspace, Undertaking.REPLACEMENT) == [
        ("replace", Standing.BEGUN),
        ("activate", Standing.TO_COME),
    ]
    journal.set_state("d", DeploymentState.RUNNING)
    journal.intend("d", "activate")
    journal.set_state("d", DeploymentState.FAILED, "Crowded.")
    assert _steps(workspace, Undertaking.REPLACEMENT) == [("replace", Standing.DONE), ("activate", Standing.FAILED)]
    [replacement, deployed] = workspace.activity.entries()
    assert (replacement.open, replacement.failure) == (True, "Crowded.")
    assert (deployed.open, deployed.failure) == (False, ""), "it is gone on with in one place"
    assert {step.standing for step in deployed.steps} == {Standing.DONE}
    journal.finish("d", "activate")
    journal.set_state("d", DeploymentState.ACTIVE)
    journal.finish("d", "replace", result="other")
    assert not any(entry.open for entry in workspace.activity.entries())


@pytest.mark.parametrize(
    ("state", "paying", "delivering"),
    [
        (State.INTENDED, Standing.BEGUN, Standing.TO_COME),
        (State.PAID, Standing.DONE, Standing.BEGUN),
        (State.DONE, Standing.DONE, Standing.DONE),
        (State.REFUNDED, Standing.DONE, Standing.FAILED),
        (State.REFUSED, Standing.FAILED, Standing.TO_COME),
        (State.NOT_SENT, Standing.FAILED, Standing.TO_COME),
    ],
)
def test_how_far_a_payment_is(state: State, paying: Standing, delivering: Standing) -> None:
    entry = payment_entry(_payment(Kind.CONVERT, state))
    assert [(step.name, step.standing) for step in entry.steps] == [(PAY, paying), (DELIVER, delivering)]
    assert len(payment_entry(_payment(Kind.SEND_ICP, state)).steps) == 1


def test_a_payment_whose_identity_is_gone_is_not_gone_on_with(workspace: Workspace) -> None:
    workspace.create_vault(workspace.new_phrase(), "correct horse battery")
    with pytest.raises(BadInputError, match="not in the vault"):
        workspace.activity.go_on(_payment(Kind.SEND_ICP, State.INTENDED), Cancel())
