"""The ring around what the Tab key has reached.

One overlay per window, outside the focused control's edge. It shows for the keyboard only, as a mouse user sees where
the pointer is. Text fields and messages mark themselves.
"""

from __future__ import annotations

from PySide6 import QtCore
from PySide6.QtCore import QEvent, QObject, QPoint, QRect
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget
from shiboken6 import isValid

from ui.theme import theme
from ui.theme.tokens import RADIUS_CONTROL

_GAP = 1
_WIDTH = 2
_MARK_THEMSELVES = ("QLineEdit", "QPlainTextEdit", "QComboBox")  # by name: a class that nothing needs yet loads slowly
_MOVES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)


class FocusRing(QWidget):
    """Follows the focus inside `window`.

    Qt does not say why the focus moved, and moves it itself when a control goes away; so the ring listens to the
    focused control alone, and takes the next move for the user's if a Tab key came just before it.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tabbed = False
        self._target: QWidget | None = None
        self._watched: list[QWidget] = []
        self.hide()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._move_on)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_NoSystemBackground)
        super().showEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() in _MOVES and self._target is not None:
            self._place()
        elif isinstance(event, QKeyEvent) and watched is self._watched[0]:
            self._tabbed = event.type() == QEvent.Type.KeyPress and _is_tab(event)
        return False

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme().tokens.accent), _WIDTH))
        half = _WIDTH // 2
        radius = RADIUS_CONTROL + _GAP + half
        painter.drawRoundedRect(self.rect().adjusted(half, half, -half, -half), radius, radius)

    def _move_on(self, _: QWidget | None, now: QWidget | None) -> None:
        for watched in filter(isValid, self._watched):
            watched.removeEventFilter(self)
        self._target, self._watched = None, []
        if now is not None and self._window.isAncestorOf(now):
            self._watched = [now]
            if self._tabbed and _needs_ring(now):
                self._target, self._watched = now, _up_to(self._window, now)
        for watched in self._watched:
            watched.installEventFilter(self)
        self._tabbed = False
        self._place()

    def _place(self) -> None:
        """Puts the ring around the part of the target that its scroll areas let through."""
        target = self._target
        if target is None or not isValid(target) or not target.isVisibleTo(self._window):
            self.hide()
            return
        margin = _GAP + _WIDTH
        seen = _rect_in(target, self._window).adjusted(-margin, -margin, margin, margin)
        for above in self._watched:
            if isinstance(above, QScrollArea):
                seen &= _rect_in(above.viewport(), self._window)
        self.setGeometry(seen & self._window.rect())
        self.setVisible(seen.isValid())
        self.raise_()


def _up_to(window: QWidget, widget: QWidget) -> list[QWidget]:
    """A widget of the window and what it lies in, up to but without the window.

    Not to be called when the window starts: for the first widget that Python does not know, PySide loads all it has.
    """
    chain = [widget]
    while (above := chain[-1].parentWidget()) is not None and above is not window:
        chain.append(above)
    return chain


def _is_tab(event: QKeyEvent) -> bool:
    return event.key() in (QtCore.Qt.Key.Key_Tab, QtCore.Qt.Key.Key_Backtab)


def _needs_ring(widget: QWidget) -> bool:
    marks_itself = any(widget.inherits(kind) for kind in _MARK_THEMSELVES)
    return not marks_itself and widget.property("kind") != "message"


def _rect_in(widget: QWidget, window: QWidget) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
