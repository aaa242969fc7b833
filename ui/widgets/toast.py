"""A word at the bottom of the window that goes away by itself, with one way back."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QFrame, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, label, row

_SHOWN_MS = 8000
_ABOVE_COMPOSER = 132


class Toast(QFrame):
    """Shows what was done; until it goes it can be undone. `on_gone` runs when it no longer can."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setProperty("kind", "toast")
        self._undo: Callable[[], object] | None = None
        self._waiting: list[str] = []
        self._gone: Callable[[], object] | None = None
        self._words = label()
        self.button = Button(tr("Undo"), on_click=self.undo)
        self.button.setToolTip(tr("Ctrl+Z"))
        layout = row(self, margins=(SPACE_L, SPACE_S, SPACE_S, SPACE_S), spacing=SPACE_L)
        layout.addWidget(self._words)
        layout.addWidget(self.button)
        self._timer = QTimer(self, singleShot=True, interval=_SHOWN_MS)
        self._timer.timeout.connect(self._pass)
        self._window = window
        window.installEventFilter(self)
        self.hide()

    def offer(self, text: str, *, undo: Callable[[], object], gone: Callable[[], object]) -> None:
        """Shows `text`; settles what was shown before."""
        self.settle()
        self._undo, self._gone = undo, gone
        self._words.setText(text)
        self.button.show()
        self._appear()

    def tell(self, text: str) -> None:
        """Shows what was done where there is nothing to take back."""
        self.settle()
        self._words.setText(text)
        self.button.hide()
        self._appear()

    def announce(self, text: str) -> None:
        """Like `tell`, but waits for as long as something can still be taken back."""
        if self._undo is None:
            self.tell(text)
        else:
            self._waiting.append(text)

    def undo(self) -> bool:
        """Takes back what was done, if it still can be; whether it could."""
        undo = self._undo
        self._end()
        if undo:
            undo()
            self._tell_waiting()
        return undo is not None

    def settle(self) -> None:
        """From here on it cannot be taken back."""
        gone = self._gone
        self._end()
        if gone:
            gone()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

    def _pass(self) -> None:
        """The time of what is shown is over."""
        self.settle()
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        if self._waiting and self._undo is None:
            self.tell(self._waiting.pop(0))

    def _end(self) -> None:
        self._undo = self._gone = None
        self._timer.stop()
        self.hide()

    def _appear(self) -> None:
        self._place()
        self.show()
        self.raise_()
        self._timer.start()

    def _place(self) -> None:
        self.adjustSize()
        self.move((self._window.width() - self.width()) // 2, self._window.height() - self.height() - _ABOVE_COMPOSER)
