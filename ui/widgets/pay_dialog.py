"""Paying: what and to whom, then what it costs and what it gives away, and only then the payment itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Kind
from personal_ai.wallet.wallet import Preview
from ui.payment_words import kind_words, short_address, whole_address
from ui.text import DOT, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS
from ui.widgets.basic import clear, column, frame, label
from ui.widgets.form import buttons, named
from ui.widgets.notice import LinkNotice
from ui.widgets.payment_dialog import PaymentDialog

if TYPE_CHECKING:
    from personal_ai.app.money import Offer
    from personal_ai.identities.vault_notes import Contact
    from ui.till import Till


class PayDialog(PaymentDialog):
    """From one purse, what is chosen among some kinds of payments."""

    def __init__(self, till: Till, title: str, kinds: Sequence[Kind], parent: QWidget) -> None:
        where = tr("Where it is not certain whether it was sent, the wallet lists the payment and goes on with it.")
        super().__init__(parent, title, listed_in=where)
        self._till = till
        self._offer: Offer | None = None
        self.kind = QComboBox()
        for kind in kinds:
            self.kind.addItem(kind_words(kind), kind)
        self.amount = QLineEdit()
        self.target = QComboBox()
        self.target.setEditable(True)
        self.target.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.agreed.toggled.connect(self._show_buttons)
        self.go.clicked.connect(self._go)
        self._arrange()
        self.kind.currentIndexChanged.connect(self._change_kind)
        self.amount.textEdited.connect(self._start_over)
        self.target.editTextChanged.connect(self._start_over)
        self.target.activated.connect(lambda _: self.target.setEditText(self.target.currentData()))
        self._change_kind()
        self.amount.setFocus()

    def _arrange(self) -> None:
        layout = self.column
        layout.addLayout(named(tr("What"), self.kind))
        layout.addLayout(named(tr("How much"), self.amount))
        self._to = QWidget()
        self._to_meaning = label("", "small", wrap=True)
        inside = column(self._to, spacing=SPACE_XS)
        inside.addLayout(named(tr("To"), self.target))
        inside.addWidget(self._to_meaning)
        layout.addWidget(self._to)
        layout.addLayout(self.outcome)
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
        self.start_over()
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
        clear(self.outcome)
        self._set_busy(True)
        operation = self._till.offer(kind, self.amount.text(), target).owned_by(self)
        operation.on_success(self._show_offer).on_failure(self.show_problem).on_end(self._end_asking)

    def _show_offer(self, offer: Offer) -> None:
        self._offer = offer
        self.outcome.addWidget(_described(offer.preview))
        if offer.warning is not None:
            self.outcome.addWidget(LinkNotice(offer.warning))

    def _end_asking(self) -> None:
        self._set_busy(False)
        if self.agreed.isVisible():
            self.agreed.setFocus()
        elif self._offer is not None and self._offer.preview.affordable:
            self.go.setFocus()
        else:
            self.amount.setFocus()

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
        self.follow(self._till.pay(preview))

    def _set_busy(self, busy: bool) -> None:
        for widget in (self.kind, self.amount, self.target, self.agreed):
            widget.setEnabled(not busy)
        if busy:
            self.go.setEnabled(False)
        else:
            self._show_buttons()


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
