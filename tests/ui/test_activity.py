"""Activity: what was begun, how far it is, going on, and what changes while something runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from personal_ai.common.errors import NetworkUnreachableError, StorageError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.journal import DeploymentState
from personal_ai.deployments.replacement import REPLACE
from personal_ai.deployments.upgrade import CHECK, ROLL_BACK, SNAPSHOT, UPGRADE
from personal_ai.deployments.upgrade import INSTALL as UPGRADE_INSTALL
from personal_ai.wallet.journal import Kind, State
from ui.tour.scripted import ScriptedCore, ScriptedModel, deployment
from ui.tour.scripted_activity import record
from ui.tour.scripted_wallet import CANISTER, ScriptedMoney, payment
from ui.tour.stage import Stage
from ui.widgets.activity_card import ActivityCard
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]
UPLOAD = "Uploading the weights"
ICP = 10**8


def cards(stage: Stage) -> list[ActivityCard]:
    return [card for card in stage.shell.activity.findChildren(ActivityCard) if card.isVisible()]


def names(stage: Stage) -> list[str]:
    return [card.accessibleName() for card in cards(stage)]


def words(stage: Stage) -> str:
    shown = [label.text() for label in stage.shell.activity.findChildren(QLabel) if label.isVisible()]
    return " | ".join(shown)


def button(stage: Stage, text: str) -> QPushButton:
    (found,) = [one for one in stage.shell.activity.findChildren(QPushButton) if one.text() == text and one.isVisible()]
    return found


def core_with(money: ScriptedMoney | None = None, **states: DeploymentState) -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment(name, state=state) for name, state in states.items()])
    core.money = money or ScriptedMoney()
    return core


@pytest.fixture
def opened(make_stage: MakeStage) -> Callable[[ScriptedCore], Stage]:
    def open_activity(core: ScriptedCore) -> Stage:
        stage = make_stage(core).enter()
        stage.shell.show_page(Page.ACTIVITY)
        stage.settle()
        stage.draw()
        return stage

    return open_activity


def test_nothing_was_begun(opened: Callable[[ScriptedCore], Stage]) -> None:
    stage = opened(core_with())
    assert cards(stage) == []
    assert "Nothing was begun yet" in words(stage)


def test_deployments_and_payments_in_one_list_newest_first(opened: Callable[[ScriptedCore], Stage]) -> None:
    old = payment(Kind.SEND_ICP, ICP, "2vxsx-fae", State.DONE, days_ago=2)
    money = ScriptedMoney(payments=[payment(Kind.CONVERT, ICP, CANISTER, State.REFUNDED, days_ago=1), old])
    stage = opened(core_with(money, Rowan=DeploymentState.ACTIVE))
    assert names(stage) == ["Deploy Rowan: Done", "Turn ICP into cycles: 1 ICP: Came back", "Send ICP: 1 ICP: Done"]
    assert not [one for one in cards(stage) for it in one.findChildren(QPushButton) if it.text() == "Continue"]


def test_details_show_every_step_and_stay_open(opened: Callable[[ScriptedCore], Stage]) -> None:
    stage = opened(core_with(Birch=DeploymentState.RUNNING))
    button(stage, "Details").click()
    stage.draw()
    shown = words(stage)
    for told in ("Create the canister", "Upload the model", "Check and start the model", "1.64 T cycles"):
        assert told in shown
    marks = [it.accessibleName() for it in cards(stage)[0].findChildren(QLabel) if not it.text() and it.isVisible()]
    assert marks == ["done", "done", "begun", "still to come"]
    stage.core.all_deployments.append(deployment("Rowan"))
    stage.shell.activity.log.read()
    stage.settle()
    assert button(stage, "Hide details").accessibleName() == "Hide details: Deploy Birch"
    button(stage, "Hide details").click()
    stage.draw()
    assert "Upload the model" not in words(stage)


def changed_core() -> ScriptedCore:
    """A deployment whose engine was taken back, and whose model is half replaced."""
    core = core_with(Rowan=DeploymentState.ACTIVE)
    core.all_models.append(ScriptedModel("smol", "SmolLM2 135M", 148_000_000, 2048, "int8"))
    began_ns = core.all_deployments[0].created_at_ns
    core.activity.later["rowan-1"] = {
        UPGRADE: record(UPGRADE, began_ns + 1, result="It does not answer."),
        **{name: record(name, began_ns + 1) for name in (SNAPSHOT, UPGRADE_INSTALL, CHECK, ROLL_BACK)},
        REPLACE: record(REPLACE, began_ns + 10**12, done=False, result="smol"),
    }
    return core


def test_what_was_changed_later_is_listed_with_its_steps_and_gone_on_with(
    opened: Callable[[ScriptedCore], Stage],
) -> None:
    stage = opened(changed_core())
    assert names(stage) == [
        "Put smol into Rowan: Not finished",
        "Upgrade the engine of Rowan: Taken back",
        "Deploy Rowan: Done",
    ]
    for card in cards(stage)[:2]:
        card.fold.click()
    stage.draw()
    shown = words(stage)
    for told in (
        "Upload the new model",
        "Keep a snapshot of the state of before",
        "Install the new engine and check it",
        "Ask the model a question",
        "Put the old engine back",
        "It does not answer.",
    ):
        assert told in shown
    stage.core.ais.before = lambda name, cancel: stage.hold(cancel) if name == UPLOAD else None
    button(stage, "Continue").click()
    stage.until(lambda: stage.shell.ais.detail is not None and stage.shell.ais.detail.step == UPLOAD)
    stage.shell.show_page(Page.ACTIVITY)
    stage.until(lambda: "Put smol into Rowan: Under way" in names(stage))
    stage.released.set()
    stage.settle()
    assert stage.core.all_deployments[0].model == "smol"


def test_an_interrupted_upgrade_is_gone_on_with(opened: Callable[[ScriptedCore], Stage]) -> None:
    core = core_with(Rowan=DeploymentState.ACTIVE)
    core.activity.later["rowan-1"] = {UPGRADE: record(UPGRADE, 10**18, done=False)}
    stage = opened(core)
    assert "Upgrade the engine of Rowan: Not finished" in names(stage)
    button(stage, "Continue").click()
    stage.settle()
    assert "upgrade" in core.ais.asked


def test_the_keyboard_stays_where_it_was_when_the_list_changes(opened: Callable[[ScriptedCore], Stage]) -> None:
    stage = opened(core_with(Birch=DeploymentState.RUNNING))
    button(stage, "Details").setFocus()
    stage.core.all_deployments.append(deployment("Rowan"))
    stage.shell.activity.log.read()
    stage.settle()
    focused = QApplication.focusWidget()
    assert focused is not None and focused.accessibleName() == "Details: Deploy Birch"
    assert focused.isVisible()


def test_a_deployment_is_gone_on_with_on_its_own_page(opened: Callable[[ScriptedCore], Stage]) -> None:
    stage = opened(core_with(Birch=DeploymentState.FAILED))
    assert names(stage) == ["Deploy Birch: Stopped by an error"]
    button(stage, "Continue").click()
    assert stage.shell.ais.isVisible()
    stage.settle()
    assert stage.core.all_deployments[0].state is DeploymentState.ACTIVE
    stage.shell.show_page(Page.ACTIVITY)
    stage.settle()
    assert names(stage) == ["Deploy Birch: Done"]


def test_what_is_deployed_meanwhile_appears_and_ends_without_a_click(make_stage: MakeStage) -> None:
    stage = make_stage(core_with(Birch=DeploymentState.FAILED))
    stage.hold_step(UPLOAD)
    stage.enter().shell.show_page(Page.ACTIVITY)
    stage.settle()
    stage.shell.ais.deploy()
    stage.until(lambda: "Deploy Rowan: Under way" in names(stage))
    assert not button(stage, "Continue").isEnabled()  # one deployment at a time
    stage.released.set()
    stage.until(lambda: "Deploy Rowan: Done" in names(stage))
    assert button(stage, "Continue").isEnabled()


def test_an_interrupted_payment_is_finished_from_here(opened: Callable[[ScriptedCore], Stage]) -> None:
    money = ScriptedMoney(payments=[payment(Kind.CONVERT_TOP_UP, ICP, CANISTER, State.PAID)], icp_e8s=ICP)
    stage = opened(core_with(money))
    assert names(stage) == ["Turn ICP into cycles in a canister: 1 ICP: Paid, cycles still to come"]
    money.before = lambda _, cancel: stage.hold(cancel)
    button(stage, "Continue").click()
    stage.draw()
    assert not button(stage, "Continue").isEnabled()  # one payment at a time
    stage.released.set()
    stage.settle()
    assert names(stage) == ["Turn ICP into cycles in a canister: 1 ICP: Done"]
    toast = [label.text() for label in stage.shell.toast.findChildren(QLabel)]
    assert toast == ["Turn ICP into cycles in a canister: 1 ICP, done."]


def test_going_on_that_fails_is_said_and_can_be_tried_again(opened: Callable[[ScriptedCore], Stage]) -> None:
    def fail(name: str, _: Cancel) -> None:
        raise NetworkUnreachableError("Nobody answers.")

    money = ScriptedMoney(payments=[payment(Kind.SEND_ICP, ICP, CANISTER, State.INTENDED)], before=fail)
    stage = opened(core_with(money))
    button(stage, "Continue").click()
    stage.settle()
    assert "Nobody answers." in [label.text() for label in stage.shell.findChildren(QLabel)]
    assert button(stage, "Continue").isEnabled()


def test_journals_that_cannot_be_read_can_be_tried_again(opened: Callable[[ScriptedCore], Stage]) -> None:
    def fail() -> None:
        raise StorageError("The disk is gone.")

    core = core_with(Rowan=DeploymentState.ACTIVE)
    core.activity.before = fail
    stage = opened(core)
    assert "The disk is gone." in words(stage)
    core.activity.before = lambda: None
    button(stage, "Try again").click()
    stage.settle()
    assert names(stage) == ["Deploy Rowan: Done"]


def test_a_long_list_opens_page_by_page(opened: Callable[[ScriptedCore], Stage]) -> None:
    many = [payment(Kind.SEND_ICP, ICP, CANISTER, State.DONE, days_ago=number) for number in range(35)]
    stage = opened(core_with(ScriptedMoney(payments=many)))
    assert len(cards(stage)) == 30
    button(stage, "Show older").click()
    stage.draw()
    assert len(cards(stage)) == 35
    assert not stage.shell.activity.older.isVisible()
