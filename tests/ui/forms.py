"""Dialogs that ask for something: filled in and sent off by a test."""

from __future__ import annotations

from ui.tour.stage import Stage
from ui.widgets.form_dialog import FormDialog
from ui.widgets.notice import Problem


def opened(stage: Stage) -> FormDialog:
    """The one that is open."""
    stage.settle()
    (dialog,) = [one for one in stage.window.findChildren(FormDialog) if one.isVisible()]
    return dialog


def fill(stage: Stage, *texts: str) -> FormDialog:
    """Types into the lines of the open dialog and presses its button."""
    dialog = opened(stage)
    for line, text in zip(dialog.lines, texts, strict=True):
        line.setText(text)
    dialog.go.click()
    stage.settle()
    return dialog


def problem(stage: Stage) -> str:
    """What went wrong, as it is told."""
    return stage.find(Problem).accessibleName()
