"""What the window's dialogs share: a heading, margins, and the height that their words need."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QWidget

from ui.theme.tokens import SPACE_L, SPACE_XL
from ui.widgets.basic import column, label

_WIDTH = 480


class Dialog(QDialog):
    """Fill `column`. It is gone once it is left.

    It takes the height that its layout needs at its width whenever what is in it changes: Qt goes by a first guess,
    made before lines are wrapped, and cuts them off.
    """

    def __init__(self, parent: QWidget, title: str, *, width: int = _WIDTH) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(width)
        self.column = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_L)
        self.column.addWidget(label(title, "heading1", wrap=True))
        self.finished.connect(self.deleteLater)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return handled

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.resize(self.width(), self.column.totalHeightForWidth(self.width()))
