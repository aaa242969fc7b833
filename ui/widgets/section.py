"""A card with a heading: one section of the page of an AI."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import column, label, row


class Section(QFrame):
    """Fill `body`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(title)
        self.body: QVBoxLayout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        self.body.addWidget(label(title, "heading2"))


def from_the_left(*widgets: QWidget) -> QHBoxLayout:
    """Buttons side by side."""
    line = row(spacing=SPACE_S)
    for widget in widgets:
        line.addWidget(widget)
    line.addStretch()
    return line
