"""Just try it: one click to an answer, keeping it, throwing it away, and every way out in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget
from shiboken6 import isValid

from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Progress
from ui.pages.trial import TrialPage
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.tour.scripted import PASSWORD, PHRASE, ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.notice import Notice, Problem
from ui.widgets.trial_bar import TrialBar
from ui.widgets.trial_dialogs import EndDialog, KeepDialog

MakeStage = Callable[..., Stage]


def click(parent: QWidget, words: str) -> None:
    (found,) = [one for one in parent.findChildren(QPushButton) if one.isVisible() and one.text() == words]
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)


def tried(stage: Stage) -> Stage:
    click(stage.show().find(WelcomePage), "Just try it")
    stage.until(lambda: stage.window.shell is not None)
    stage.settle()
    return stage


def fail_in(core: ScriptedCore, step: str) -> None:
    def fail(progress: Progress, _: Cancel) -> None:
        if progress.step == step:
            raise NetworkUnreachableError("The practice network did not start.", next_step="Try again.")

    core.script.before_step = fail


def test_one_click_leads_to_an_answer(make_stage: MakeStage) -> None:
    stage = tried(make_stage())
    question, answer = stage.chat.conversation.turns
    assert question.text == "What is a canister?"
    assert answer.text == "Only you. Your key controls it."
    assert answer.facts is not None and answer.facts.place.value == "practice"
    assert stage.find(TrialBar).isVisible()
    assert stage.core.threads == {"lane deploy", "lane desk", "lane chat"} - {"lane desk"}


def test_it_can_be_stopped_half_way_and_nothing_stays(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step("Uploading the weights")
    click(stage.show().find(WelcomePage), "Just try it")
    page = stage.find(TrialPage)
    stage.until(lambda: page.step == "Uploading the weights")
    click(page, "Back")
    stage.until(lambda: stage.window.findChild(WelcomePage) is not None)
    assert stage.core.trial.thrown_away and not stage.core.has_vault


def test_once_it_is_done_back_throws_nothing_away(make_stage: MakeStage) -> None:
    stage = make_stage()
    click(stage.show().find(WelcomePage), "Just try it")
    page = stage.find(TrialPage)
    stage.window.opening.tried.connect(page.left)  # pressed just before the pages appear
    stage.until(lambda: stage.window.shell is not None)
    stage.settle()
    assert stage.shell.isVisible() and not stage.core.trial.thrown_away


def test_who_has_left_its_page_is_taken_nowhere(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.hold_step("Uploading the weights")
    click(stage.show().find(WelcomePage), "Just try it")
    page = stage.find(TrialPage)
    stage.until(lambda: page.step == "Uploading the weights")
    stage.window.opening.unlock()
    stage.until(lambda: not isValid(page))
    stage.released.set()
    stage.settle()
    assert stage.window.shell is None and stage.find(UnlockPage).isVisible()


def test_a_failure_can_be_tried_again(make_stage: MakeStage) -> None:
    stage = make_stage()
    fail_in(stage.core, "Starting the practice network")
    click(stage.show().find(WelcomePage), "Just try it")
    stage.settle()
    assert "did not start" in stage.find(Problem).accessibleName()
    stage.core.script.before_step = lambda _, __: None
    click(stage.find(TrialPage), "Try again")
    stage.until(lambda: stage.window.shell is not None)
    stage.settle()
    assert len(stage.core.all_deployments) == 1
    assert stage.chat.conversation.turns[-1].role == "assistant"


def test_without_the_network_this_computer_answers(make_stage: MakeStage) -> None:
    stage = make_stage()
    fail_in(stage.core, "Starting the practice network")
    click(stage.show().find(WelcomePage), "Just try it")
    stage.settle()
    click(stage.find(TrialPage), "Go on without the network")
    stage.until(lambda: stage.window.shell is not None)
    stage.chat.send("Who controls it?")
    stage.settle()
    facts = stage.chat.conversation.turns[-1].facts
    assert facts is not None and facts.place.value == "local"


def test_where_nothing_could_be_made_there_is_no_going_on(make_stage: MakeStage) -> None:
    class Used(ScriptedCore):
        def begin_trial(self) -> None:
            raise BadInputError("There is something of an earlier profile here.")

    stage = make_stage(Used())
    click(stage.show().find(WelcomePage), "Just try it")
    stage.settle()
    page = stage.find(TrialPage)
    assert not page.without.isVisible()
    click(page, "Back")
    stage.until(lambda: stage.window.findChild(WelcomePage) is not None)
    assert not stage.core.trial.thrown_away


def test_it_is_kept_with_a_password_and_words_on_paper(make_stage: MakeStage) -> None:
    stage = tried(make_stage())
    said = stage.chat.conversation
    click(stage.find(TrialBar), "Keep it…")
    dialog = stage.find(KeepDialog)
    QTest.keyClicks(dialog.focusWidget(), PASSWORD)
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    QTest.keyClicks(dialog.focusWidget(), PASSWORD)
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Return)
    stage.settle()
    assert not stage.core.door.on_trial and not stage.find(TrialBar).isVisible()
    words = [one.text().split()[-1] for one in dialog.findChildren(QLabel) if one.property("kind") == "word"]
    assert words == PHRASE.split()
    QTest.keyClick(dialog.focusWidget(), Qt.Key.Key_Space)  # written down
    click(dialog, "Continue")
    stage.settle()
    for line in [one for one in dialog.findChildren(QLineEdit) if one.isVisible()]:
        line.setText(PHRASE.split()[int(line.accessibleName().removeprefix("Word ")) - 1])
    click(dialog, "Check")
    stage.settle()
    assert stage.core.vault.phrase_confirmed
    assert stage.chat.conversation == said
    stage.core.door.lock()
    stage.core.door.unlock(PASSWORD)


def test_keeping_can_be_left_before_and_after_the_password(make_stage: MakeStage) -> None:
    stage = tried(make_stage())
    stage.window.lock()  # what has no lock yet is not locked
    click(stage.find(KeepDialog), "Not now")
    stage.settle()
    assert stage.core.door.on_trial
    click(stage.find(TrialBar), "Keep it…")
    (dialog,) = [one for one in stage.window.findChildren(KeepDialog) if one.isVisible()]
    dialog.findChildren(QLineEdit)[0].setText(PASSWORD)
    dialog.findChildren(QLineEdit)[1].setText(PASSWORD)
    click(dialog, "Keep it")
    stage.settle()
    click(dialog, "Later")
    stage.settle()
    assert not stage.core.door.on_trial and not stage.core.vault.phrase_confirmed


def test_a_disk_that_refuses_the_password_says_so(make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = tried(make_stage())
    click(stage.find(TrialBar), "Keep it…")
    dialog = stage.find(KeepDialog)
    for line in dialog.findChildren(QLineEdit)[:2]:
        line.setText(PASSWORD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        click(dialog, "Keep it")
        stage.settle()
    assert "disk is full" in stage.find(Problem).accessibleName()
    assert stage.core.door.on_trial


def test_closing_asks_once_and_can_be_taken_back(make_stage: MakeStage) -> None:
    stage = tried(make_stage())
    stage.window.close()
    click(stage.find(EndDialog), "Go on trying")
    stage.settle()
    assert stage.window.isVisible()
    stage.window.close()
    (dialog,) = [one for one in stage.window.findChildren(EndDialog) if one.isVisible()]
    click(dialog, "Keep it…")
    stage.draw()
    assert stage.find(KeepDialog).isVisible()
    assert not stage.core.trial.thrown_away


def test_closing_throws_it_away_when_that_is_wanted(make_stage: MakeStage) -> None:
    stage = tried(make_stage())
    stage.window.close()
    click(stage.find(EndDialog), "Throw it away")
    stage.until(lambda: stage.core.trial.thrown_away)


def test_a_trial_that_a_program_left_behind_is_told_and_gone(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.begin_trial()
    core.door.lock()
    stage = make_stage(core).show()
    stage.until(lambda: stage.window.findChild(WelcomePage) is not None)
    assert core.trial.thrown_away
    assert "was not kept" in stage.find(Notice).text
    click(stage.find(WelcomePage), "Just try it")
    stage.until(lambda: stage.window.shell is not None)
