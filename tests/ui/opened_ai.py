"""The page of one AI in a test: opened, read and pressed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from ui.pages.ai_detail import AiDetail
from ui.tour.scripted_ais import ScriptedCanister
from ui.tour.stage import Stage
from ui.widgets.basic import Button
from ui.widgets.rail import Page


def opened(stage: Stage) -> Stage:
    """On the page of the first AI."""
    stage.enter().shell.show_page(Page.AIS)
    stage.settle()
    stage.shell.ais.open_ai(stage.core.all_deployments[0])
    stage.draw()  # it looks once it is seen
    stage.settle()
    return stage


def detail(stage: Stage) -> AiDetail:
    assert stage.shell.ais.detail is not None
    return stage.shell.ais.detail


def canister(stage: Stage) -> ScriptedCanister:
    return stage.core.ais.canister(stage.core.all_deployments[0])


def words(widget: QWidget) -> str:
    shown = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return " | ".join(shown).replace("\N{NO-BREAK SPACE}", " ")


def button(widget: QWidget, name: str) -> QPushButton:
    """By its words or its accessible name."""
    (found,) = [
        one
        for one in widget.findChildren(QPushButton)
        if name in (one.text().replace("\N{NO-BREAK SPACE}", " "), one.accessibleName()) and one.isVisible()
    ]
    return found


def buttons(widget: QWidget, text: str) -> list[Button]:
    """All that say this, from the top."""
    return [one for one in widget.findChildren(Button) if one.text() == text and one.isVisible()]


def press(stage: Stage, widget: QWidget, name: str) -> None:
    button(widget, name).click()
    stage.settle()


def toast(stage: Stage) -> str:
    told = " ".join(label.text() for label in stage.shell.toast.findChildren(QLabel))
    return told.replace("\N{NO-BREAK SPACE}", " ")


def fails(name: str) -> Callable[[str, Cancel], None]:
    """A hook for one call of the core."""

    def fail(called: str, _: Cancel) -> None:
        if called == name:
            raise NetworkUnreachableError("Nobody answers.")

    return fail


def waits(stage: Stage, name: str) -> Callable[[str, Cancel], None]:
    return lambda called, cancel: stage.hold(cancel) if called == name else None


def goes_well(_: str, __: Cancel) -> None:
    """The hook of what is mended."""
