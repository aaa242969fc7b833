"""What is done with one AI: every dialog, to its end, left, and failing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QFileDialog, QSpinBox

from personal_ai.app.canisters import Engine
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.upgrade import UpgradeFailedError
from personal_ai.ic.management import LogLine
from tests.ui.looking import child
from tests.ui.opened_ai import (
    button,
    buttons,
    canister,
    detail,
    fails,
    goes_well,
    opened,
    press,
    toast,
    waits,
    words,
)
from ui.tour.scripted import ScriptedCore, ScriptedModel, deployment
from ui.tour.scripted_ais import ScriptedCanister, snapshot
from ui.tour.scripted_wallet import FRIEND, LINKED
from ui.tour.stage import Stage
from ui.widgets.add_controller_dialog import AddControllerDialog
from ui.widgets.deployment_card import AiCard
from ui.widgets.form_dialog import FormDialog
from ui.widgets.question import Question

MakeStage = Callable[..., Stage]
T = 10**12
UPLOAD = "Uploading the weights"


@pytest.fixture
def stage(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("ui.widgets.log_view._FOLLOW_MS", 20)
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.all_models.append(ScriptedModel("smol", "SmolLM2 135M", 148_000_000, 2048, "int8"))
    core.ais.by_id["rowan-1"] = ScriptedCanister(engine=Engine.OTHER, snapshots=[snapshot(1, days_ago=3)])
    return opened(make_stage(core))


# Engine and model


def test_an_upgrade_is_explained_followed_paused_and_done(stage: Stage) -> None:
    page = detail(stage)
    assert "Another engine" in words(page)
    page.engine.upgrade.click()
    question = stage.find(Question)
    assert "the snapshot is put back by itself" in words(question)
    press(stage, question, "Cancel")
    assert "upgrade" not in stage.core.ais.asked
    stage.core.ais.before = waits(stage, UPLOAD)
    page.engine.upgrade.click()
    press_yes(stage)
    stage.until(lambda: detail(stage).step == UPLOAD)
    stage.draw()
    assert stage.window.focusWidget() is button(page, "Pause"), "the key that began it can stop it"
    assert "84 MB of 148 MB  ·  1.9 MB/s  ·  about 34 s left" in words(page)
    for other in (page.engine.replace, page.engine.upgrade, page.snapshots.take, page.life.delete):
        assert not other.isEnabled(), "one thing at a time"
    (card,) = stage.shell.ais.findChildren(AiCard)
    page.back.click()
    stage.draw()
    assert "Upgrading the engine of Rowan" in words(card) and "84 MB of 148 MB" in words(card)
    stage.shell.ais.open_ai(stage.core.all_deployments[0])
    stage.draw()
    assert stage.window.focusWidget() is detail(stage).back
    QTest.keyClick(button(detail(stage), "Pause"), Qt.Key.Key_Space)
    stage.settle()
    assert detail(stage).step == "" and canister(stage).engine is Engine.OTHER
    stage.core.ais.before = goes_well
    detail(stage).engine.upgrade.click()
    press_yes(stage)
    stage.settle()
    assert "runs the new engine" in toast(stage) and "Engine checked" in words(detail(stage))
    assert not detail(stage).engine.upgrade.isEnabled()


def press_yes(stage: Stage) -> None:
    (question,) = [one for one in stage.window.findChildren(Question) if one.isVisible()]
    question.go.click()


def test_an_upgrade_that_was_taken_back_says_so_and_can_be_tried_again(stage: Stage) -> None:
    def fail(name: str, _: Cancel) -> None:
        if name == UPLOAD:
            raise UpgradeFailedError("the model does not answer.")

    stage.core.ais.before = fail
    detail(stage).engine.upgrade.click()
    press_yes(stage)
    stage.settle()
    assert "The engine and the model from before are back." in words(detail(stage))
    press(stage, detail(stage), "Try again")
    assert stage.core.ais.asked.count("upgrade") == 2
    press(stage, detail(stage), "Close")
    assert "from before are back" not in words(detail(stage))


def test_another_model_is_put_in(stage: Stage) -> None:
    detail(stage).engine.replace.click()
    assert "The old model answers until the new one is uploaded" in words(stage.find(Question))
    press_yes(stage)
    stage.settle()
    assert stage.core.all_deployments[0].model == "smol"
    assert "SmolLM2 135M" in words(detail(stage)) and "answers with its new model" in toast(stage)


def test_where_there_is_no_other_model_none_can_be_chosen(make_stage: MakeStage) -> None:
    stage = opened(make_stage(ScriptedCore(all_deployments=[deployment("Rowan")])))
    detail(stage).engine.replace.click()
    question = stage.find(Question)
    stage.draw()
    assert "no other model" in words(question) and not question.go.isEnabled()
    question.reject()


# Snapshots


def test_snapshots_are_taken_gone_back_to_downloaded_and_deleted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = detail(stage)
    assert "143 MB" in words(page.snapshots) and "1.5 B cycles a day" in words(page.snapshots)
    press(stage, page, "Take a snapshot")
    assert len(canister(stage).snapshots) == 2 and "The snapshot is taken." in toast(stage)
    stage.draw()
    buttons(page.snapshots, "Go back to it…")[0].click()
    assert "What came after it is lost" in words(stage.find(Question))
    press_yes(stage)
    stage.settle()
    assert "as it was then" in toast(stage)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    buttons(page.snapshots, "Download…")[0].click()
    stage.settle()
    assert "download" not in stage.core.ais.asked, "no folder was chosen"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    buttons(page.snapshots, "Download…")[0].click()
    stage.settle()
    assert "is downloaded" in toast(stage)
    buttons(page.snapshots, "Put a downloaded one back…")[0].click()
    stage.settle()
    stage.draw()
    assert len(canister(stage).snapshots) == 3 and "back beside the canister" in toast(stage)
    for _ in range(3):
        buttons(page.snapshots, "Delete…")[0].click()
        press_yes(stage)
        stage.settle()
        stage.draw()
    assert canister(stage).snapshots == [] and "There is none." in words(page.snapshots)


def test_a_snapshot_that_fails_says_why(stage: Stage) -> None:
    page = detail(stage)
    for name, act in (("take", "Take a snapshot"), ("delete_snapshot", "Delete…")):
        stage.core.ais.before = fails(name)
        buttons(page.snapshots, act)[0].click()
        if name == "delete_snapshot":
            press_yes(stage)
        stage.settle()
        assert "Nobody answers." in words(page.snapshots) and page.snapshots.take.isEnabled()
    assert len(canister(stage).snapshots) == 1


# Who controls it


def test_a_backup_controller_is_added_proved_and_removed(stage: Stage) -> None:
    canister(stage).identity_safe = False
    detail(stage).again.click()
    stage.settle()
    page = detail(stage)
    assert "with this computer the canister would be lost" in words(page.controllers)
    page.controllers.add.click()
    stage.settle()
    dialog = stage.find(AddControllerDialog)
    assert not dialog.go.isEnabled()
    dialog.principal.setText("nonsense")
    dialog.go.click()
    stage.settle()
    assert dialog.isVisible() and "principal" in words(dialog)
    dialog.principal.setText(str(FRIEND))
    dialog.go.click()
    stage.settle()
    assert canister(stage).added == [FRIEND]
    assert "would be lost" not in words(page.controllers) and "Somebody else" in words(page.controllers)
    press(stage, page.controllers, "Take away… (Somebody else)")
    press_yes(stage)
    stage.settle()
    assert canister(stage).added == [] and "no power any more" in toast(stage)


def test_ones_own_identity_is_added_knowing_what_it_ties_together(stage: Stage) -> None:
    walnut = stage.core.vault.new_identity("Walnut")
    stage.core.ais.warning = LINKED
    page = detail(stage)
    page.controllers.add.click()
    stage.settle()
    dialog = stage.find(AddControllerDialog)
    stage.core.ais.before = fails("link_warning")
    dialog.who.setCurrentIndex(1)
    stage.settle()
    assert "Nobody answers." in words(dialog) and not dialog.go.isEnabled()
    stage.core.ais.before = goes_well
    dialog.who.setCurrentIndex(0)
    dialog.who.setCurrentIndex(1)
    stage.settle()
    assert LINKED.what in words(dialog) and not dialog.go.isEnabled()
    dialog.agreed.setChecked(True)
    dialog.go.click()
    stage.settle()
    assert canister(stage).added == [walnut.principal]
    press(stage, page.controllers, "Let it prove itself (Walnut)")
    assert "Walnut did what only a controller can." in toast(stage)
    stage.core.ais.before = fails("prove")
    press(stage, page.controllers, "Let it prove itself (Walnut)")
    assert "Nobody answers." in words(page)


def test_a_contact_is_added_by_name_where_it_can_control_anything(stage: Stage) -> None:
    notes = stage.core.vault.notes.with_contact("Ann", str(FRIEND)).with_contact("Exchange", "0f" * 32)
    stage.core.vault.change_notes(lambda _: notes)
    page = detail(stage)
    page.controllers.add.click()
    stage.settle()
    dialog = stage.find(AddControllerDialog)
    assert [dialog.who.itemText(at) for at in range(dialog.who.count())][1:] == ["Your contact Ann"]
    dialog.who.setCurrentIndex(1)
    assert dialog.principal.text() == str(FRIEND) and dialog.principal.isReadOnly()
    dialog.who.setCurrentIndex(0)
    assert dialog.principal.text() == "" and not dialog.principal.isReadOnly()
    dialog.who.setCurrentIndex(1)
    dialog.go.click()
    stage.settle()
    assert canister(stage).added == [FRIEND]


# Cycles by itself, settings


def test_a_budget_is_set_and_ended(stage: Stage) -> None:
    page = detail(stage)
    page.cycles.budget.click()
    dialog = stage.find(FormDialog)
    (allowed,) = dialog.lines
    allowed.setText("much")
    assert not dialog.go.isEnabled()
    allowed.setText("2.5")
    dialog.go.click()
    stage.settle()
    assert canister(stage).budget == Budget(25 * T // 10, 120)
    assert "for at most 2.50 T cycles in any 30 days" in words(page.cycles)
    page.cycles.budget.click()
    dialog = stage.find(FormDialog)
    assert dialog.lines[0].text() == "2.5"
    stage.core.ais.before = fails("set_budget")
    child(dialog, QCheckBox).setChecked(False)
    dialog.go.click()
    stage.settle()
    assert "Nobody answers." in words(dialog)
    stage.core.ais.before = goes_well
    dialog.go.click()
    stage.settle()
    assert canister(stage).budget is None and "topped up by itself" not in words(page.cycles)


def test_settings_are_explained_and_only_what_was_changed_is_sent(stage: Stage) -> None:
    page = detail(stage)
    assert "Freezing threshold: 90 days of rent" in words(page.settings)
    page.settings.change.click()
    dialog = stage.find(FormDialog)
    assert "keeps all it has for that long" in words(dialog) and not dialog.go.isEnabled()
    days = dialog.findChildren(QSpinBox)[0]
    days.setValue(120)
    stage.core.ais.before = fails("change")
    dialog.go.click()
    stage.settle()
    assert "Nobody answers." in words(dialog)
    stage.core.ais.before = goes_well
    dialog.go.click()
    stage.settle()
    assert canister(stage).freezing_days == 120 and canister(stage).reserved_limit == 5 * T
    assert "Freezing threshold: 120 days of rent" in words(page.settings)


# Log


def test_the_log_is_read_and_followed(stage: Stage) -> None:
    page = detail(stage)
    press(stage, page, "Read the log")
    assert "Nothing is in it." in words(page.log)
    canister(stage).lines.append(LogLine(0, 1, b"first \x1b[31m"))
    page.log.follow.setChecked(True)
    stage.settle()
    canister(stage).lines.append(LogLine(1, 2, b"second"))
    stage.until(lambda: "second" in page.log.text.toPlainText())
    text = page.log.text.toPlainText()
    assert text.count("first") == 1 and "\x1b" not in text
    stage.core.ais.before = fails("log")
    stage.until(lambda: not page.log.follow.isChecked())
    stage.draw()
    assert "Nobody answers." in words(page.log)
    page.log.follow.setChecked(True)
    page.back.click()
    assert not page.log.follow.isChecked(), "nobody sees it any more"


# Stopping, deleting, adopting


def test_it_is_stopped_and_started(stage: Stage) -> None:
    page = detail(stage)
    press(stage, page, "Stop it")
    assert canister(stage).stopped and "Stopped" in words(page)
    stage.core.ais.before = fails("start")
    press(stage, page, "Start it")
    assert "Nobody answers." in words(page) and canister(stage).stopped
    stage.core.ais.before = goes_well
    press(stage, page, "Start it")
    assert not canister(stage).stopped and "Answers" in words(page)


def test_deleting_says_what_is_lost_and_wants_the_name(stage: Stage) -> None:
    page = detail(stage)
    stage.core.ais.before = fails("loss")
    press(stage, page, "Delete this AI")
    assert "Nobody answers." in words(page)
    stage.core.ais.before = goes_well
    press(stage, page, "Delete this AI")
    dialog = stage.find(FormDialog)
    assert "143 MB of memory and 1 snapshot" in words(dialog) and "What stays" in words(dialog)
    assert "Of its 3.41 T cycles about 3.07 T come back first" in words(dialog)
    assert not dialog.go.isEnabled()
    dialog.lines[0].setText("Rowan")
    stage.core.ais.before = fails("delete")
    dialog.go.click()
    stage.settle()
    assert "Nobody answers." in words(dialog) and stage.core.all_deployments
    stage.core.ais.before = goes_well
    dialog.go.click()
    stage.settle()
    assert stage.core.all_deployments == [] and stage.shell.ais.detail is None
    assert "Rowan is deleted; 3.07 T cycles came back." in toast(stage) and "Nothing is deployed yet" in words(
        stage.shell.ais
    )


def test_a_canister_that_is_controlled_already_is_taken_on(stage: Stage) -> None:
    detail(stage).back.click()
    stage.settle()
    stage.shell.ais.adopt.click()
    stage.settle()
    dialog = stage.find(FormDialog)
    assert not dialog.go.isEnabled()
    dialog.lines[0].setText("nonsense")
    dialog.go.click()
    stage.settle()
    assert "principal" in words(dialog)
    dialog.lines[0].setText("bkyz2-fmaaa-aaaaa-qaaaq-cai")
    dialog.lines[1].setText("Willow")
    stage.core.safekeeping.before_end = stage.hold
    dialog.go.click()
    stage.until(lambda: "Looking for its identity" in words(dialog))
    button(dialog, "Cancel").click()
    stage.settle()
    assert stage.window.findChild(FormDialog) is None and len(stage.core.all_deployments) == 1
    stage.core.safekeeping.before_end = lambda _: None
    stage.shell.ais.adopt.click()
    stage.settle()
    dialog = stage.find(FormDialog)
    dialog.lines[0].setText("bkyz2-fmaaa-aaaaa-qaaaq-cai")
    dialog.lines[1].setText("Willow")
    dialog.go.click()
    stage.settle()
    assert [one.name for one in stage.core.all_deployments] == ["Willow", "Rowan"]
    assert "Willow is among your AIs." in toast(stage)
