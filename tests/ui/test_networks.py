"""The networks in Settings: added, changed, checked and removed; what is refused, what fails and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from personal_ai.app.own_networks import Described
from personal_ai.common.errors import FormatError, NetworkUnreachableError, SecurityError, StorageError
from personal_ai.ic.profile import IC
from tests.ui.forms import fill, problem
from ui.tour.scenes_settings import settings_page
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage
from ui.widgets.form_dialog import FormDialog
from ui.widgets.networks_card import NetworksCard
from ui.widgets.question import Question
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]

MINE = Described("mine", "http://127.0.0.1:4943")
KEY = IC.root_key_der
assert KEY is not None


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    core = ScriptedCore()
    core.own_networks.add(MINE)
    stage = make_stage(core)
    settings_page(stage)
    return stage


def shown(stage: Stage) -> str:
    return " | ".join(one.text() for one in stage.find(NetworksCard).findChildren(QLabel) if one.isVisible())


def press(stage: Stage, name: str) -> None:
    (button,) = [one for one in stage.find(NetworksCard).findChildren(QPushButton) if name in accessible(one)]
    button.click()
    stage.settle()


def accessible(widget: QWidget) -> str:
    return widget.accessibleName() or (widget.text() if isinstance(widget, QPushButton) else "")


def test_each_network_says_how_it_is_reached_and_checked(stage: Stage) -> None:
    assert "Internet Computer | https://icp-api.io, https://ic0.app" in shown(stage)
    assert "the key that is built into this program" in shown(stage)
    assert "mine | http://127.0.0.1:4943 | It is on this computer, so it is asked for its root key." in shown(stage)
    changeable = [accessible(one) for one in stage.find(NetworksCard).findChildren(QPushButton)]
    assert "Change… (mine)" in changeable and "Change… (Internet Computer)" not in changeable


def test_one_is_added_and_can_be_chosen_where_ais_are_set_up(stage: Stage) -> None:
    press(stage, "Add a network…")
    dialog = stage.find(FormDialog)
    assert not dialog.go.isEnabled()
    fill(stage, "far", "https://example.org", KEY.hex() if KEY else "")
    assert stage.core.own_networks.known["far"].root_key_der == KEY
    assert "far | https://example.org | Its answers are checked with the root key that you gave." in shown(stage)


def test_without_a_key_a_network_elsewhere_is_refused_and_the_dialog_can_be_left(stage: Stage) -> None:
    press(stage, "Add a network…")
    dialog = fill(stage, "far", "https://example.org", "")
    assert "names no root key" in problem(stage)
    dialog.reject()
    stage.settle()
    assert set(stage.core.own_networks.known) == {"ic", "mine"}


def test_a_name_that_is_taken_is_refused(stage: Stage) -> None:
    press(stage, "Add a network…")
    fill(stage, "mine", "http://127.0.0.1:1", "")
    assert "already" in problem(stage)


def test_one_is_changed_and_keeps_its_name(stage: Stage) -> None:
    press(stage, "Change… (mine)")
    assert [line.text() for line in stage.find(FormDialog).lines] == ["http://127.0.0.1:4943", ""]
    fill(stage, "http://127.0.0.1:5000", "")
    assert "mine | http://127.0.0.1:5000" in shown(stage)


def test_a_change_that_breaks_the_rules_changes_nothing(stage: Stage) -> None:
    press(stage, "Change… (mine)")
    fill(stage, "http://example.org", "")
    assert "without encryption" in problem(stage)
    assert stage.core.own_networks.known["mine"].gateways == ("http://127.0.0.1:4943",)


def test_a_check_says_what_was_proved(stage: Stage) -> None:
    press(stage, "Check the connection (mine)")
    assert "the key that it names itself was taken" in shown(stage)
    press(stage, "Check the connection (Internet Computer)")
    assert "its root key proves that it is the one" in shown(stage)


@pytest.mark.parametrize("error", [NetworkUnreachableError("It does not answer."), SecurityError("It is forged.")])
def test_a_check_that_fails_is_told_beside_its_network_and_can_be_repeated(stage: Stage, error: Exception) -> None:
    def fail(_: str) -> None:
        raise error

    stage.core.own_networks.before = fail
    press(stage, "Check the connection (mine)")
    assert str(error).partition("\n")[0] in problem(stage)
    stage.core.own_networks.before = lambda _: None
    press(stage, "Check the connection (mine)")
    assert "It answers." in shown(stage)


def test_nothing_is_asked_of_a_network_before_a_click(stage: Stage) -> None:
    asked: list[str] = []
    stage.core.own_networks.before = asked.append
    stage.shell.show_page(Page.CHAT)
    stage.shell.show_page(Page.SETTINGS)
    stage.settle()
    assert asked == ["all"]


def test_one_is_removed_after_a_question_that_names_who_lives_there(stage: Stage) -> None:
    stage.core.all_deployments.append(replace(deployment("Rowan"), network="mine"))
    stage.shell.chat.profile.refresh()
    stage.settle()
    press(stage, "Remove… (mine)")
    question = stage.find(Question)
    assert "Rowan cannot be reached" in " ".join(one.text() for one in question.findChildren(QLabel))
    question.reject()
    stage.settle()
    assert "mine" in stage.core.own_networks.known
    press(stage, "Remove… (mine)")
    stage.window.findChildren(Question)[-1].go.click()
    stage.settle()
    assert "mine" not in stage.core.own_networks.known
    assert "mine |" not in shown(stage)


def test_a_removal_that_fails_is_told(stage: Stage) -> None:
    def fail(call: str) -> None:
        if call == "remove":
            raise StorageError("The disk refuses.")

    stage.core.own_networks.before = fail
    press(stage, "Remove… (mine)")
    stage.find(Question).go.click()
    stage.settle()
    assert problem(stage).startswith("The disk refuses.")


def test_a_file_that_cannot_be_read_is_named_and_the_rest_of_settings_stays(make_stage: MakeStage) -> None:
    def fail(_: str) -> None:
        raise FormatError("mine.json: The file is no JSON.")

    stage = make_stage()
    stage.core.own_networks.before = fail
    page = settings_page(stage)
    assert "mine.json" in problem(stage)
    assert page.idle_lock.currentText()
