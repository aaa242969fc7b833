"""Asks whether something is really meant, and says what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_M
from ui.widgets.basic import Button, column, label
from ui.widgets.dialog import Dialog
from ui.widgets.form import buttons


class Question(Dialog):
    """`accepted` follows a yes. Add to `fields` what else is to be chosen."""

    def __init__(self, parent: QWidget, title: str, paragraphs: Sequence[str], *, go: str) -> None:
        super().__init__(parent, title)
        self.go = Button(go, "primary", on_click=self.accept)
        layout = self.column
        for text in paragraphs:
            layout.addWidget(label(text, wrap=True))
        self.fields = column(spacing=SPACE_M)
        layout.addLayout(self.fields)
        layout.addLayout(buttons(Button(tr("Cancel"), on_click=self.reject), self.go))


def ask(question: Question, act: Callable[[], object]) -> None:
    """Acts after a yes."""
    question.accepted.connect(act)
    question.open()
