"""The words of a recovery phrase, numbered, in columns."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import label

_COLUMNS = 3


class WordsGrid(QWidget):
    """Empty until `set_phrase`; an empty phrase takes the words away."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE_S)

    def set_phrase(self, phrase: str) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        words = phrase.split()
        rows = -(-len(words) // _COLUMNS)
        for at, word in enumerate(words):
            self._grid.addWidget(_word(at + 1, word), at % rows, at // rows)


def _word(number: int, word: str) -> QLabel:
    made = label(f"{number}.  {word}", "word")
    made.setAccessibleName(tr("Word {number}: {word}").format(number=number, word=word))
    return made
