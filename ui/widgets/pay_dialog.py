"""Paying: what and to whom, then what it costs and what it gives away, and only then the payment itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QVBoxLayout, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Kind, Payment
from personal_ai.wallet.wallet import Preview
from ui.bridge import Operation
from ui.payment_words import kind_words, short_address, whole_address
from ui.text import DOT, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS
from ui.widgets.basic import Button, clear, column, frame, label
from ui.widgets.fitted_dialog import FittedDialog
from ui.widgets.form import buttons
from ui.widgets.notice import LinkNotice, Problem

if TYPE_CHECKING:
    from personal_ai.app.money import Offer
    from personal_ai.identities.vault_notes import Contact
    from ui.till import Till

_WIDTH = 520


class PayDialog(FittedDialog):
    """`paid` carries the payment that was made; `stopped` follows one that was stopped and can be gone on with."""

    paid = Signal(object)
    stopped = Signal()

    def __init__(self, till: Till, title: str, kinds: Sequence[Kind], parent: QWidget) -> None:
        super().__init__(parent)
        self._till = till
        self._offer: Offer | None = None
        self._payment: Operation[Payment] | None = None
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.kind = QComboBox()
        for kind in kinds:
            self.kind.addItem(kind_words(kind), kind)
        self.amount = QLineEdit()
        self.target = QComboBox()
        self.target.setEditable(True)
        self.target.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._outcome = column(spacing=SPACE_M)
        self.agreed = QCheckBox(tr("I know that this cannot be undone. Pay all the same."))
        self.agreed.toggled.connect(self._show_buttons)
        self.go = Button("", "primary", on_click=self._go)
        self.leave = Button(tr("Cancel"), on_click=self.reject)
        self._arrange()
        self.kind.currentIndexChanged.connect(self._change_kind)
        self.amount.textEdited.connect(self._start_over)
        self.target.editTextChanged.connect(self._start_over)
        self.target.activated.connect(lambda _: self.target.setEditText(self.target.currentData()))
        self._change_kind()
        self.amount.setFocus()

    def _arrange(self) -> None:
        layout = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_L)
        layout.addLayout(_field(tr("What"), self.kind))
        layout.addLayout(_field(tr("How much"), self.amount))
        self._to = QWidget()
        self._to_meaning = label("", "small", wrap=True)
        inside = column(self._to, spacing=SPACE_XS)
        inside.addLayout(_field(tr("To"), self.target))
        inside.addWidget(self._to_meaning)
        layout.addWidget(self._to)
        layout.addLayout(self._outcome)
        layout.addWidget(self.agreed)
        layout.addStretch()
        layout.addLayout(buttons(self.leave, self.go))

    # What is to be paid

    @property
    def _chosen(self) -> Kind:
        return Kind(self.kind.currentData())

    def _change_kind(self) -> None:
        """Another kind is paid to others: whoever was typed for the one before is let go."""
        kind = self._chosen
        self.amount.setPlaceholderText(tr("For example 1.25, in {symbol}").format(symbol=kind.token.symbol))
        self.target.clear()
        self.target.clearEditText()
        self._to.setVisible(kind is not Kind.CONVERT)
        self._to_meaning.setText(_target_meaning(kind))
        if kind is not Kind.CONVERT:
            self._till.find_receivers(kind).owned_by(self).on_success(lambda found: self._suggest(kind, found))
        self._start_over()

    def _suggest(self, kind: Kind, found: Sequence[Contact]) -> None:
        if kind is not self._chosen:
            return
        typed = self.target.currentText()
        for one in found:
            self.target.addItem(one.name + DOT + short_address(one.address), one.address)
        self.target.setCurrentIndex(-1)
        self.target.setEditText(typed)

    def _start_over(self) -> None:
        """What was previewed is no longer what the fields say."""
        self._offer = None
        clear(self._outcome)
        self.agreed.setChecked(False)
        self._show_buttons()

    # What it costs

    def _go(self) -> None:
        if self._offer is None:
            self._ask()
        else:
            self._pay(self._offer.preview)

    def _ask(self) -> None:
        kind = self._chosen
        target = None if kind is Kind.CONVERT else self.target.currentText().strip()
        clear(self._outcome)
        self._set_busy(True)
        operation = self._till.offer(kind, self.amount.text(), target).owned_by(self)
        operation.on_success(self._show_offer).on_failure(self._show_problem).on_end(lambda: self._set_busy(False))

    def _show_offer(self, offer: Offer) -> None:
        self._offer = offer
        self._outcome.addWidget(_described(offer.preview))
        if offer.warning is not None:
            self._outcome.addWidget(LinkNotice(offer.warning))
        self._show_buttons()
        (self.agreed if self.agreed.isVisible() else self.go).setFocus()

    def _show_buttons(self) -> None:
        offer = self._offer
        affordable = offer is not None and offer.preview.affordable
        warned = affordable and offer is not None and offer.warning is not None
        self.agreed.setVisible(warned)
        if offer is None:
            self.go.setText(tr("See what it costs"))
            self.go.setEnabled(True)
        else:
            preview = offer.preview
            self.go.setText(tr("Pay {amount}").format(amount=preview.kind.token.show(preview.total)))
            self.go.setEnabled(affordable and (not warned or self.agreed.isChecked()))

    # The payment

    def _pay(self, preview: Preview) -> None:
        self._set_busy(True)
        self.go.setText(tr("Paying…"))
        self.leave.setText(tr("Stop"))
        self.leave.setFocus()
        self._payment = self._till.pay(preview)
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
        """No second try from here, which would be a second payment: the wallet lists this one if it is still open."""
        self._payment = None
        self._show_problem(error)
        where = tr("Where it is not certain whether it was sent, the wallet lists the payment and goes on with it.")
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

    def _show_problem(self, error: UserFacingError) -> None:
        self._outcome.addWidget(Problem(error))

    def _set_busy(self, busy: bool) -> None:
        for widget in (self.kind, self.amount, self.target, self.agreed):
            widget.setEnabled(not busy)
        if busy:
            self.go.setEnabled(False)
        else:
            self._show_buttons()


def _field(name: str, widget: QWidget) -> QVBoxLayout:
    widget.setAccessibleName(name)
    title = label(name, "strong")
    title.setBuddy(widget)
    layout = column(spacing=SPACE_XS)
    layout.addWidget(title)
    layout.addWidget(widget)
    return layout


def _target_meaning(kind: Kind) -> str:
    if kind.into_canister:
        return tr("One of your AIs, or a canister's id.")
    if kind is Kind.SEND_ICP:
        return tr("From your address book, an account id, or a principal: somebody's public name on the network.")
    return tr("From your address book, or a principal: somebody's public name on the network.")


def _described(preview: Preview) -> QWidget:
    """The payment in lines: amount, fee, what leaves the account, what is left or missing, what it brings."""
    token = preview.kind.token
    card, layout = frame("notice", margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
    amount, total = token.show(preview.amount), token.show(preview.total)
    layout.addWidget(label(tr("{amount}, and a fee of {fee}").format(amount=amount, fee=token.show(preview.fee))))
    if preview.affordable:
        left = token.show(preview.available - preview.total)
        layout.addWidget(label(tr("{total} leave the account; {left} stay.").format(total=total, left=left), wrap=True))
    else:
        words = tr("This takes {total}, and {available} are there. Pay less, or receive more first.")
        there = token.show(preview.available)
        layout.addWidget(label(words.format(total=total, available=there), "bad", wrap=True))
    if preview.cycles is not None:
        brings = tr("It brings about {cycles}; the rate may have moved a little by then.")
        layout.addWidget(label(brings.format(cycles=Token.CYCLES.show(preview.cycles)), wrap=True))
    if preview.kind is not Kind.CONVERT:
        layout.addWidget(label(tr("To {target}").format(target=whole_address(preview.target)), "small", wrap=True))
    return card
