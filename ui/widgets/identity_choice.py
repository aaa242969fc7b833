"""Under which identity an AI is to live: one of its own, or one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_XS
from ui.widgets.basic import column, label

if TYPE_CHECKING:
    from personal_ai.identities.vault import IdentityRecord


class IdentityChoice(QWidget):
    """`chosen` carries a principal as text, or None for a new identity."""

    chosen = Signal(object)

    def __init__(self, identities: Sequence[IdentityRecord], current: str | None) -> None:
        super().__init__()
        self.box = QComboBox()
        self.box.addItem(tr("A new identity, for this AI alone"), None)
        for identity in identities:
            self.box.addItem(tr("Your identity {name}").format(name=identity.label), str(identity.principal))
        self.box.setCurrentIndex(max(0, self.box.findData(current)))
        self.box.setAccessibleName(tr("Who controls it"))
        self.box.activated.connect(lambda _: self.chosen.emit(self.box.currentData()))
        layout = column(self, spacing=SPACE_XS)
        title = label(tr("Who controls it"), "strong")
        title.setBuddy(self.box)
        layout.addWidget(title)
        layout.addWidget(self.box)
        layout.addWidget(
            label(
                tr("With an identity of its own, nobody can see that it belongs to the same person as your others."),
                "small",
                wrap=True,
            )
        )
