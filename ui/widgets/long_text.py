"""Words as they were written; of very many only the first are laid out, until all are asked for."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from ui.text import tr
from ui.widgets.basic import Button, column
from ui.widgets.prose import ProseView

_LENGTH_MAX = 3000
_LINES_MAX = 30


class LongText(QWidget):
    """`folded` says whether there is more than what is shown."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self._text = text
        self.view = ProseView()
        self.view.setAccessibleName(name)
        layout = column(self)
        layout.addWidget(self.view)
        beginning = "\n".join(text[:_LENGTH_MAX].split("\n")[:_LINES_MAX])
        self.folded = beginning != text
        self.view.set_plain(f"{beginning}…" if self.folded else text)
        self._more: Button | None = None
        if self.folded:
            words = tr("Show all {number} characters").format(number=f"{len(text):,}")
            self._more = Button(words, "quiet", on_click=self.open)
            layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)

    def open(self) -> None:
        """Shows all; it may take a moment."""
        if self._more is not None:
            self.folded = False
            self.view.set_plain(self._text)
            self._more.deleteLater()
            self._more = None
