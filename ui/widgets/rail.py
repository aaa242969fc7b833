"""The calm rail on the left: the name, the network, the pages, and whose keys are open."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame

from ui.text import DOT, tr
from ui.theme.tokens import RAIL_WIDTH, SPACE_L, SPACE_S, SPACE_XL, SPACE_XS
from ui.widgets.basic import Button, column, label


class Page(Enum):
    """The pages that the rail leads to, in its order; the last stands at the bottom."""

    CHAT = "chat"
    AIS = "ais"
    MODELS = "models"
    IDENTITIES = "identities"
    WALLET = "wallet"
    ACTIVITY = "activity"
    SETTINGS = "settings"


class Rail(QFrame):
    """`chosen` carries the page."""

    chosen = Signal(Page)
    lock_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(RAIL_WIDTH)
        self._buttons: dict[Page, Button] = {}
        self._group = QButtonGroup(self)
        self._network = label("", "small", wrap=True)
        self._identity = label("", "small", wrap=True)
        layout = column(self, margins=(SPACE_L, SPACE_XL, SPACE_L, SPACE_L), spacing=SPACE_XS)
        layout.addWidget(label(tr("Personal AI"), "heading2"))
        layout.addWidget(self._network)
        layout.addSpacing(SPACE_S)
        for page, words in (
            (Page.CHAT, tr("Chat")),
            (Page.AIS, tr("My AIs")),
            (Page.MODELS, tr("Models")),
            (Page.IDENTITIES, tr("Identities")),
            (Page.WALLET, tr("Wallet")),
            (Page.ACTIVITY, tr("Activity")),
        ):
            layout.addWidget(self._button(page, words))
        layout.addStretch()
        layout.addWidget(self._button(Page.SETTINGS, tr("Settings")))
        lock = Button(tr("Lock"), "rail", icon="lock", on_click=self.lock_wanted.emit)
        lock.setToolTip(tr("Encrypts everything until you unlock it again (Ctrl+L)"))
        layout.addWidget(lock)
        layout.addSpacing(SPACE_XS)
        layout.addWidget(self._identity)

    def show_page(self, page: Page) -> None:
        self._buttons[page].setChecked(True)

    def take_focus(self, page: Page) -> None:
        self._buttons[page].setFocus()

    @property
    def network(self) -> str:
        return self._network.text()

    def set_network(self, text: str) -> None:
        self._network.setText(text)

    def set_identity(self, name: str) -> None:
        """The identity that the newest deployment signs with."""
        self._identity.setText(tr("Identity") + DOT + name if name else tr("No identity used yet"))

    def _button(self, page: Page, words: str) -> Button:
        button = Button(words, "rail", icon=page.value, on_click=lambda: self.chosen.emit(page))
        button.setCheckable(True)
        button.setToolTip(tr("{page} (Ctrl+{number})").format(page=words, number=list(Page).index(page) + 1))
        self._group.addButton(button)
        self._buttons[page] = button
        return button
