"""Above the pages of somebody who tries the program out: that nothing is kept yet, and the way to keep it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, label, row


class TrialBar(QFrame):
    keep_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        words = tr("You are trying this out: its key is in this program's memory only, and goes when you close it.")
        self.setProperty("kind", "notice")
        self.setAccessibleName(words)
        self.keep = Button(tr("Keep it…"), on_click=self.keep_wanted.emit)
        layout = row(self, margins=(SPACE_L, SPACE_S, SPACE_M, SPACE_S), spacing=SPACE_M)
        layout.addWidget(label(words, "small", wrap=True), 1)
        layout.addWidget(self.keep)
