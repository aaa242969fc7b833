"""Long work: its steps with rate and time left, stopping, and trying again."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, label, row
from ui.widgets.notice import Problem
from ui.widgets.steps import Steps


class WorkCard(QFrame):
    """pausable: what was done so far is kept when it is stopped, so that it can go on. hint: what stopping means."""

    stop_wanted = Signal()
    again_wanted = Signal()
    closed = Signal()

    def __init__(self, title: str, *, pausable: bool, hint: str = "") -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(title)
        self._steps = Steps()
        self._tail = column(spacing=SPACE_M)
        self._stop = Button(tr("Pause") if pausable else tr("Cancel"), on_click=self._ask_to_stop)
        kept = tr("What is fetched is kept, and it goes on later") if pausable else tr("Leaves nothing behind")
        self._stop.setToolTip(hint or kept)
        self.again = Button(tr("Go on") if pausable else tr("Try again"), on_click=self.again_wanted.emit)
        self._close = Button(tr("Close"), "quiet", on_click=self.closed.emit)
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(title, "heading2"))
        layout.addWidget(self._steps)
        layout.addLayout(self._tail)
        foot = row(spacing=SPACE_S)
        foot.addStretch()
        for button in (self._close, self.again, self._stop):
            foot.addWidget(button)
        layout.addLayout(foot)
        self.again.hide()
        self._close.hide()

    @property
    def step(self) -> str:
        return self._steps.current

    def report(self, progress: Progress) -> None:
        self._steps.report(progress)

    def take_focus(self) -> None:
        """The key that began it can stop it."""
        self.show()
        self._stop.setFocus()

    def show_problem(self, error: UserFacingError) -> None:
        """The error where it happened, and the way on."""
        self._steps.hold()
        self._tail.addWidget(Problem(error))
        self._stop.hide()
        self.again.show()
        self._close.show()
        self.again.setFocus()

    def _ask_to_stop(self) -> None:
        self._stop.setEnabled(False)
        self._stop.setText(tr("Stopping…"))
        self.stop_wanted.emit()
