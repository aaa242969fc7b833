"""Labels, buttons and boxes that know their kind: the style sheet does the rest."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QEnterEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.theme import ICON_SIZE, icon, theme
from ui.theme.tokens import READING_WIDTH_MAX, SPACE_S


class Button(QPushButton):
    """A button with words and, if named, an icon in the theme's colours."""

    def __init__(
        self, text: str, kind: str = "", *, icon: str = "", on_click: Callable[[], object] | None = None
    ) -> None:
        """`on_click` is called without Qt's "checked"."""
        super().__init__(text)
        self._icon = icon
        self.setAutoDefault(True)  # Enter presses the one that has the focus
        self.setProperty("kind", kind)
        if icon:
            self.setIconSize(QSize(ICON_SIZE, ICON_SIZE))
            self._colour_icon()
        if on_click:
            self._on_click = on_click
            self.clicked.connect(self._click)

    def _click(self) -> None:
        self._on_click()

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        self.setCursor(QtCore.Qt.CursorShape.PointingHandCursor)
        super().enterEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if not is_held_enter(event):
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self._icon:
            self._colour_icon()

    def _colour_icon(self) -> None:
        tokens = theme().tokens
        colour = {"primary": tokens.on_accent, "rail": tokens.text}.get(self.property("kind"), tokens.muted)
        self.setIcon(icon(self._icon, colour, tokens.accent))


class Number(QWidget):
    """A figure that is seen from afar, with its name above and its meaning beneath."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._figure, self._meaning = label("", "number"), label("", "small")
        inside = column(self, spacing=1)
        inside.addWidget(label(name, "small"))
        inside.addWidget(self._figure)
        inside.addWidget(self._meaning)

    def show_figure(self, figure: str, meaning: str) -> None:
        self._figure.setText(figure)
        self._meaning.setText(meaning)
        self.setAccessibleName(f"{self._name}: {figure}. {meaning}")


def label(text: str = "", kind: str = "", *, wrap: bool = False) -> QLabel:
    """A label of plain text; foreign words never become rich text."""
    made = QLabel(text)
    set_by_name(made, "textFormat", "PlainText")
    made.setProperty("kind", kind)
    made.setWordWrap(wrap)
    return made


def set_by_name(widget: QWidget, name: str, value: str) -> None:
    """Sets a property of Qt's, of an enum in its namespace `Qt`, where the first page does.

    With the first value that is taken from that namespace, PySide makes its 93 enums: a tenth of the whole start.
    """
    known = widget.setProperty(name, value)
    assert known, f"{name} is no property"


def is_enter(event: QKeyEvent) -> bool:
    """Whether it was pressed, and not only held down: see `is_held_enter`."""
    return event.key() in (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter) and not event.isAutoRepeat()


def is_held_enter(event: QKeyEvent) -> bool:
    """Held down, Enter counts once: it must not answer the question that it has asked."""
    return event.isAutoRepeat() and event.key() in (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter)


def chip(text: str, tone: str) -> QLabel:
    """A small rounded mark; `tone` is plain, accent, good, warning or bad."""
    made = label(text, "chip")
    made.setProperty("tone", tone)
    return made


def seat(box: QAbstractSpinBox) -> None:
    """Gives a number in a box the room around it that other fields have: the style sheet's padding does not reach it.

    Arrows are taken away by the style sheet; without them by `setButtonSymbols`, Qt leaves the number no width.
    """
    box.lineEdit().setTextMargins(SPACE_S, 0, SPACE_S, 0)


def set_look(widget: QWidget, name: str, value: object) -> None:
    """Changes a property that the style sheet looks at."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def frame(kind: str, *, margins: tuple[int, int, int, int], spacing: int) -> tuple[QFrame, QVBoxLayout]:
    """A box of a kind and the column inside it."""
    made = QFrame()
    made.setProperty("kind", kind)
    return made, column(made, margins=margins, spacing=spacing)


def column(
    parent: QWidget | None = None, *, margins: tuple[int, int, int, int] = (0, 0, 0, 0), spacing: int = 0
) -> QVBoxLayout:
    made = QVBoxLayout(parent) if parent else QVBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(spacing)
    return made


def row(
    parent: QWidget | None = None, *, margins: tuple[int, int, int, int] = (0, 0, 0, 0), spacing: int = 0
) -> QHBoxLayout:
    made = QHBoxLayout(parent) if parent else QHBoxLayout()
    made.setContentsMargins(*margins)
    made.setSpacing(spacing)
    return made


def centred(inner: QWidget, *, width_max: int = READING_WIDTH_MAX, margins: tuple[int, int, int, int]) -> QHBoxLayout:
    """A row that gives `inner` the width up to the reading width and keeps it in the middle."""
    inner.setMaximumWidth(width_max)
    made = row(margins=margins)
    made.addStretch(1)
    made.addWidget(inner, 1000)
    made.addStretch(1)
    return made


def clear(layout: QBoxLayout) -> None:
    """Takes every widget out of a layout and ends it."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
