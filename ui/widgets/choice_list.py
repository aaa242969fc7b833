"""Some things of which one is chosen: each with its name and what choosing it means."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QButtonGroup, QRadioButton, QWidget

from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_XL, SPACE_XS
from ui.widgets.basic import column, frame, label


class ChoiceList(QWidget):
    """choices: key, name and meaning of each; `chosen` is the key of the one that is marked, the first at the start."""

    def __init__(self, choices: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self._keys = [key for key, _, _ in choices]
        self._group = QButtonGroup(self)
        layout = column(self, spacing=SPACE_M)
        for at, (_, name, meaning) in enumerate(choices):
            card, inside = frame("card", margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_XS)
            button = QRadioButton(name)
            button.setAccessibleDescription(meaning)
            self._group.addButton(button, at)
            inside.addWidget(button)
            inside.addWidget(label(meaning, "small", wrap=True))
            layout.addWidget(card)
        self.first = self._group.button(0)
        self.first.setChecked(True)  # once all are there: Tab then leads to the chosen one alone

    @property
    def chosen(self) -> str:
        return self._keys[self._group.checkedId()]

    def mark(self, key: str) -> None:
        self._group.button(self._keys.index(key)).setChecked(True)
