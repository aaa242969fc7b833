"""What a purse holds, and what can be done with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout

from personal_ai.wallet.amounts import Token
from ui.text import duration, tr
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import Button, column, label, row

if TYPE_CHECKING:
    from personal_ai.app.money import Account


class BalanceCard(QFrame):
    """`gift_wanted`: practice money, offered on the practice network only."""

    send_wanted = Signal()
    convert_wanted = Signal()
    receive_wanted = Signal()
    gift_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self._icp, self._icp_worth = label("", "number"), label("", "small")
        self._cycles = label("", "number")
        self._rate = label("", "small", wrap=True)
        self.send = Button(tr("Send"), "primary", on_click=self.send_wanted.emit)
        self.convert = Button(tr("Turn ICP into cycles"), on_click=self.convert_wanted.emit)
        self.receive = Button(tr("Receive"), on_click=self.receive_wanted.emit)
        self.gift = Button(tr("Get practice money"), "quiet", on_click=self.gift_wanted.emit)
        self.gift.setToolTip(tr("Practice money is worth nothing and costs nothing"))
        layout = column(self, margins=(SPACE_XL, SPACE_L + 4, SPACE_XL, SPACE_L + 4), spacing=SPACE_L)
        numbers = row(spacing=SPACE_XXL)
        numbers.addLayout(_number(tr("ICP"), self._icp, self._icp_worth))
        numbers.addLayout(_number(tr("Cycles"), self._cycles, label(tr("what canisters run on"), "small")))
        numbers.addStretch()
        layout.addLayout(numbers)
        layout.addWidget(self._rate)
        acts = row(spacing=SPACE_S)
        for button in (self.send, self.convert, self.receive):
            acts.addWidget(button)
        acts.addStretch()
        acts.addWidget(self.gift)
        layout.addLayout(acts)

    def show_account(self, account: Account, *, practice: bool) -> None:
        balances, rate = account.balances, account.rate
        self._icp.setText(Token.ICP.show(balances.icp_e8s))
        self._icp_worth.setText(tr("as much as {cycles}").format(cycles=_short_cycles(rate.cycles(balances.icp_e8s))))
        self._cycles.setText(_short_cycles(balances.cycles))
        self._cycles.setToolTip(Token.CYCLES.show(balances.cycles))
        one = _short_cycles(rate.cycles(10**Token.ICP.digits))
        age = duration(max(time.time() - rate.timestamp_s, 0))
        self._rate.setText(tr("1 ICP comes to {cycles} (rate {age} old).").format(cycles=one, age=age))
        self.convert.setEnabled(balances.icp_e8s > 0)
        self.gift.setVisible(practice)


def _number(name: str, number: QLabel, meaning: QLabel) -> QVBoxLayout:
    layout = column(spacing=1)
    for part in (label(name, "small"), number, meaning):
        layout.addWidget(part)
    return layout


def _short_cycles(cycles: int) -> str:
    """To three digits behind the point; the tooltip has them all."""
    return f"{cycles / 10**Token.CYCLES.digits:,.3f} {Token.CYCLES.symbol}"
