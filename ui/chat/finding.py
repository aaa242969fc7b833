"""Finding words in the conversation that is looked at, and in one that was found by them among all."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ui.chat.talk import Talk
from ui.widgets.conversation_list import ConversationList
from ui.widgets.find_bar import FindBar
from ui.widgets.transcript import Transcript


class Finding(QObject):
    """Between the bar, the list that searches all chats, and the transcript that shows the places."""

    def __init__(self, talk: Talk, bar: FindBar, listed: ConversationList, transcript: Transcript) -> None:
        super().__init__(talk)
        self._talk = talk
        self._bar = bar
        self._list = listed
        self._looked_at = talk.conversation.id
        bar.words_changed.connect(transcript.mark)
        bar.place_wanted.connect(transcript.reveal_words)

    def open(self) -> None:
        """Ready to be typed into."""
        self._bar.look_in(self._talk.shown)

    def go_on(self, step: int) -> None:
        """To the next place of the words that are looked for, or the one before."""
        if self._bar.isVisible():
            self._bar.step(step)
        else:
            self.open()

    def follow(self) -> None:
        """More was said, or another conversation is looked at; one that was searched for shows where it was found."""
        if self._looked_at == self._talk.conversation.id:
            self._bar.follow(self._talk.shown)
            return
        self._looked_at = self._talk.conversation.id
        self._bar.close_quietly()
        if words := self._list.words_sought:
            self._bar.look_for(words, self._talk.shown)
