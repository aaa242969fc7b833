"""What is written and not sent, kept with its conversation; and earlier questions that are being edited."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from ui.chat.shelf import Shelf
from ui.chat.talk import Talk
from ui.widgets.composer import Composer

_PAUSE_MS = 800


class Drafts(QObject):
    """Saves after every pause. `edited` is the turn whose words are in the composer to be changed."""

    def __init__(self, talk: Talk, composer: Composer, shelf: Shelf, parent: QObject) -> None:
        super().__init__(parent)
        self._talk = talk
        self._composer = composer
        self._shelf = shelf
        self.edited: str | None = None
        self._set_aside = ""  # what stood in the composer before an edit
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._timer.timeout.connect(self.save)
        composer.changed.connect(self._timer.start)
        composer.edit_left.connect(self.leave_edit)

    def save(self) -> None:
        self._timer.stop()
        if self.edited is None:
            self._shelf.save_draft(self._talk.kept, self._composer.text)

    def give_back(self, text: str) -> None:
        """Words return to where they were written, before those that are there by now."""
        there = self._composer.text
        if text and text != there:
            self._composer.set_text(f"{text}\n\n{there}" if there else text)

    def open_new(self) -> None:
        """What was written for a new chat; it comes in a moment, and too late where another is looked at by then."""
        new = self._talk.conversation.id
        self._shelf.open_new_draft(lambda text: self.give_back(text) if self._talk.conversation.id == new else None)

    def edit(self, turn_id: str) -> None:
        """The words go into the composer; what is sent then takes their place, and what was there comes back."""
        if self.edited is None:
            self.save()
            self._set_aside = self._composer.text
        self.edited = turn_id
        self._composer.edit(next(turn.text for turn in self._talk.conversation.turns if turn.id == turn_id))

    def leave_edit(self) -> None:
        if self.edited is not None:
            self.edited = None
            self._composer.leave_edit(self._set_aside)

    def leave(self) -> None:
        """Another conversation follows."""
        self.leave_edit()
        self.save()
        self._composer.set_text("")
