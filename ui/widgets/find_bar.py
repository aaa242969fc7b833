"""Finding words within one conversation."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit

from personal_ai.chat.conversation import Conversation
from ui.text import tr
from ui.theme.tokens import SPACE_S, SPACE_XXL
from ui.widgets.basic import Button, centred, column, label, row

_TYPING_PAUSE_MS = 150  # each look may lay other messages out


class FindBar(QFrame):
    """Enter and F3 go on, Shift goes back, Escape closes; the keyboard stays in the field meanwhile.

    `words_changed` carries what is to be marked. `place_wanted` carries the id of a message and which of the places in
    it is to be seen, as far as its text goes. `left` follows when the bar was closed.
    """

    words_changed = Signal(str)
    place_wanted = Signal(str, int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._conversation: Conversation | None = None
        self._found: list[tuple[str, int]] = []
        self._at = 0
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find in this chat"))
        self.field.setAccessibleName(tr("Find in this chat"))
        self._pause = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._find)
        self.field.textChanged.connect(self._pause.start)
        self._number = label("", "small")
        inner = QFrame()
        line = row(inner, spacing=SPACE_S)
        line.addWidget(self.field, 1)
        line.addWidget(self._number)
        line.addWidget(self._button("up", tr("Earlier place (Shift+F3)"), -1))
        line.addWidget(self._button("chevron", tr("Later place (F3)"), 1))
        close = Button("", "quiet", icon="cross", on_click=self.leave)
        close.setAccessibleName(tr("Close the search"))
        line.addWidget(close)
        outer = column(self)
        outer.addLayout(centred(inner, margins=(SPACE_XXL, 0, SPACE_XXL, SPACE_S)))
        self.hide()

    def look_in(self, conversation: Conversation) -> None:
        """Shows the bar for a conversation, ready to be typed into."""
        self.show()
        self.field.setFocus()
        self.field.selectAll()
        self._look_in(conversation)

    def look_for(self, words: str, conversation: Conversation) -> None:
        """Shows the bar with words that were looked for elsewhere, if they are here; the keyboard stays there."""
        if any(words.casefold() in turn.text.casefold() for turn in conversation.turns):
            self.show()
            self.field.setText(words)
            self._look_in(conversation)

    def follow(self, conversation: Conversation) -> None:
        """More was said; the place that is seen stays."""
        if self._conversation is not None:
            self._conversation = conversation
            self._found = self._places()
            self._at = min(self._at, max(0, len(self._found) - 1))
            self._show_number()

    def close_quietly(self) -> None:
        """The keyboard stays where it is."""
        self.hide()
        self._conversation = None
        self._found = []
        self.words_changed.emit("")

    def leave(self) -> None:
        self.close_quietly()
        self.left.emit()

    @property
    def number(self) -> str:
        """Which of how many places is shown."""
        return self._number.text()

    @property
    def looking(self) -> bool:
        """Whether what is typed has yet to be looked for."""
        return self._pause.isActive()

    def step(self, step: int) -> None:
        """On to a later place, or back; round at the ends. Of words just typed to the first that comes."""
        if self.looking:
            self._find()
        elif self._found:
            self._at = (self._at + step) % len(self._found)
            self._show_place()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.step(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyPressEvent(event)

    def _look_in(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._find()

    def _find(self) -> None:
        """Looks anew; the place nearest to the end comes first."""
        self._pause.stop()
        if self._conversation is None:
            return
        self._found = self._places()
        self._at = max(0, len(self._found) - 1)
        self.words_changed.emit(self.field.text().strip())
        if self._found:
            self._show_place()
        else:
            self._show_number()

    def _places(self) -> list[tuple[str, int]]:
        words = self.field.text().strip().casefold()
        turns = self._conversation.turns if self._conversation and words else ()
        return [(turn.id, number) for turn in turns for number in range(turn.text.casefold().count(words))]

    def _show_place(self) -> None:
        self._show_number()
        self.place_wanted.emit(*self._found[self._at])

    def _show_number(self) -> None:
        if self._found:
            self._number.setText(tr("{number} of {count}").format(number=self._at + 1, count=len(self._found)))
        else:
            self._number.setText(tr("Not found") if self.field.text().strip() else "")

    def _button(self, icon: str, words: str, step: int) -> Button:
        button = Button("", "quiet", icon=icon, on_click=lambda: self.step(step))
        button.setAccessibleName(words)
        button.setToolTip(words)
        return button
