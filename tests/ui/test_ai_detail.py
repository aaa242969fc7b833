"""One AI in full: what is shown, and every way through what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog

from personal_ai.deployments.health import Health
from personal_ai.wallet.journal import State
from tests.ui.opened_ai import button, canister, detail, fails, goes_well, opened, toast, waits, words
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.scripted_ais import UNREACHED, ScriptedCanister, burned
from ui.tour.scripted_wallet import LINKED
from ui.tour.stage import Stage
from ui.widgets.top_up_dialog import TopUpDialog

MakeStage = Callable[..., Stage]
T = 10**12


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return opened(make_stage(ScriptedCore(all_deployments=[deployment("Rowan")])))


# How it is


def test_it_says_how_it_is_and_why_it_lasts_so_long(stage: Stage) -> None:
    shown = words(detail(stage))
    for told in ("Rowan", "Answers", "Engine checked", "3.41 T", "206 days", "12.3 B"):
        assert told in shown
    assert "Its rent takes" not in shown
    detail(stage).cycles.why.click()
    stage.draw()
    shown = words(detail(stage))
    for told in (
        "0.86 T of them are held back, its rent for 90 days",
        "Its rent takes 9.6 B a day",
        "2.7 B a day on top",
        "The upload: planned 0.31 T cycles, really 0.31 T.",
        "Checking the upload: planned 9.1 B cycles.",
    ):
        assert told in shown
    assert "It freezes below 0.86" in detail(stage).cycles.chart.accessibleName().replace("it freezes", "It freezes")
    detail(stage).cycles.why.click()
    stage.draw()
    assert "Its rent takes" not in words(detail(stage))


@pytest.mark.parametrize("health", [one for one in Health if one is not Health.ANSWERING])
def test_whatever_is_wrong_is_said_with_the_way_out(stage: Stage, health: Health) -> None:
    before = words(detail(stage))
    canister(stage).health = health
    detail(stage).again.click()
    stage.settle()
    after = words(detail(stage))
    assert "Answers" not in after and len(after) > len(before)


def test_out_of_reach_the_last_sight_stays_with_its_age(stage: Stage) -> None:
    stage.core.ais.before = fails("look")
    detail(stage).again.click()
    stage.settle()
    shown = words(detail(stage))
    assert "Cannot be reached" in shown and "Nobody answers. Seen just now: answers; 3.41 T cycles." in shown
    assert "206 days" in shown
    stage.core.ais.before = goes_well
    detail(stage).again.click()
    stage.settle()
    assert "Cannot be reached" not in words(detail(stage))


def test_never_seen_and_out_of_reach(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.ais.before = fails("look")
    stage = opened(make_stage(core))
    assert "Seen just now: 3.41 T cycles." in words(detail(stage)), "the readings are kept on this computer"
    assert not detail(stage).cycles.top_up.isEnabled()
    assert UNREACHED.next_step


def test_a_chat_with_it(stage: Stage) -> None:
    button(detail(stage), "Chat with Rowan").click()
    stage.settle()
    assert stage.chat.conversation.deployment == "rowan-1"


# Topping up


def topping_up(stage: Stage) -> TopUpDialog:
    detail(stage).cycles.top_up.click()
    stage.settle()
    return stage.find(TopUpDialog)


def test_a_top_up_shows_what_it_costs_and_how_long_it_then_lasts(stage: Stage) -> None:
    dialog = topping_up(stage)
    assert "1.94 T cycles go into it, and 100 M are the fee." in words(dialog)
    assert "The practice network gives Rowan what is lacking." in words(dialog)
    dialog.how_long.setCurrentIndex(dialog.how_long.findData(730))
    stage.settle()
    assert "6.43 T cycles go into it" in words(dialog)
    button(dialog, "Top up with 6.43 T").click()
    stage.settle()
    assert stage.window.findChild(TopUpDialog) is None
    assert canister(stage).cycles == round(3.41 * T) + stage.core.ais.payments[0].amount
    assert "are in Rowan" in toast(stage)
    assert "9.84 T" in words(detail(stage)), "it was looked at again"


def test_an_amount_of_ones_own_by_keyboard(stage: Stage) -> None:
    dialog = topping_up(stage)
    dialog.how_long.setCurrentIndex(dialog.how_long.count() - 1)
    dialog.amount.setFocus()
    dialog.amount.selectAll()
    QTest.keyClicks(dialog.amount, "x")
    stage.settle()
    assert "not an amount" in words(dialog) and not dialog.go.isEnabled()
    dialog.amount.selectAll()
    QTest.keyClicks(dialog.amount, "2.5")
    stage.settle()
    assert "2.50 T cycles go into it" in words(dialog)
    dialog.go.setFocus()
    QTest.keyClick(dialog.go, Qt.Key.Key_Space)
    stage.settle()
    assert stage.core.ais.payments[0].amount == 25 * T // 10


def test_only_what_is_lacking_is_offered(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.ais.by_id["rowan-1"] = ScriptedCanister(cycles=40 * T, readings=burned(40 * T))
    dialog = topping_up(opened(make_stage(core)))
    assert dialog.how_long.count() == 1 and dialog.amount.isVisible()


def test_who_has_too_little_on_another_network_is_led_to_the_wallet(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[replace(deployment("Rowan"), network="ic")])
    core.ais.account = T // 5
    stage = opened(make_stage(core))
    dialog = topping_up(stage)
    assert "has 0.20 T. Bring ICP or cycles to it in the wallet first." in words(dialog)
    assert not dialog.go.isEnabled()
    button(dialog, "To the wallet").click()
    stage.settle()
    assert stage.shell.wallet.isVisible()


def test_a_top_up_that_links_identities_is_agreed_to_first(stage: Stage) -> None:
    stage.core.ais.warning = LINKED
    dialog = topping_up(stage)
    assert LINKED.what in words(dialog) and not dialog.go.isEnabled()
    dialog.agreed.setChecked(True)
    assert dialog.go.isEnabled()


def test_a_price_that_cannot_be_had_is_said(stage: Stage) -> None:
    stage.core.ais.before = fails("offer")
    dialog = topping_up(stage)
    assert "Nobody answers." in words(dialog) and not dialog.go.isEnabled()
    stage.core.ais.before = goes_well
    dialog.how_long.setCurrentIndex(dialog.how_long.findData(730))
    stage.settle()
    assert dialog.go.isEnabled()


def test_a_top_up_that_failed_is_not_tried_twice(stage: Stage) -> None:
    dialog = topping_up(stage)
    stage.core.ais.before = fails("top_up")
    dialog.go.click()
    stage.settle()
    assert "Nobody answers." in words(dialog) and not dialog.go.isVisible()
    button(dialog, "Close").click()
    assert not dialog.isVisible()


def test_a_top_up_under_way_is_stopped(stage: Stage) -> None:
    dialog = topping_up(stage)
    stage.core.ais.before = waits(stage, "top_up")
    dialog.go.click()
    stage.until(lambda: bool(stage.core.ais.payments))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible(), "until it has come to a safe place"
    stage.settle()
    assert stage.window.findChild(QDialog) is None
    assert "Activity goes on with it" in toast(stage)
    assert stage.core.ais.payments[0].state is State.INTENDED


def test_a_deployment_that_changes_meanwhile_keeps_its_page_and_the_open_dialog(stage: Stage) -> None:
    page = detail(stage)
    page.top_up()
    stage.settle()
    dialog = stage.find(TopUpDialog)
    stage.core.all_deployments[0] = replace(page.deployment, name="Birch", model="gone")
    stage.chat.profile.refresh()
    stage.settle()
    assert detail(stage) is page
    assert dialog.isVisible()
    for told in ("Birch", "This model is not in the library of this computer any more."):
        assert told in words(page)
    page.snapshots.take_wanted.emit()
    stage.settle()
    dialog.go.click()
    stage.settle()
    assert {"take", "top_up"} <= set(stage.core.ais.asked)
    assert "are in Birch" in toast(stage)
