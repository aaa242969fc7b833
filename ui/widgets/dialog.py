"""What the window's dialogs share: a heading, margins, the height that their words need, and the keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QWidget,
)

from ui.theme.tokens import SPACE_L, SPACE_XL
from ui.widgets.basic import Button, column, is_held_enter, label
from ui.widgets.focus_ring import FocusRing

_WIDTH = 480
_FIELDS = (QLineEdit, QPlainTextEdit, QComboBox, QAbstractSpinBox, QCheckBox, QRadioButton)


class Dialog(QDialog):
    """Fill `column`. It is gone once it is left.

    It begins in its first field, or else on its primary button, which Enter presses; Esc leaves it.

    It takes the height that its layout needs at its width whenever what is in it changes: Qt goes by a first guess,
    made before lines are wrapped, and cuts them off.
    """

    def __init__(self, parent: QWidget, title: str, *, width: int = _WIDTH) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(width)
        self.column = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_L)
        self.column.addWidget(label(title, "heading1", wrap=True))
        FocusRing(self)
        self.finished.connect(self.deleteLater)

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return handled

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._fit()
        if (primary := self._primary()) is not None:
            primary.setDefault(True)
        if self.focusWidget() is None:
            self.take_focus()

    def take_focus(self) -> None:
        """For the first thing to be typed or chosen, or else for the button."""
        begin = self._first_field() or self._primary()
        if begin is not None:
            begin.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if not is_held_enter(event):
            super().keyPressEvent(event)

    def _primary(self) -> Button | None:
        return next((one for one in self.findChildren(Button) if one.property("kind") == "primary"), None)

    def _first_field(self) -> QWidget | None:
        for field in self.findChildren(QWidget):
            usable = field.isVisibleTo(self) and field.isEnabled() and not field.property("readOnly")
            if usable and isinstance(field, _FIELDS):
                return field
        return None

    def _fit(self) -> None:
        self.resize(self.width(), self.column.totalHeightForWidth(self.width()))
