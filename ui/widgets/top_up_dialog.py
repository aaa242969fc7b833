"""Putting cycles into an AI: how long it shall last, what that costs and who pays, and only then the payment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import BadInputError, UserFacingError
from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.amounts import Token
from ui.ai_words import cycles_words, runway_words
from ui.bridge import Operation
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, clear, frame, label
from ui.widgets.form import buttons, named
from ui.widgets.notice import LinkNotice
from ui.widgets.payment_dialog import PaymentDialog

if TYPE_CHECKING:
    from personal_ai.app.money import Offer
    from personal_ai.deployments.runway import Runway
    from ui.ai_desk import AiDesk, Sight

_CHOSEN_DAYS = 365
_OWN_AMOUNT = "1"


class TopUpDialog(PaymentDialog):
    """`wallet_wanted`: cycles must be brought first."""

    wallet_wanted = Signal()

    def __init__(self, desk: AiDesk, deployment: Deployment, sight: Sight, parent: QWidget) -> None:
        super().__init__(
            parent,
            tr("Top up {name}").format(name=deployment.name),
            listed_in=tr(
                "Where it is not certain whether it was sent, Activity lists the payment and goes on with it."
            ),
        )
        self._desk = desk
        self._deployment = deployment
        self._sight = sight
        self._offer: Offer | None = None
        self._asking: Operation[Offer] | None = None
        self.how_long = QComboBox()
        self.amount = QLineEdit(_OWN_AMOUNT)
        self.go.clicked.connect(self._pay)
        self.wallet = Button(tr("To the wallet"), on_click=self._go_to_wallet)
        self._fill()
        self._arrange()
        self.how_long.currentIndexChanged.connect(self._ask)
        self.amount.textEdited.connect(self._ask)
        self.agreed.toggled.connect(self._show_buttons)
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
        layout = self.column
        layout.addLayout(named(tr("To last from now"), self.how_long))
        self._own = QWidget()
        self._own.setLayout(named(tr("Trillions of cycles"), self.amount))
        layout.addWidget(self._own)
        layout.addLayout(self.outcome)
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
        self.start_over()
        self._show_buttons()
        try:
            wanted = self._wanted()
        except BadInputError as error:
            self.show_problem(error)
            return
        self.outcome.addWidget(label(tr("Working out what it costs…"), "muted"))
        asking = self._asking = self._desk.offer_top_up(self._deployment, wanted).owned_by(self)
        asking.on_success(lambda offer: self._show_offer(asking, offer))
        asking.on_failure(lambda error: self._tell(asking, error))

    def _show_offer(self, asking: Operation[Offer], offer: Offer) -> None:
        if asking is not self._asking:
            return
        clear(self.outcome)
        self._offer = offer
        self.outcome.addWidget(self._described(offer))
        if offer.warning is not None:
            self.outcome.addWidget(LinkNotice(offer.warning))
        self._show_buttons()

    def _tell(self, asking: Operation[Offer], error: UserFacingError) -> None:
        if asking is self._asking:
            clear(self.outcome)
            self.show_problem(error)

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
        for widget in (self.how_long, self.amount):
            widget.setEnabled(False)
        self.follow(self._desk.top_up(self._deployment, self._offer.preview))


def _times() -> tuple[tuple[int, str], ...]:
    return (
        (90, tr("Three months")),
        (183, tr("Half a year")),
        (_CHOSEN_DAYS, tr("A year")),
        (2 * _CHOSEN_DAYS, tr("Two years")),
        (5 * _CHOSEN_DAYS, tr("Five years")),
    )
