"""The cycles of an AI: how long they last, why, and what is done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QWidget

from personal_ai.deployments.health import Health
from ui.ai_words import (
    bill_words,
    cycles_words,
    runway_advice,
    runway_number,
    runway_reasons,
    runway_words,
)
from ui.text import count, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS, SPACE_XXL
from ui.widgets.basic import Button, Number, clear, column, label, row
from ui.widgets.burn_chart import BurnChart

if TYPE_CHECKING:
    from personal_ai.deployments.burn_history import Budget
    from ui.ai_desk import AiView

_BUDGET_DAYS = 30


class CyclesCard(QFrame):
    """`top_up_wanted`, and `budget_wanted`: what may be spent without asking."""

    top_up_wanted = Signal()
    budget_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(tr("Cycles"))
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(tr("Cycles"), "heading2"))
        self._numbers = QWidget()
        self._cycles, self._runway, self._day = Number(tr("In it")), Number(tr("Runway")), Number(tr("A day takes"))
        numbers = row(self._numbers, spacing=SPACE_XXL)
        for figure in (self._cycles, self._runway, self._day):
            numbers.addWidget(figure)
        numbers.addStretch()
        layout.addWidget(self._numbers)
        self._advice = label("", "strong", wrap=True)
        layout.addWidget(self._advice)
        self.chart = BurnChart()
        layout.addWidget(self.chart)
        self._reasons = QWidget()
        self._reasons_lines = column(self._reasons, spacing=SPACE_XS)
        self._reasons.hide()
        layout.addWidget(self._reasons)
        self._budget = label("", "small", wrap=True)
        layout.addWidget(self._budget)
        self.top_up = Button(tr("Top up…"), on_click=self.top_up_wanted.emit)
        self.budget = Button(tr("Top up by itself…"), on_click=self.budget_wanted.emit)
        self.why = Button(tr("Why?"), "quiet", on_click=self._fold)
        buttons = row(spacing=SPACE_S)
        for button in (self.top_up, self.budget, self.why):
            buttons.addWidget(button)
        buttons.addStretch()
        layout.addLayout(buttons)

    def show_view(self, view: AiView) -> None:
        sight = view.sight
        runway = None if sight is None else sight.look.runway
        self.chart.show_curve(view.readings, runway)
        for widget in (self.top_up, self.budget, self.why):
            widget.setEnabled(sight is not None)
        self._numbers.setVisible(sight is not None)
        if sight is None or runway is None:
            self._advice.hide()
            self._budget.hide()
            return
        self._cycles.show_figure(cycles_words(runway.cycles), tr("cycles"))
        self._runway.show_figure(runway_number(runway), runway_words(runway, sight.seen_at_ns))
        self._day.show_figure(cycles_words(runway.burned_per_day), tr("cycles"))
        frozen = sight.look.health is Health.FROZEN  # which the page says above all
        self._advice.setText("" if frozen else runway_advice(runway))
        self._advice.setVisible(bool(self._advice.text()))
        self._show_reasons([*runway_reasons(runway), *bill_words(sight.look.bill)])
        self._show_budget(sight.look.budget)

    def _show_reasons(self, reasons: list[str]) -> None:
        clear(self._reasons_lines)
        for reason in reasons:
            self._reasons_lines.addWidget(label(reason, wrap=True))

    def _show_budget(self, budget: Budget | None) -> None:
        self._budget.setVisible(budget is not None)
        if budget is None:
            return
        if budget.paused:
            words = tr(
                "Its budget ({cycles} cycles in any {period} days, to last {days}) came from a backup and rests. The "
                "computer before may still be spending it: allow it here only once that one no longer does."
            )
        else:
            words = tr(
                "It is topped up by itself to last {days}, for at most {cycles} cycles in any {period} days, while "
                "this program runs."
            )
        self._budget.setText(
            words.format(
                days=count(budget.keep_days, tr("day"), tr("days")),
                cycles=cycles_words(budget.cycles_per_30_days),
                period=_BUDGET_DAYS,
            )
        )

    def _fold(self) -> None:
        self._reasons.setVisible(self._reasons.isHidden())
        self.why.setText(tr("Why?") if self._reasons.isHidden() else tr("Hide the reasons"))
