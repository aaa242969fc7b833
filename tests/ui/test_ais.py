"""Deploying: its steps, pausing, continuing, failing, and the practice network's switch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from personal_ai.app.canisters import Engine
from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.deployments.journal import DeploymentState
from tests.ui.looking import focused, focused_text
from ui.tour.scripted import ScriptedCore, ScriptedModel, deployment
from ui.tour.scripted_ais import UNREACHED, ScriptedCanister, burned
from ui.tour.stage import Stage
from ui.widgets.burn_chart import BurnChart
from ui.widgets.deployment_card import AiCard, RunCard
from ui.widgets.notice import Problem
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]
UPLOAD = "Uploading the weights"


def words(stage: Stage) -> str:
    stage.draw()
    labels = [label for label in stage.shell.ais.findChildren(QLabel) if label.isVisible()]
    return " | ".join(label.text() for label in labels).replace("\N{NO-BREAK SPACE}", " ")


def button(stage: Stage, text: str) -> QPushButton:
    (found,) = [one for one in stage.shell.ais.findChildren(QPushButton) if one.text() == text and one.isVisible()]
    return found


def go(stage: Stage) -> Stage:
    stage.shell.show_page(Page.AIS)
    stage.settle()
    return stage


def test_one_click_deploys_and_the_chat_goes_there(stage: Stage) -> None:
    go(stage).shell.ais.deploy_button.click()
    stage.settle()
    (card,) = stage.shell.ais.findChildren(AiCard)
    assert card.accessibleName() == "Rowan: Answers"
    assert "bkyz2-…-cai" in words(stage)
    button(stage, "Chat with Rowan").click()
    stage.settle()
    assert stage.chat.conversation.deployment == "rowan-1"
    assert stage.chat.header.place_shown == "Practice network"
    assert stage.core.threads >= {"lane deploy"}


def test_steps_are_shown_with_rate_and_time_left(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step(UPLOAD)
    go(stage.enter()).shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == UPLOAD)
    shown = words(stage)
    for step in stage.core.script.steps[:5]:
        assert step.step in shown
    assert "1.6 MB of 2.5 MB  ·  1.9 MB/s  ·  about 2 s left" in shown
    assert "Activating" not in shown
    assert not stage.shell.ais.deploy_button.isEnabled()


def test_a_deployment_is_paused_and_continued_by_keyboard(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step(UPLOAD)
    go(stage.enter()).shell.ais.deploy_button.setFocus()
    QTest.keyClick(focused(), Qt.Key.Key_Space)
    stage.until(lambda: stage.shell.ais.step == UPLOAD)
    assert focused_text() == "Pause"
    QTest.keyClick(focused(), Qt.Key.Key_Space)
    stage.settle()
    assert not stage.shell.ais.findChildren(Problem)
    assert stage.core.all_deployments[0].state is DeploymentState.RUNNING
    assert "Not finished" in words(stage)
    stage.core.script.before_step = lambda _, __: None
    button(stage, "Continue").click()
    stage.settle()
    assert [one.state for one in stage.core.all_deployments] == [DeploymentState.ACTIVE]


def test_an_error_stands_at_its_step_and_can_be_tried_again(make_stage: MakeStage) -> None:
    core = ScriptedCore()

    def full(progress: Progress, _: Cancel) -> None:
        if progress.step == UPLOAD:
            raise StorageError("The disk is full.", not_lost="What is uploaded stays.", next_step="Make room.")

    core.script.before_step = full
    stage = go(make_stage(core).enter())
    stage.shell.ais.deploy()
    stage.settle()
    shown = words(stage)
    for told in ("The disk is full.", "What is uploaded stays.", "Make room.", "Stopped by an error"):
        assert told in shown
    core.script.before_step = lambda _, __: None
    button(stage, "Try again").click()
    stage.settle()
    assert not stage.shell.ais.findChildren(RunCard)
    assert [one.state for one in core.all_deployments] == [DeploymentState.ACTIVE]


def test_what_failed_before_the_start_can_be_continued(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan", state=DeploymentState.FAILED)])
    stage = go(make_stage(core).enter())
    button(stage, "Continue").click()
    stage.settle()
    assert core.all_deployments[0].state is DeploymentState.ACTIVE


def test_the_chat_answers_while_a_deployment_goes_on(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step(UPLOAD)
    go(stage.enter()).shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == UPLOAD)
    stage.shell.show_page(Page.CHAT)
    stage.chat.send("Who controls it?")
    stage.until(lambda: len(stage.chat.conversation.turns) == 2)
    assert stage.shell.ais.step == UPLOAD


def test_a_model_of_ones_own_can_be_chosen(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_models=[ScriptedModel(), ScriptedModel("mine", "", 1, 1, "int8")])
    stage = go(make_stage(core).enter())
    stage.shell.ais.models.setCurrentIndex(1)
    stage.shell.ais.deploy()
    stage.settle()
    assert core.all_deployments[0].model == "mine"


def test_names_are_trees_and_not_given_twice(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    stage = go(make_stage(core).enter())
    stage.shell.ais.deploy()
    stage.settle()
    assert [one.name for one in core.all_deployments] == ["Birch", "Rowan"]


@pytest.mark.parametrize(("running", "words_of_it"), [(True, "Stop the network"), (False, "Start the network")])
def test_the_practice_network_is_switched(make_stage: MakeStage, running: bool, words_of_it: str) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = running
    stage = go(make_stage(core).enter())
    button(stage, words_of_it).click()
    stage.settle()
    assert core.practice_network.running is not running
    assert ("running" if not running else "stopped") in stage.shell.rail.network


def toast(stage: Stage) -> str:
    shown = [label.text() for label in stage.shell.toast.findChildren(QLabel) if label.isVisible()]
    return "".join(shown)


def test_whoever_is_on_another_page_hears_that_it_is_done(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step(UPLOAD)
    go(stage.enter()).shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == UPLOAD)
    stage.shell.show_page(Page.CHAT)
    stage.shell.toast.offer("A chat was deleted", undo=lambda: None, gone=lambda: None)
    stage.released.set()
    stage.settle()
    assert toast(stage) == "A chat was deleted"  # what can still be taken back stays in sight
    stage.shell.undo()
    assert toast(stage) == "Rowan can be asked."


def test_whoever_is_on_another_page_hears_that_it_stopped(make_stage: MakeStage) -> None:
    core = ScriptedCore()

    def full(_: Progress, __: Cancel) -> None:
        raise StorageError("The disk is full.")

    core.script.before_step = full
    stage = make_stage(core).enter()
    stage.shell.ais.deploy()
    stage.settle()
    assert toast(stage) == "Deploying Rowan stopped: see My AIs."


def test_whoever_sees_it_needs_no_news(stage: Stage) -> None:
    go(stage).shell.ais.deploy()
    stage.settle()
    assert toast(stage) == ""


def test_each_ai_shows_how_it_is_and_how_long_it_lasts(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan"), deployment("Hazel")])
    core.ais.by_id["hazel-1"] = ScriptedCanister(cycles=10**12, readings=burned(10**12), engine=Engine.OTHER)
    stage = go(make_stage(core).enter())
    shown = words(stage)
    for told in ("3.41 T", "206 days", "Enough until", "Engine checked", "Another engine", "Top it up"):
        assert told in shown
    charts = [chart.accessibleName() for chart in stage.shell.ais.findChildren(BurnChart) if chart.isVisible()]
    assert len(charts) == 2 and all(
        "It freezes below" in words_of_it or "it freezes below" in words_of_it for words_of_it in charts
    )
    assert button(stage, "Top up…").accessibleName() == "Top up Hazel", "the other one has enough"
    assert stage.core.threads.isdisjoint({"MainThread"})


def test_what_cannot_be_reached_says_so_with_what_was_seen_last(make_stage: MakeStage) -> None:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.ais.before = unreached
    stage = go(make_stage(core).enter())
    (card,) = stage.shell.ais.findChildren(AiCard)
    assert card.accessibleName() == "Rowan: Cannot be reached"
    assert "The practice network does not answer. Seen just now: 3.41 T cycles." in words(stage)
    core.ais.before = lambda _, __: None
    stage.shell.ais.desk.look_at_all()
    stage.settle()
    assert card.accessibleName() == "Rowan: Answers"
    core.ais.before = unreached
    stage.shell.ais.desk.look_at_all()
    stage.settle()
    assert "Seen just now: answers; 3.41 T cycles. Enough until" in words(stage)


def test_a_network_that_was_stopped_shows_on_the_cards_at_once(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.all_deployments.append(deployment("Rowan"))
    core.practice_network.running = True
    stage = go(make_stage(core).enter())
    assert "does not answer" not in words(stage)
    core.ais.before = unreached
    button(stage, "Stop the network").click()
    stage.settle()
    assert "The practice network does not answer." in words(stage)


def unreached(name: str, _: Cancel) -> None:
    if name == "look":
        raise UNREACHED


def test_one_ai_is_opened_and_left_by_keyboard(make_stage: MakeStage) -> None:
    stage = go(make_stage(ScriptedCore(all_deployments=[deployment("Rowan"), deployment("Hazel")])).enter())
    (details,) = [
        one for one in stage.shell.ais.findChildren(QPushButton) if one.accessibleName() == "Look after Hazel"
    ]
    details.setFocus()
    QTest.keyClick(details, Qt.Key.Key_Space)
    stage.settle()
    assert stage.shell.ais.detail is not None and stage.shell.ais.detail.deployment.name == "Hazel"
    assert not stage.shell.ais.deploy_button.isVisible(), "one primary button a page"
    assert focused_text() == "All AIs"
    for way_back in (Qt.Key.Key_Space, Qt.Key.Key_Escape):
        QTest.keyClick(focused(), way_back)
        stage.settle()
        assert stage.shell.ais.detail is None
        assert QApplication.focusWidget() is details
        details.click()
        stage.settle()
