"""A page of cards, one under the other, that scrolls where they are more than the window shows."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ui.theme.tokens import SPACE_L, SPACE_XL, SPACE_XXL
from ui.widgets.basic import centred, column

_WIDTH_MAX = 900


class ScrollPage(QScrollArea):
    """Fill `column`, which is kept to a width that can be read and in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        content.setProperty("kind", "page")
        inner = QWidget()
        self.column: QVBoxLayout = column(inner, spacing=SPACE_L)
        outer = column(content)
        outer.addLayout(centred(inner, width_max=_WIDTH_MAX, margins=(SPACE_XXL, SPACE_XL, SPACE_XXL, SPACE_XL)))
        outer.addStretch()
        self.setWidget(content)
