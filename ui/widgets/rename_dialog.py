"""Asking for another title."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QInputDialog, QWidget

from ui.text import tr

_TITLE_LENGTH_MAX = 120


def ask_for_title(parent: QWidget, title: str, then: Callable[[str], object]) -> None:
    """Calls `then` with what was typed, if anything was and the dialog was not left."""

    def take(typed: str) -> None:
        if words := " ".join(typed.split())[:_TITLE_LENGTH_MAX]:
            then(words)

    dialog = QInputDialog(parent)
    dialog.setWindowTitle(tr("Rename this chat"))
    dialog.setLabelText(tr("Title"))
    dialog.setTextValue(title)
    dialog.setOkButtonText(tr("Rename"))
    dialog.textValueSelected.connect(take)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
