"""What an AI's canister wrote into its log, and following it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QCheckBox, QPlainTextEdit

from personal_ai.common.errors import UserFacingError
from personal_ai.ic.rejections import printable
from ui.text import clock, tr
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.notice import Problem
from ui.widgets.section import Section, from_the_left

if TYPE_CHECKING:
    from personal_ai.ic.management import LogLine

_HEIGHT = 180
_LINES_MOST = 5000
_FOLLOW_MS = 2000


class LogCard(Section):
    """`lines_wanted` carries the number of the first line that is not here yet; answer with `show_lines`."""

    lines_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__(tr("Log"))
        self.body.addWidget(
            label(
                tr("The engine writes into it when something goes wrong. It never writes down what you ask it."),
                wrap=True,
            )
        )
        self._next = 0
        self._waiting = False
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setProperty("kind", "mono")
        self.text.setTabChangesFocus(True)
        self.text.setMaximumBlockCount(_LINES_MOST)
        self.text.setFixedHeight(_HEIGHT)
        self.text.setAccessibleName(tr("Lines of the log"))
        self.text.hide()
        self._said = label("", "muted")
        self._said.hide()
        self._trouble = column()
        self.body.addWidget(self.text)
        self.body.addWidget(self._said)
        self.body.addLayout(self._trouble)
        self.read = Button(tr("Read it"), on_click=self._ask)
        self.read.setAccessibleName(tr("Read the log"))
        self.follow = QCheckBox(tr("Follow it"))
        self.follow.toggled.connect(self._set_following)
        self.body.addLayout(from_the_left(self.read, self.follow))
        self._timer = QTimer(self, interval=_FOLLOW_MS)
        self._timer.timeout.connect(self._ask)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        """Nobody sees it any more."""
        super().hideEvent(event)
        self.follow.setChecked(False)

    def show_lines(self, lines: Sequence[LogLine]) -> None:
        """New ones, the oldest first; whoever reads further up is left there."""
        self._waiting = False
        clear(self._trouble)
        for line in lines:
            self.text.appendPlainText(f"{clock(line.time_ns)}  {printable(line.content.decode(errors='replace'))}")
            self._next = line.index + 1
        self.text.setVisible(self._next > 0)
        self._said.setText(tr("Nothing is in it."))
        self._said.setVisible(self._next == 0)

    def show_problem(self, error: UserFacingError) -> None:
        """Following ends with it."""
        self._waiting = False
        self.follow.setChecked(False)
        clear(self._trouble)
        self._trouble.addWidget(Problem(error))

    def _set_following(self, following: bool) -> None:
        if following:
            self._timer.start()
            self._ask()
        else:
            self._timer.stop()

    def _ask(self) -> None:
        if not self._waiting:
            self._waiting = True
            self.lines_wanted.emit(self._next)
