"""What the program tells unasked: in the window by name, through the system without, and not at all where unwanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QLabel, QSystemTrayIcon

from personal_ai.app.notices import Notice, NoticeKind
from personal_ai.app.runway import Tended
from ui.herald import Herald
from ui.notice_words import words_inside, words_outside
from ui.preferences import load_notifications
from ui.text import FIRM
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]
LOW = Notice(NoticeKind.RUNWAY_LOW, deployment("Rowan"), days_left=12.4)


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.ais.tended = Tended(notices=[LOW])
    return make_stage(core).enter()


def toast_of(stage: Stage) -> str:
    return "" if stage.shell.toast.isHidden() else stage.shell.toast.findChildren(QLabel)[0].text()


def test_a_warning_is_told_in_the_window(stage: Stage) -> None:
    stage.shell.herald.tend()
    stage.settle()
    assert toast_of(stage) == f"Rowan has cycles for 12{FIRM}days more: see My AIs."


def test_nothing_is_told_where_it_is_unwanted(stage: Stage) -> None:
    stage.shell.show_page(Page.SETTINGS)
    stage.shell.settings.notifications.click()
    stage.settle()
    assert not load_notifications(stage.window._paths.settings)
    stage.shell.herald.tend()
    stage.shell.herald.tell_deployed(LOW.deployment)
    stage.settle()
    assert toast_of(stage) == ""


def test_nobody_is_looked_after_where_there_is_nobody(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.ais.tended = Tended(notices=[LOW])
    stage = make_stage(core).enter()
    stage.shell.herald.tend()
    stage.settle()
    assert toast_of(stage) == ""


def test_the_system_tells_it_where_nobody_looks_at_the_window(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _, title, text, icon: shown.append(text))
    monkeypatch.setattr(QSystemTrayIcon, "show", lambda _: None)
    monkeypatch.setattr(type(stage.shell), "isActiveWindow", lambda _: False)
    stage.shell.herald.tend()
    stage.settle()
    assert shown == ["One of your AIs needs you to look after it."]
    assert toast_of(stage) == ""
    called: list[bool] = []
    stage.shell.herald.called.disconnect()  # the platform of the tests raises no windows
    stage.shell.herald.called.connect(lambda: called.append(True))
    stage.shell.herald.findChildren(QSystemTrayIcon)[0].messageClicked.emit()
    assert called


def test_a_finished_upload_is_told_elsewhere_than_on_its_page(stage: Stage) -> None:
    stage.shell.show_page(Page.MODELS)
    stage.shell.ais.deployed.emit(LOW.deployment)
    assert toast_of(stage) == "Rowan can be asked."


@pytest.mark.parametrize("kind", NoticeKind)
def test_no_private_word_leaves_the_window(kind: NoticeKind) -> None:
    notice = Notice(kind, deployment("Diagnosis of Ada"), days_left=3.0)
    assert "Diagnosis of Ada" in words_inside(notice)
    outside = words_outside(notice)
    assert outside and not any(word in outside for word in ("Diagnosis", "Ada", "3", "practice"))


def test_it_looks_soon_then_by_the_hour_and_no_more_once_the_window_closes(stage: Stage) -> None:
    herald = stage.shell.herald
    assert isinstance(herald, Herald)
    assert herald._timer.isActive() and herald._timer.interval() == 30_000
    herald._timer.timeout.emit()
    assert herald._timer.isActive() and herald._timer.interval() == 3_600_000
    stage.window.close()
    assert not herald._timer.isActive()
