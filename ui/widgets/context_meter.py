"""How much of the model's context a conversation takes, before the next question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QProgressBar, QWidget

from ui.text import FIRM, tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import label, row, set_look

if TYPE_CHECKING:
    from personal_ai.chat.session import ContextUse

_WIDTH = 64
_NEARLY_FULL = 0.8


class ContextMeter(QWidget):
    """A short bar with its number; hidden while nothing is known."""

    def __init__(self) -> None:
        super().__init__()
        self._words = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(_WIDTH)
        self._bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._bar.setAccessibleName(tr("Context in use"))
        layout = row(self, spacing=SPACE_S)
        layout.addWidget(self._bar)
        layout.addWidget(self._words)
        self.hide()

    @property
    def words(self) -> str:
        """What it says; empty while it is hidden."""
        return "" if self.isHidden() else self._words.text()

    def show_use(self, use: ContextUse | None) -> None:
        self.setVisible(use is not None)
        if use is None:
            return
        share = min(1.0, use.tokens / use.context_length)
        self._bar.setRange(0, use.context_length)
        self._bar.setValue(min(use.tokens, use.context_length))
        set_look(self._bar, "tone", "warning" if share >= _NEARLY_FULL else "")
        self._words.setText(tr("{share} % of the context").format(share=round(100 * share)).replace(" %", f"{FIRM}%"))
        told = tr(
            "The model can follow {length} tokens, which are words or parts of words; this chat has {tokens}. When it "
            "is full you choose how to go on: nothing is left out unasked."
        ).format(length=f"{use.context_length:,}", tokens=f"{use.tokens:,}")
        self.setToolTip(told)
        self.setAccessibleName(self._words.text())
        self.setAccessibleDescription(told)
