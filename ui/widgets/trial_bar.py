"""Above the pages of somebody who tries the program out: that nothing is kept yet, and the way to keep it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, label, row


class TrialBar(QWidget):
    keep_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        words = tr("You are trying this out: its key is in this program's memory only, and goes when you close it.")
        box = QFrame()
        box.setProperty("kind", "notice")
        box.setAccessibleName(words)
        self.keep = Button(tr("Keep it…"), on_click=self.keep_wanted.emit)
        inside = row(box, margins=(SPACE_L, SPACE_S, SPACE_M, SPACE_S), spacing=SPACE_M)
        inside.addWidget(label(words, "small", wrap=True), 1)
        inside.addWidget(self.keep)
        column(self, margins=(SPACE_XL, SPACE_M, SPACE_XL, 0)).addWidget(box)
