"""Putting cycles into an AI: how long it shall last, what that costs and who pays, and only then the payment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import BadInputError, UserFacingError
from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.amounts import Token
from ui.ai_words import cycles_words, runway_words
from ui.bridge import Operation
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS
from ui.widgets.basic import Button, clear, column, frame, label
from ui.widgets.fitted_dialog import FittedDialog
from ui.widgets.form import buttons
from ui.widgets.notice import LinkNotice, Problem

if TYPE_CHECKING:
    from personal_ai.app.money import Offer
    from personal_ai.deployments.runway import Runway
    from personal_ai.wallet.journal import Payment
    from ui.ai_desk import AiDesk, Sight

_WIDTH = 520
_CHOSEN_DAYS = 365
_OWN_AMOUNT = "1"


class TopUpDialog(FittedDialog):
    """`paid` carries the payment, `stopped` follows one that can be gone on with; `wallet_wanted` to bring cycles."""

    paid = Signal(object)
    stopped = Signal()
    wallet_wanted = Signal()

    def __init__(self, desk: AiDesk, deployment: Deployment, sight: Sight, parent: QWidget) -> None:
        super().__init__(parent)
        self._desk = desk
        self._deployment = deployment
        self._sight = sight
        self._offer: Offer | None = None
        self._asking: Operation[Offer] | None = None
        self._payment: Operation[Payment] | None = None
        self.setWindowTitle(tr("Top up {name}").format(name=deployment.name))
        self.setMinimumWidth(_WIDTH)
        self.how_long = QComboBox()
        self.amount = QLineEdit(_OWN_AMOUNT)
        self._outcome = column(spacing=SPACE_M)
        self.agreed = QCheckBox(tr("I know that this cannot be undone. Pay all the same."))
        self.go = Button("", "primary", on_click=self._pay)
        self.leave = Button(tr("Cancel"), on_click=self.reject)
        self.wallet = Button(tr("To the wallet"), on_click=self._go_to_wallet)
        self._fill()
        self._arrange()
        self.how_long.currentIndexChanged.connect(self._ask)
        self.amount.textEdited.connect(self._ask)
        self.agreed.toggled.connect(self._show_buttons)
        self.finished.connect(self.deleteLater)
        self._ask()

    def _fill(self) -> None:
        """The times for which something is lacking; a year is chosen, or what is next to it."""
        for days, words in _times():
            if self._runway.lacking(days) > 0:
                self.how_long.addItem(words, days)
        self.how_long.addItem(tr("As much as I say"), None)
        at = self.how_long.findData(_CHOSEN_DAYS)
        self.how_long.setCurrentIndex(max(at, 0))

    def _arrange(self) -> None:
        layout = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_L)
        layout.addWidget(label(self.windowTitle(), "heading1", wrap=True))
        layout.addWidget(_field(tr("To last from now"), self.how_long))
        self._own = _field(tr("Trillions of cycles"), self.amount)
        layout.addWidget(self._own)
        layout.addLayout(self._outcome)
        layout.addWidget(self.agreed)
        foot = buttons(self.leave, self.go)
        foot.insertWidget(1, self.wallet)
        layout.addLayout(foot)

    # What it costs

    @property
    def _runway(self) -> Runway:
        return self._sight.look.runway

    def _wanted(self) -> int:
        """In cycles. Raises BadInputError where what was typed is no amount."""
        days = self.how_long.currentData()
        return Token.CYCLES.parse(self.amount.text()) if days is None else self._runway.lacking(days)

    def _ask(self) -> None:
        """Finds out what the choice costs; an older question no longer counts."""
        self._own.setVisible(self.how_long.currentData() is None)
        self._offer, self._asking = None, None
        clear(self._outcome)
        self.agreed.setChecked(False)
        self._show_buttons()
        try:
            wanted = self._wanted()
        except BadInputError as error:
            self._outcome.addWidget(Problem(error))
            return
        self._outcome.addWidget(label(tr("Working out what it costs…"), "muted"))
        asking = self._asking = self._desk.offer_top_up(self._deployment, wanted).owned_by(self)
        asking.on_success(lambda offer: self._show_offer(asking, offer))
        asking.on_failure(lambda error: self._show_problem(asking, error))

    def _show_offer(self, asking: Operation[Offer], offer: Offer) -> None:
        if asking is not self._asking:
            return
        clear(self._outcome)
        self._offer = offer
        self._outcome.addWidget(self._described(offer))
        if offer.warning is not None:
            self._outcome.addWidget(LinkNotice(offer.warning))
        self._show_buttons()

    def _show_problem(self, asking: Operation[Offer], error: UserFacingError) -> None:
        if asking is self._asking:
            clear(self._outcome)
            self._outcome.addWidget(Problem(error))

    def _described(self, offer: Offer) -> QWidget:
        """What it costs, who pays, and what comes of it."""
        preview = offer.preview
        card, layout = frame("notice", margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
        after = replace(self._runway, cycles=self._runway.cycles + preview.amount)
        layout.addWidget(label(runway_words(after, self._sight.seen_at_ns), "strong", wrap=True))
        words = tr("{amount} cycles go into it, and {fee} are the fee.")
        layout.addWidget(label(words.format(amount=cycles_words(preview.amount), fee=cycles_words(preview.fee))))
        layout.addWidget(label(self._payer_words(offer), "" if self._affordable(offer) else "bad", wrap=True))
        return card

    def _payer_words(self, offer: Offer) -> str:
        preview, name = offer.preview, self._deployment.name
        there = cycles_words(preview.available)
        if preview.affordable:
            words = tr("{name}'s own identity pays, and has {there}: nothing ties it to your other identities.")
        elif self._deployment.network == PRACTICE:
            words = tr("The practice network gives {name} what is lacking. It is worth nothing, and costs nothing.")
        else:
            words = tr("{name}'s own identity has {there}. Bring ICP or cycles to it in the wallet first.")
        return words.format(name=name, there=there)

    def _affordable(self, offer: Offer) -> bool:
        return offer.preview.affordable or self._deployment.network == PRACTICE

    def _show_buttons(self) -> None:
        offer = self._offer
        warned = offer is not None and offer.warning is not None
        affordable = offer is not None and self._affordable(offer)
        self.agreed.setVisible(warned and affordable)
        self.wallet.setVisible(offer is not None and not affordable)
        self.go.setEnabled(affordable and (not warned or self.agreed.isChecked()))
        amount = "" if offer is None else cycles_words(offer.preview.amount)
        self.go.setText(tr("Top up with {amount}").format(amount=amount) if amount else tr("Top up"))

    def _go_to_wallet(self) -> None:
        self.reject()
        self.wallet_wanted.emit()

    # The payment

    def _pay(self) -> None:
        if self._offer is None:
            return
        for widget in (self.how_long, self.amount, self.agreed, self.go):
            widget.setEnabled(False)
        self.go.setText(tr("Paying…"))
        self.leave.setText(tr("Stop"))
        self.leave.setFocus()
        self._payment = self._desk.top_up(self._deployment, self._offer.preview)
        self._payment.on_success(self._end_paid).on_failure(self._end_failed).on_cancelled(self._end_stopped)

    def _end_paid(self, payment: Payment) -> None:
        self._payment = None
        self.paid.emit(payment)
        self.accept()

    def _end_stopped(self) -> None:
        self._payment = None
        self.stopped.emit()
        self.reject()

    def _end_failed(self, error: UserFacingError) -> None:
        """No second try from here, which would be a second payment: Activity lists this one if it is still open."""
        self._payment = None
        self._outcome.addWidget(Problem(error))
        where = tr("Where it is not certain whether it was sent, Activity lists the payment and goes on with it.")
        self._outcome.addWidget(label(where, "small", wrap=True))
        self.go.hide()
        self.leave.setText(tr("Close"))
        self.leave.setEnabled(True)
        self.leave.setFocus()

    def reject(self) -> None:
        """While a payment is under way it is stopped at a safe place first, and the dialog goes with its end."""
        if self._payment is None:
            super().reject()
            return
        self._payment.cancel()
        self.leave.setText(tr("Stopping…"))
        self.leave.setEnabled(False)


def _times() -> tuple[tuple[int, str], ...]:
    return (
        (90, tr("Three months")),
        (183, tr("Half a year")),
        (_CHOSEN_DAYS, tr("A year")),
        (2 * _CHOSEN_DAYS, tr("Two years")),
        (5 * _CHOSEN_DAYS, tr("Five years")),
    )


def _field(name: str, widget: QWidget) -> QWidget:
    widget.setAccessibleName(name)
    box = QWidget()
    inside = column(box, spacing=SPACE_XS)
    title = label(name, "strong")
    title.setBuddy(widget)
    inside.addWidget(title)
    inside.addWidget(widget)
    return box
