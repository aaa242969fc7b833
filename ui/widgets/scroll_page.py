"""A page that scrolls where there is more on it than the window shows."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_XL, SPACE_XXL
from ui.widgets.basic import centred, column, set_by_name

_WIDTH_MAX = 900
_NARROW_BELOW = 640


class ScrollPage(QScrollArea):
    """Fill `column`, which is kept in the middle and no wider than can be read."""

    def __init__(self, *, width_max: int = _WIDTH_MAX, space_above: int = 0, space_below: int = 1) -> None:
        """The space that is left goes above and below in these shares."""
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        set_by_name(self, "focusPolicy", "NoFocus")
        content = QWidget()
        content.setProperty("kind", "page")
        inner = QWidget()
        self.column: QVBoxLayout = column(inner, spacing=SPACE_L)
        self._sides = centred(inner, width_max=width_max, margins=(SPACE_XXL, SPACE_XL, SPACE_XXL, SPACE_XL))
        outer = column(content)
        outer.addStretch(space_above)
        outer.addLayout(self._sides)
        outer.addStretch(space_below)
        self.setWidget(content)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        side = SPACE_M if self.width() < _NARROW_BELOW else SPACE_XXL
        self._sides.setContentsMargins(side, SPACE_XL, side, SPACE_XL)
