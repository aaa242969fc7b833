"""Asks whether something is really meant, and says what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_XL
from ui.widgets.basic import Button, column, label
from ui.widgets.fitted_dialog import FittedDialog
from ui.widgets.form import buttons

_WIDTH = 480


class Question(FittedDialog):
    """`accepted` follows a yes. Add to `fields` what else is to be chosen."""

    def __init__(self, parent: QWidget, title: str, paragraphs: Sequence[str], *, go: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.go = Button(go, "primary", on_click=self.accept)
        layout = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_L)
        layout.addWidget(label(title, "heading1", wrap=True))
        for text in paragraphs:
            layout.addWidget(label(text, wrap=True))
        self.fields = column(spacing=SPACE_M)
        layout.addLayout(self.fields)
        layout.addLayout(buttons(Button(tr("Cancel"), on_click=self.reject), self.go))
        self.finished.connect(self.deleteLater)


def ask(question: Question, act: Callable[[], object]) -> None:
    """Acts after a yes."""
    question.accepted.connect(act)
    question.open()
