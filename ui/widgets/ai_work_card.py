"""Long work on an AI, as its page shows it."""

from __future__ import annotations

from ui.ai_work import Work
from ui.text import tr
from ui.widgets.work_card import WorkCard


class AiWorkCard(WorkCard):
    """Follows `work`; call `show_work` when there is news of it."""

    def __init__(self, work: Work) -> None:
        super().__init__(
            work.title, pausable=True, hint=tr("Stops at the next safe place; what is done stays done, and it goes on")
        )
        self.again.setText(tr("Try again"))
        self.work = work
        self._told = False

    def show_work(self) -> None:
        if self.work.progress is not None and self.work.running:
            self.report(self.work.progress)
        if self.work.problem is not None and not self._told:
            self._told = True
            self.show_problem(self.work.problem)
