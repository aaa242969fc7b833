"""While everything that is to be tried out is made ready: the steps, and a way on whatever happens."""

from __future__ import annotations

from PySide6.QtCore import Signal

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from ui.text import tr
from ui.theme.tokens import SPACE_M
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.form import FormPage, Mark, buttons
from ui.widgets.notice import Problem
from ui.widgets.steps import Steps


class TrialPage(FormPage):
    """`left` stops it; after a failure `again` tries once more, and `gone_without` does without the network."""

    left = Signal()
    again = Signal()
    gone_without = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(Mark())
        self.column.addWidget(label(tr("One moment"), "heading1"))
        self.column.addWidget(
            label(
                tr(
                    "A practice network is started on this computer, and the model is taken into a canister of your "
                    "own on it, step by step as on the real network."
                ),
                "muted",
                wrap=True,
            )
        )
        self._news = column(spacing=SPACE_M)
        self.column.addLayout(self._news)
        self._steps = Steps()
        self.leave = Button(tr("Back"), on_click=self.left.emit)
        self.without = Button(tr("Go on without the network"), on_click=self.gone_without.emit)
        self.once_more = Button(tr("Try again"), "primary", on_click=self.again.emit)
        self.column.addLayout(buttons(self.leave, self.without, self.once_more))
        self.begin()

    def begin(self) -> None:
        """From the first step."""
        clear(self._news)
        self._steps = Steps()
        self._news.addWidget(self._steps)
        self.leave.setEnabled(True)
        self.once_more.hide()
        self.without.hide()
        self.leave.setFocus()

    @property
    def step(self) -> str:
        """The step that is under way."""
        return self._steps.current

    def report(self, progress: Progress) -> None:
        self._steps.report(progress)

    def show_stopping(self) -> None:
        self._steps.hold()
        self.leave.setEnabled(False)

    def show_problem(self, error: UserFacingError, *, usable: bool) -> None:
        """usable: the model can be asked on this computer all the same."""
        self._steps.hold()
        self._news.addWidget(Problem(error))
        self.without.setVisible(usable)
        self.once_more.show()
        self.once_more.setFocus()
