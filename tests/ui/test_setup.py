"""Setting an AI up: every step, back and later, paying and what stands in the way, and taking it up again."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QWidget

from personal_ai.app.setup import Bill, Choices, Step
from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from tests.ui.looking import child
from ui.pages.setup import SetupPage
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.scripted_wallet import LINKED
from ui.tour.stage import Stage
from ui.widgets.identity_choice import IdentityChoice
from ui.widgets.notice import LinkNotice, Problem
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]

_TRILLION = 10**12


def click(parent: QWidget, words: str) -> None:
    (found,) = [one for one in parent.findChildren(QPushButton) if one.isVisible() and one.text() == words]
    assert found.isEnabled()
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


def words_of(parent: QWidget) -> str:
    return "\n".join(one.text() for one in parent.findChildren(QLabel) if one.isVisible())


def setting_up(make_stage: MakeStage, choices: Choices, core: ScriptedCore | None = None) -> tuple[Stage, SetupPage]:
    core = core or ScriptedCore()
    core.setup.choose(choices)
    stage = make_stage(core).enter()
    assert stage.shell.setup.isVisible(), "the first run goes on where it was left"
    return stage, stage.shell.setup


def test_from_the_model_to_a_deployment_on_the_practice_network(make_stage: MakeStage) -> None:
    stage, page = setting_up(make_stage, Choices())
    assert not page.back.isVisible()
    click(page, "Continue")
    stage.settle()
    click(page, "Continue")  # the practice network is the first
    stage.settle()
    assert stage.core.setup.chosen == Choices("starter", "practice")
    assert "Together" in words_of(page) and "worth nothing" in words_of(page)
    assert "Runs well" in words_of(page) and "could read its memory" in words_of(page)
    stage.hold_step("Uploading the weights")
    click(page, "Deploy, free of charge")
    stage.until(lambda: stage.shell.ais.step == "Uploading the weights")
    assert stage.shell.ais.isVisible()
    stage.released.set()
    stage.settle()
    (made,) = stage.core.all_deployments
    assert made.canister_id and made.network == "practice"
    assert stage.chat.isVisible() and stage.chat.conversation.deployment == made.id
    assert stage.chat.composer.isAncestorOf(stage.window.focusWidget())
    assert not stage.chat.findChildren(Problem)


def test_who_has_gone_elsewhere_meanwhile_is_told_and_stays_there(make_stage: MakeStage) -> None:
    stage, page = setting_up(make_stage, Choices("starter", "practice"))
    stage.hold_step("Uploading the weights")
    click(page, "Deploy, free of charge")
    stage.until(lambda: stage.shell.ais.step == "Uploading the weights")
    stage.shell.show_page(Page.MODELS)
    stage.released.set()
    stage.settle()
    assert stage.shell.page is Page.MODELS
    assert "Rowan can be asked." in words_of(stage.shell.toast)


def test_each_step_leads_back_and_can_be_left(make_stage: MakeStage) -> None:
    stage, page = setting_up(make_stage, Choices("starter", "practice"))
    click(page, "Back")
    stage.settle()
    assert page.step is Step.NETWORK
    click(page, "Later")
    assert stage.shell.ais.isVisible() and stage.shell.page is Page.AIS
    click(stage.shell.ais, "Set one up step by step, on any network…")
    stage.settle()
    assert page.isVisible() and page.step is Step.NETWORK
    click(page, "Back")
    stage.settle()
    assert page.step is Step.MODEL
    click(page, "Bring another model in…")
    assert stage.shell.page is Page.MODELS


def test_enter_goes_on_with_the_choice_that_has_the_focus(make_stage: MakeStage) -> None:
    stage, page = setting_up(make_stage, Choices())
    for step in (Step.NETWORK, Step.COST):
        QTest.keyClick(stage.window.focusWidget(), Qt.Key.Key_Return)
        stage.settle()
        assert page.step is step
    assert stage.window.focusWidget() is page.go
    QTest.keyClick(page.go, Qt.Key.Key_Return)
    stage.settle()
    assert len(stage.core.setup.agreed) == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_cost_that_was_asked_for_before_going_back_is_not_shown(make_stage: MakeStage, late: bool) -> None:
    stage, page = setting_up(make_stage, Choices("starter"))
    setup, asked, answered = stage.core.setup, threading.Event(), threading.Event()
    work_out = setup.bill

    def bill(cancel: Cancel) -> Bill:
        worked_out = work_out(cancel) if late else None
        asked.set()
        answered.wait()
        return worked_out or work_out(cancel)

    setup.bill = bill  # type: ignore[method-assign]
    click(page, "Continue")
    stage.until(asked.is_set)
    click(page, "Back")
    stage.until(lambda: page.step is Step.NETWORK)
    answered.set()
    stage.settle()
    assert page.choice is not None and page.bill is None and page.go.text() == "Continue"


def test_it_says_what_to_send_where_and_looks_again(make_stage: MakeStage) -> None:
    stage, page = setting_up(make_stage, Choices("starter"))
    assert page.choice is not None
    page.choice.mark("ic")
    click(page, "Continue")
    stage.settle()
    assert "are lacking" in words_of(page) and "What to send, and where" in words_of(page)
    (copy,) = [one for one in page.findChildren(QPushButton) if one.accessibleName().endswith("to this account")]
    copy.click()
    assert len(QGuiApplication.clipboard().text()) == 64
    click(page, "Look again")
    stage.settle()
    assert not stage.core.setup.agreed
    stage.core.setup.icp_e8s = 9 * 10**8
    click(page, "Look again")
    stage.settle()
    assert "pay for what is lacking" in words_of(page) and "ICP" in page.go.text()
    click(page, "Back")
    stage.settle()
    stage.core.setup.available = 9 * _TRILLION
    assert page.choice is not None
    page.choice.mark("ic")
    click(page, "Continue")
    stage.settle()
    assert "That is enough." in words_of(page)
    assert page.go.text().startswith("Pay ")
    stage.hold_step("Uploading the weights")
    page.go.click()
    stage.until(lambda: stage.shell.ais.step == "Uploading the weights")
    assert "Internet Computer" in words_of(stage.shell.ais), "it says where it is going"
    stage.released.set()
    stage.settle()
    assert len(stage.core.setup.agreed) == 1
    assert stage.core.all_deployments[0].network == "ic"


def test_what_paying_gives_away_is_read_before(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.setup.available, core.setup.warnings = 9 * _TRILLION, (LINKED,)
    _, page = setting_up(make_stage, Choices("starter", "ic"), core)
    assert "ties Wallet and Rowan together" in words_of(page)
    assert not page.go.isEnabled()
    (known,) = page.findChildren(QCheckBox)
    known.click()
    assert page.go.isEnabled()


def test_a_network_that_is_away_can_be_asked_again(make_stage: MakeStage) -> None:
    def fail(_: str, __: Cancel) -> None:
        raise NetworkUnreachableError("The Internet Computer does not answer.")

    core = ScriptedCore()
    core.setup.before = fail
    stage, page = setting_up(make_stage, Choices("starter", "ic"), core)
    assert "does not answer" in stage.find(Problem).accessibleName()
    core.setup.before = lambda _, __: None
    click(page, "Look again")
    stage.settle()
    assert page.bill is not None


def test_a_payment_that_fails_is_told_and_nothing_is_deployed(make_stage: MakeStage) -> None:
    def fail(call: str, _: Cancel) -> None:
        if call == "agree":
            raise NetworkUnreachableError("The ledger does not answer.", not_lost="Nothing was paid.")

    core = ScriptedCore()
    core.setup.before, core.setup.available = fail, 9 * _TRILLION
    stage, page = setting_up(make_stage, Choices("starter", "ic"), core)
    page.go.click()
    stage.settle()
    assert "Nothing was paid." in stage.find(Problem).accessibleName()
    assert not core.all_deployments and page.isVisible()
    click(page, "Look again")
    stage.settle()
    assert page.bill is not None


def test_now_for_real_begins_with_the_model_that_was_rehearsed(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    stage = make_stage(core).enter()
    stage.shell.show_page(Page.AIS)
    stage.shell.ais.open_ai(core.all_deployments[0])
    stage.draw()
    click(stage.shell.ais, "Deploy it on another network…")
    stage.settle()
    assert stage.shell.setup.isVisible()
    assert core.setup.chosen == Choices("starter") and stage.shell.setup.step is Step.NETWORK


def test_an_identity_that_is_there_is_chosen_knowing_what_it_ties_together(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.setup.warnings = (LINKED,)
    walnut = core.vault.new_identity("Walnut")
    stage, page = setting_up(make_stage, Choices("starter", "practice"), core)
    who = child(page, IdentityChoice)
    assert who is not None and who.box.currentData() is None, "by default each AI has one of its own"
    assert page.go.isEnabled() and not page.findChildren(LinkNotice)
    who.box.setCurrentIndex(1)
    who.box.activated.emit(1)
    stage.settle()
    assert stage.core.setup.chosen == Choices("starter", "practice", identity=str(walnut.principal))
    assert page.findChildren(LinkNotice) and not page.go.isEnabled()
    (known,) = page.findChildren(QCheckBox)
    known.click()
    assert page.go.isEnabled()


def test_where_no_identity_is_there_nothing_is_asked(make_stage: MakeStage) -> None:
    _, page = setting_up(make_stage, Choices("starter", "practice"))
    assert page.findChild(IdentityChoice) is None
