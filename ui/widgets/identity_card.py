"""One identity, or one that is only known by its address, with what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS
from ui.widgets.basic import Button, chip, column, label, row

if TYPE_CHECKING:
    from personal_ai.identities.vault import IdentityRecord

_LINE = 32


class IdentityCard(QFrame):
    """`used_for` names what signs with it."""

    code_wanted = Signal()
    rename_wanted = Signal()
    export_wanted = Signal()
    remove_wanted = Signal()

    def __init__(self, record: IdentityRecord, used_for: Sequence[str]) -> None:
        super().__init__()
        mark, tone = (tr("Backed up"), "good") if record.restorable else (tr("Not backed up"), "warning")
        self.setProperty("kind", "card")
        self.setAccessibleName(f"{record.label}: {mark}")
        use = tr("Used for {names}").format(names=", ".join(used_for)) if used_for else tr("Not used yet")
        origin = (
            tr("imported key")
            if record.index is None
            else tr("number {number} of your words").format(number=record.index)
        )
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_M), spacing=SPACE_XS)
        head = row(spacing=SPACE_S)
        head.addWidget(label(record.label, "heading2"), 1)
        head.addWidget(chip(mark, tone))
        layout.addLayout(head)
        layout.addWidget(label(f"{use}, {origin}", "small", wrap=True))
        layout.addWidget(address_label(str(record.principal)))
        acts = row(spacing=SPACE_XS)
        for words, icon, wanted in (
            (tr("Show code"), "copy", self.code_wanted),
            (tr("Rename…"), "edit", self.rename_wanted),
            (tr("Export…"), "key", self.export_wanted),
            (tr("Remove…"), "cross", self.remove_wanted),
        ):
            button = Button(words, "action", icon=icon, on_click=wanted.emit)
            button.setAccessibleName(f"{words.removesuffix('…')}: {record.label}")
            acts.addWidget(button)
        acts.addStretch()
        layout.addLayout(acts)


def address_label(address: str) -> QLabel:
    """An address in full, to be selected. An account id has no hyphens to break at, so it is cut in lines."""
    lines = [address] if "-" in address else [address[at : at + _LINE] for at in range(0, len(address), _LINE)]
    shown = label("\n".join(lines), "mono", wrap=True)
    shown.setAccessibleName(address)
    shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return shown


class AddressRow(QFrame):
    """A name, its address and a button that forgets both."""

    def __init__(self, name: str, address: str, forget: str, on_forget: Callable[[], object]) -> None:
        super().__init__()
        layout = row(self, spacing=SPACE_S)
        words = column()
        words.addWidget(label(name, "strong"))
        words.addWidget(address_label(address))
        layout.addLayout(words, 1)
        button = Button(forget, "action", icon="cross", on_click=on_forget)
        button.setAccessibleName(f"{forget}: {name}")
        layout.addWidget(button)
