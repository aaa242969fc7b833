"""A conversation that the model can no longer follow as a whole, and what can be done: nothing is left out unasked."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel

from personal_ai.common.errors import UserFacingError
from ui.chat.room import Way
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, column, label


class RoomCard(QFrame):
    """`chosen` carries a Way; `stopped` when a summary is not to be waited for."""

    chosen = Signal(Way)
    stopped = Signal()

    def __init__(self, error: UserFacingError) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        self.setAccessibleName(error.what)
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
        layout.addWidget(label(tr("This conversation is longer than the model can follow"), "strong", wrap=True))
        layout.addWidget(label(f"{error.what} {error.not_lost}", wrap=True))
        layout.addWidget(label(tr("Your question waits in the box below. How should it go on?"), wrap=True))
        offers = (
            (
                Way.LEAVE_OUT,
                tr("Leave out what was said first"),
                tr("It stays here to be read; a line marks the place"),
            ),
            (Way.SUMMARISE, tr("Have it summarised"), tr("The model writes a summary and is told that instead")),
            (Way.NEW, tr("Carry on in a new chat"), tr("It begins with the newest messages; this one stays as it is")),
        )
        self._offers: list[Button] = []
        self._meanings: list[QLabel] = []
        for way, words, meaning in offers:
            button = Button(words, "suggestion", on_click=partial(self.chosen.emit, way))
            button.setAccessibleDescription(meaning)
            self._offers.append(button)
            self._meanings.append(label(meaning, "small", wrap=True))
            layout.addWidget(button)
            layout.addWidget(self._meanings[-1])
        self._busy = label(tr("Making room…"), "small")
        self._stop = Button(tr("Stop"), on_click=self.stopped.emit)
        layout.addWidget(self._busy)
        layout.addWidget(self._stop, 0, Qt.AlignmentFlag.AlignLeft)
        self.set_busy(busy=False)

    def set_busy(self, *, busy: bool) -> None:
        for widget in (*self._offers, *self._meanings):
            widget.setVisible(not busy)
        self._busy.setVisible(busy)
        self._stop.setVisible(busy)
        if busy:
            self._stop.setFocus()

    def take_focus(self) -> None:
        self.show()
        self._offers[0].setFocus()
