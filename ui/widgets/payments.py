"""Payments as lists: those that wait to be gone on with, and what happened on the accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QWidget

from personal_ai.wallet.history import History, HistoryItem
from personal_ai.wallet.journal import Payment
from ui.payment_words import kind_words, movement_words, short_address, state_words
from ui.text import DOT, clock, count, sentence, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, chip, clear, column, frame, label, row


class OpenPayments(QWidget):
    """Hidden where nothing was interrupted. `go_on_wanted` carries the payment."""

    go_on_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._layout = column(self, spacing=SPACE_M)
        self.hide()

    def show_payments(self, payments: Sequence[Payment], *, enabled: bool) -> None:
        """`enabled`: whether one may be gone on with now; one at a time."""
        clear(self._layout)
        for payment in payments:
            self._layout.addWidget(self._card(payment, enabled=enabled))
        self.setVisible(bool(payments))

    def _card(self, payment: Payment, *, enabled: bool) -> QFrame:
        card, layout = frame("card", margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_S)
        words, tone = state_words(payment.state)
        head = row(spacing=SPACE_S)
        title = f"{kind_words(payment.kind)}: {payment.kind.token.show(payment.amount)}"
        head.addWidget(label(title, "heading2"), 1)
        head.addWidget(chip(words, tone))
        layout.addLayout(head)
        layout.addWidget(
            label(
                tr(
                    "Begun on {when}, to {target}. Going on first finds out whether the ledger has it: it is never "
                    "made twice."
                ).format(when=clock(payment.created_at_time_ns), target=short_address(payment.target)),
                wrap=True,
            )
        )
        go = Button(tr("Go on"), on_click=lambda: self.go_on_wanted.emit(payment))
        go.setAccessibleName(tr("Go on with: {title}").format(title=title))
        go.setEnabled(enabled)
        layout.addWidget(go, 0, Qt.AlignmentFlag.AlignLeft)
        return card


class HistoryCard(QFrame):
    """`older_wanted`: what lies further back."""

    older_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self._rows = column(spacing=SPACE_M)
        self._end = label("", "small", wrap=True)
        self.older = Button(tr("Show older"), on_click=self.older_wanted.emit)
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(tr("History"), "heading2"))
        layout.addLayout(self._rows)
        layout.addWidget(self._end)
        layout.addWidget(self.older, 0, Qt.AlignmentFlag.AlignLeft)

    def show_history(self, history: History, *, has_older: bool) -> None:
        clear(self._rows)
        ended = [one for one in history.unsettled if not one.state.open and one.block_index is None]
        for line in _lines(history.items, ended):
            self._rows.addWidget(line)
        self.older.setVisible(has_older)
        self._end.setText(_end_words(history, shown=bool(history.items or ended)))
        self._end.setVisible(bool(self._end.text()))


class _Line(QWidget):
    """One movement or payment: what, with whom, how much, and a mark where it did not simply happen."""

    def __init__(self, time_ns: int, what: str, address: str, change: str) -> None:
        super().__init__()
        self.time_ns = time_ns
        self._line = row(self, spacing=SPACE_M)
        words = column(spacing=1)
        words.addWidget(label(what, wrap=True))
        details = [_when(time_ns), short_address(address)] if address else [_when(time_ns)]
        small = label(DOT.join(details), "small")
        small.setToolTip(address)
        words.addWidget(small)
        self._line.addLayout(words, 1)
        self._line.addWidget(label(change, "strong"))
        self.setAccessibleName(f"{what}, {change}, {_when(time_ns)}, {address}".rstrip(", "))

    def mark(self, payment: Payment) -> None:
        words, tone = state_words(payment.state)
        mark = chip(words, tone)
        mark.setToolTip(sentence(payment.said) if payment.said else "")
        self._line.insertWidget(1, mark, 0, Qt.AlignmentFlag.AlignVCenter)


def _lines(items: Sequence[HistoryItem], ended: Sequence[Payment]) -> list[_Line]:
    """Newest first: the ledgers' movements, and payments that ended without one."""
    lines = []
    for item in items:
        sign = "+" if item.change > 0 else "-" if item.change < 0 else ""
        change = f"{sign}{item.token.show(abs(item.change))}"
        lines.append(_Line(item.time_ns, movement_words(item), item.counterpart or "", change))
    for payment in ended:
        amount = payment.kind.token.show(payment.amount)
        line = _Line(payment.created_at_time_ns, kind_words(payment.kind), payment.target, amount)
        line.mark(payment)
        lines.append(line)
    return sorted(lines, key=lambda line: line.time_ns, reverse=True)


def _end_words(history: History, *, shown: bool) -> str:
    if history.cycles_from_block:
        blocks = count(history.cycles_from_block, tr("older block"), tr("older blocks"))
        return tr("The cycles ledger has no index: {blocks} of it were not read.").format(blocks=blocks)
    return "" if shown else tr("Nothing was received or sent yet.")


def _when(time_ns: int) -> str:
    """With the day always: a history is read months later."""
    return datetime.fromtimestamp(time_ns / 1e9, UTC).astimezone().strftime("%d %b %Y, %H:%M")
