"""What a deployment costs and gives, line by line; what is there to pay it with, and where to send what is lacking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QWidget

from personal_ai.deployments.plan import usd
from personal_ai.wallet.amounts import Token
from ui.ai_words import cycles_words
from ui.payment_words import whole_address
from ui.text import FIRM, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, frame, label, row
from ui.widgets.fit_view import FitView
from ui.widgets.notice import LinkNotice
from ui.widgets.qr_code import QrCode

if TYPE_CHECKING:
    from personal_ai.app.setup import Bill
    from personal_ai.deployments.fit import Fit
    from personal_ai.deployments.plan import Plan

_MARGINS = (SPACE_XL, SPACE_L, SPACE_XL, SPACE_L)


class BillCard(QWidget):
    """`agreed` follows a change of what the payer has to know before: see `may_pay`."""

    agreed = Signal()

    def __init__(self, bill: Bill) -> None:
        super().__init__()
        self._bill = bill
        self._known = QCheckBox(tr("I know that this cannot be undone."))
        self._known.toggled.connect(self.agreed)
        layout = column(self, spacing=SPACE_L)
        layout.addWidget(_items(bill.plan))
        layout.addWidget(label(_account_words(bill), wrap=True))
        if not bill.payable:
            layout.addWidget(_where_to_send(bill))
        layout.addWidget(_outlook(bill.fit))
        for warning in bill.warnings:
            layout.addWidget(LinkNotice(warning))
        if bill.warnings:
            layout.addWidget(self._known)

    @property
    def may_pay(self) -> bool:
        """Whether a yes is all that is missing, and what it gives away was read."""
        return self._bill.payable and (not self._bill.warnings or self._known.isChecked())


def pay_words(bill: Bill) -> str:
    """What the button says that pays."""
    if bill.needs is None:
        return tr("Deploy, free of charge")
    if bill.conversion is not None:
        return tr("Pay {amount} and deploy").format(amount=Token.ICP.show(bill.conversion.total))
    return tr("Pay {amount} cycles and deploy").format(amount=cycles_words(bill.needs.cycles))


def _items(plan: Plan) -> QFrame:
    card, layout = frame("card", margins=_MARGINS, spacing=SPACE_M)
    grid = QGridLayout()
    grid.setHorizontalSpacing(SPACE_XL)
    grid.setVerticalSpacing(SPACE_S)
    grid.setColumnStretch(0, 1)
    lines = [(_item_words(item.what, plan), item.cycles, "") for item in plan.items]
    for at, (words, cycles, kind) in enumerate([*lines, (tr("Together"), plan.total, "strong")]):
        grid.addWidget(label(words, kind, wrap=True), at, 0)
        for column_at, text in enumerate((cycles_words(cycles), _dollars(cycles)), 1):
            grid.addWidget(label(text, kind), at, column_at, Qt.AlignmentFlag.AlignRight)
    layout.addLayout(grid)
    layout.addWidget(
        label(
            tr(
                "Cycles are what the network is paid with, here in trillions (T), billions (B) and millions (M). The "
                "reserve stays yours: it must lie in the canister, and pays its storage later on. Dollars at the rate "
                "of late 2026, which changes."
            ),
            "small",
            wrap=True,
        )
    )
    return card


def _outlook(fit: Fit) -> QFrame:
    card, layout = frame("card", margins=_MARGINS, spacing=SPACE_M)
    layout.addWidget(label(tr("What it will be like"), "heading2"))
    layout.addWidget(FitView(fit))
    return card


def _item_words(what: str, plan: Plan) -> str:
    return {
        "create": tr("Making the canister"),
        "install": tr("Putting the engine into it"),
        "upload": tr("Uploading the model"),
        "verify": tr("Checking and loading it"),
        "storage": tr("Storage for {days} days").format(days=plan.days),
        "replies": tr("About {count} replies").format(count=plan.replies.count),
        "reserve": tr("Reserve"),
    }[what]


def _dollars(cycles: int) -> str:
    words = tr("less than 0.01 USD") if usd(cycles) < 0.01 else tr("{usd} USD").format(usd=f"{usd(cycles):.2f}")
    return words.replace(" ", FIRM)


def _account_words(bill: Bill) -> str:
    if bill.needs is None:
        return tr("The practice network's faucet pays all of it: the cycles there are worth nothing.")
    if bill.conversion is None:
        more = tr("That is enough.")
    elif bill.payable:
        more = tr("{amount} on this AI's own account pay for what is lacking.")
        more = more.format(amount=Token.ICP.show(bill.conversion.total))
    else:
        more = tr("{lacking} are lacking on this AI's own account.")
        more = more.format(lacking=Token.CYCLES.show(bill.needs.lacking))
    if not bill.needs.available:
        return more
    there = tr("This AI's own account has {there} cycles.").format(there=cycles_words(bill.needs.available))
    return f"{there} {more}"


def _where_to_send(bill: Bill) -> QFrame:
    card, layout = frame("card", margins=_MARGINS, spacing=SPACE_L)
    layout.addWidget(label(tr("What to send, and where"), "heading2"))
    layout.addWidget(
        label(
            tr(
                "Either ICP, from an exchange or a wallet, or cycles. The address was made for this AI alone; whoever "
                "pays it learns it, so choose money that nothing else of yours has touched. Then look again."
            ),
            wrap=True,
        )
    )
    assert bill.needs is not None
    assert bill.conversion is not None
    icp, cycles = Token.ICP.show(bill.conversion.total), Token.CYCLES.show(bill.needs.lacking)
    layout.addLayout(_address(tr("{amount} or more, to this account").format(amount=icp), bill.account))
    name = tr("Or {amount}, to this name on the network (its principal)").format(amount=cycles)
    layout.addLayout(_address(name, bill.principal))
    return card


def _address(name: str, address: str) -> QHBoxLayout:
    words = column(spacing=SPACE_S)
    words.addWidget(label(name, "strong", wrap=True))
    words.addWidget(label(whole_address(address), "mono", wrap=True))
    copy = Button(tr("Copy"), icon="copy", on_click=lambda: QGuiApplication.clipboard().setText(address))
    copy.setAccessibleName(tr("Copy: {name}").format(name=name))
    words.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)
    words.addStretch()
    side_by_side = row(spacing=SPACE_L)
    side_by_side.addLayout(words, 1)
    side_by_side.addWidget(QrCode(address, name), 0, Qt.AlignmentFlag.AlignTop)
    return side_by_side
