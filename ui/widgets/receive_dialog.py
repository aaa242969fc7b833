"""Where to send money to: both addresses of an identity, explained, as codes and for copying."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QWidget

from ui.payment_words import whole_address
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, column, frame, label, row
from ui.widgets.dialog import Dialog
from ui.widgets.form import buttons
from ui.widgets.qr_code import QrCode

_WIDTH = 560


class ReceiveDialog(Dialog):
    """`copied` follows an address that was put on the clipboard."""

    copied = Signal()

    def __init__(self, name: str, account: str, principal: str, parent: QWidget) -> None:
        super().__init__(parent, tr("Receive as {name}").format(name=name), width=_WIDTH)
        layout = self.column
        layout.addWidget(
            self._address(
                tr("For ICP"),
                tr("The account id: an address made from {name}'s key. Exchanges and wallets ask for it.").format(
                    name=name
                ),
                account,
            )
        )
        layout.addWidget(
            self._address(
                tr("For cycles"),
                tr("The principal: {name}'s public name on the network, made from the same key.").format(name=name),
                principal,
            )
        )
        layout.addWidget(
            label(
                tr(
                    "Everybody can see both on the ledgers, with all that they ever receive and send. Whoever pays you "
                    "learns this address: give each of your AIs money that nothing else of yours has touched."
                ),
                "small",
                wrap=True,
            )
        )
        layout.addLayout(buttons(Button(tr("Close"), "primary", on_click=self.accept)))

    def _address(self, title: str, meaning: str, address: str) -> QFrame:
        card, inner = frame("card", margins=(SPACE_L, SPACE_L, SPACE_L, SPACE_L), spacing=SPACE_S)
        words = column(spacing=SPACE_S)
        words.addWidget(label(title, "heading2"))
        words.addWidget(label(meaning, wrap=True))
        shown = label(whole_address(address), "strong", wrap=True)
        shown.setAccessibleName(address)
        words.addWidget(shown)
        copy = Button(tr("Copy"), icon="copy", on_click=lambda: self._copy(address))
        copy.setAccessibleName(tr("Copy the address {title}").format(title=title))
        words.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)
        words.addStretch()
        line = row(spacing=SPACE_M)
        line.addLayout(words, 1)
        line.addWidget(QrCode(address, tr("{title}: {address}").format(title=title, address=address)))
        inner.addLayout(line)
        return card

    def _copy(self, address: str) -> None:
        QGuiApplication.clipboard().setText(address)
        self.copied.emit()
