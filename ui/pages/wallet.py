"""Wallet: what each identity has, receiving, paying, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QWidget

from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import UserFacingError
from personal_ai.wallet.journal import Kind, Payment
from ui.payment_words import kind_words
from ui.profile import Profile
from ui.text import network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.till import Till
from ui.widgets.balance_card import BalanceCard
from ui.widgets.basic import Button, clear, column, frame, label, row
from ui.widgets.notice import Problem
from ui.widgets.pay_dialog import PayDialog
from ui.widgets.payments import HistoryCard, OpenPayments
from ui.widgets.receive_dialog import ReceiveDialog
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from collections.abc import Callable

_SEND = (Kind.SEND_ICP, Kind.SEND_CYCLES, Kind.TOP_UP)
_CONVERT = (Kind.CONVERT, Kind.CONVERT_TOP_UP)


class WalletPage(ScrollPage):
    """Draws a `Till`; one interrupted payment is gone on with at a time."""

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self._profile = profile
        self._toast = toast
        self.till = Till(profile)
        self.networks = _choice(tr("Network"))
        self.networks.activated.connect(lambda _: self.till.choose_network(self.networks.currentData()))
        self.purses = _choice(tr("Whose money"))
        self.purses.activated.connect(lambda at: self.till.choose(self.till.purses[at]))
        self._instead = column(spacing=SPACE_L)
        self.balance = BalanceCard()
        self.open_payments = OpenPayments()
        self.history = HistoryCard()
        self._arrange()
        self._connect()
        self._refresh()

    def _arrange(self) -> None:
        self.column.addLayout(self._header())
        self.column.addLayout(self._instead)
        for widget in (self.balance, self.open_payments, self.history):
            self.column.addWidget(widget)

    def _header(self) -> QHBoxLayout:
        header = row(spacing=SPACE_S)
        header.addWidget(label(tr("Wallet"), "heading1"))
        header.addStretch()
        header.addWidget(self.networks)
        header.addWidget(self.purses)
        return header

    def _connect(self) -> None:
        self.till.changed.connect(self._refresh)
        self._profile.changed.connect(self._read_if_seen)
        self.balance.send_wanted.connect(lambda: self._pay(tr("Send"), _SEND))
        self.balance.convert_wanted.connect(lambda: self._pay(tr("Turn ICP into cycles"), _CONVERT))
        self.balance.receive_wanted.connect(self._receive)
        self.balance.gift_wanted.connect(self._get_gift)
        self.open_payments.go_on_wanted.connect(self._go_on)
        self.history.older_wanted.connect(self.till.read_older)

    # What people do

    def _pay(self, title: str, kinds: Sequence[Kind]) -> None:
        dialog = PayDialog(self.till, title, kinds, self)
        dialog.paid.connect(self._tell_done)
        dialog.stopped.connect(lambda: self._toast.tell(tr("Stopped. If anything was sent, you can go on here.")))
        dialog.open()

    def _receive(self) -> None:
        account, purse = self.till.account, self.till.purse
        assert account is not None
        assert purse is not None
        dialog = ReceiveDialog(purse.label, account.account, account.principal, self)
        dialog.copied.connect(lambda: self._toast.tell(tr("The address is on the clipboard.")))
        dialog.open()

    def _get_gift(self) -> None:
        self.balance.gift.setEnabled(False)
        self.till.give_practice_money().on_success(
            lambda amount: self._toast.tell(tr("{amount} of practice money came in.").format(amount=amount))
        )

    def _go_on(self, payment: Payment) -> None:
        self.till.go_on(payment).on_success(self._tell_done)

    def _tell_done(self, payment: Payment) -> None:
        amount = payment.kind.token.show(payment.amount)
        self._toast.tell(tr("{what}: {amount}, done.").format(what=kind_words(payment.kind), amount=amount))

    # Showing

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._profile.refresh()

    def _read_if_seen(self) -> None:
        """Deployments spend, and the network comes and goes: what is seen is read again."""
        if self.isVisible():
            self.till.open()

    def _refresh(self) -> None:
        till = self.till
        _fill(self.networks, [(network_name(one), one) for one in till.networks], till.network)
        labels = [(one.label, one.principal) for one in till.purses]
        _fill(self.purses, labels, till.purse.principal if till.purse else None)
        self.purses.setVisible(bool(till.purses))
        clear(self._instead)
        if (instead := self._instead_of_money()) is not None:
            self._instead.addWidget(instead)
        account, history = till.account, till.history
        shown = account is not None and not till.stopped
        for widget in (self.balance, self.history):
            widget.setVisible(shown)
        self.open_payments.setVisible(False)
        if shown and account is not None and history is not None:
            self.balance.show_account(account, practice=till.network == PRACTICE)
            self.balance.gift.setEnabled(True)
            self.open_payments.show_payments(account.open_payments, enabled=not till.going_on)
            self.history.show_history(history, has_older=till.has_older)
            self.history.older.setEnabled(not till.reading)

    def _instead_of_money(self) -> QWidget | None:
        """What stands above, or in the place of, balances that are not known."""
        till = self.till
        if till.empty:
            return _empty(till.make_purse)
        if till.stopped:
            return _stopped(self._profile.start_network)
        if till.problem is not None:
            return _failed(till.problem, till.read)
        return _reading() if till.account is None else None


def _choice(name: str) -> QComboBox:
    made = QComboBox()
    made.setAccessibleName(name)
    made.setToolTip(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return made


def _fill(choice: QComboBox, items: Sequence[tuple[str, str]], chosen: str | None) -> None:
    """Shows the items, and which of them is chosen, without a word to anybody."""
    if [(choice.itemText(at), choice.itemData(at)) for at in range(choice.count())] != list(items):
        choice.clear()
        for words, data in items:
            choice.addItem(words, data)
    choice.setCurrentIndex(choice.findData(chosen))


def _card(title: str, words: Sequence[str]) -> tuple[QFrame, Callable[[QWidget], None]]:
    card, layout = frame("card", margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL), spacing=SPACE_M)
    layout.addWidget(label(title, "heading1"))
    for text in words:
        layout.addWidget(label(text, wrap=True))
    return card, lambda widget: layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignLeft)


def _empty(make: Callable[[], object]) -> QWidget:
    card, add = _card(
        tr("No money yet, and nobody to hold it"),
        (
            tr(
                "Money lies on the accounts of an identity: a key that is made from your recovery words and that only "
                "you have. On the practice network it is worth nothing, and you can have as much as you like."
            ),
        ),
    )
    add(Button(tr("Make an identity for money"), "primary", on_click=make))
    return card


def _stopped(start: Callable[[], object]) -> QWidget:
    card, add = _card(
        tr("The practice network is not running"),
        (tr("Your practice money lies on it, untouched. It is a program on this computer and starts in seconds."),),
    )
    add(Button(tr("Start the network"), "primary", on_click=start))
    return card


def _failed(error: UserFacingError, again: Callable[[], object]) -> QWidget:
    box = QWidget()
    layout = column(box, spacing=SPACE_M)
    layout.addWidget(Problem(error))
    layout.addWidget(Button(tr("Try again"), on_click=again), 0, Qt.AlignmentFlag.AlignLeft)
    return box


def _reading() -> QWidget:
    card, _ = _card(tr("Reading the ledgers…"), (tr("Balances and history come from the network itself."),))
    return card
