"""Finding words within one conversation."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit

from personal_ai.chat.conversation import Conversation
from ui.text import tr
from ui.theme.tokens import SPACE_S, SPACE_XXL
from ui.widgets.basic import Button, centred, column, label, row


class FindBar(QFrame):
    """`turn_wanted` carries the id of the message that holds the words; Enter goes on, Escape closes."""

    turn_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._conversation: Conversation | None = None
        self._found: list[str] = []
        self._at = 0
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find in this chat"))
        self.field.setAccessibleName(tr("Find in this chat"))
        self.field.textChanged.connect(self._find)
        self._number = label("", "small")
        inner = QFrame()
        line = row(inner, spacing=SPACE_S)
        line.addWidget(self.field, 1)
        line.addWidget(self._number)
        line.addWidget(self._button("up", tr("Earlier message"), -1))
        line.addWidget(self._button("chevron", tr("Later message"), 1))
        close = Button("", "quiet", icon="cross", on_click=self.leave)
        close.setAccessibleName(tr("Close the search"))
        line.addWidget(close)
        outer = column(self)
        outer.addLayout(centred(inner, margins=(SPACE_XXL, 0, SPACE_XXL, SPACE_S)))
        self.hide()

    def look_in(self, conversation: Conversation) -> None:
        """Shows the bar for a conversation."""
        self._conversation = conversation
        self.show()
        self.field.setFocus()
        self.field.selectAll()
        self._find()

    def leave(self) -> None:
        self.hide()
        self._conversation = None

    @property
    def number(self) -> str:
        """Which of how many messages is shown."""
        return self._number.text()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._step(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def _find(self) -> None:
        """Looks anew; the message nearest to the end comes first."""
        words = self.field.text().strip().casefold()
        turns = self._conversation.turns if self._conversation and words else ()
        self._found = [turn.id for turn in turns if words in turn.text.casefold()]
        self._at = len(self._found) - 1
        self._show_number()

    def _step(self, step: int) -> None:
        if self._found:
            self._at = (self._at + step) % len(self._found)
            self._show_number()
            self.turn_wanted.emit(self._found[self._at])

    def _show_number(self) -> None:
        if self._found:
            self._number.setText(tr("{number} of {count}").format(number=self._at + 1, count=len(self._found)))
        else:
            self._number.setText(tr("Not found") if self.field.text().strip() else "")

    def _button(self, icon: str, words: str, step: int) -> Button:
        button = Button("", "quiet", icon=icon, on_click=lambda: self._step(step))
        button.setAccessibleName(words)
        button.setToolTip(words)
        return button
