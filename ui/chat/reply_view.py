"""What has come of the reply under way, in the transcript of the conversation that is looked at."""

from __future__ import annotations

from PySide6.QtCore import QObject

from personal_ai.chat.conversation import Conversation
from ui.chat.exchange import Exchange, Moved
from ui.chat.places import Places
from ui.chat.talk import Talk
from ui.reply_text import fallback_sentence, place_name
from ui.text import DOT, tr
from ui.widgets.message import ReplyMessage
from ui.widgets.notice import Notice
from ui.widgets.transcript import Transcript


class ReplyView(QObject):
    """Hears of every reply and draws the one at hand."""

    def __init__(self, talk: Talk, transcript: Transcript, places: Places) -> None:
        super().__init__(talk)
        self._talk = talk
        self._transcript = transcript
        self._places = places
        self._reply: ReplyMessage | None = None
        talk.replies.heard.connect(self._hear)
        talk.replies.moved.connect(self._move)
        transcript.laid_out.connect(self._find_place)

    def begin(self, exchange: Exchange) -> None:
        """A message for the reply, with what has come of it so far."""
        self._reply = self._transcript.begin_reply(exchange.asked.turns[-1].created_at_ns)
        self._reply.say(tr("Thinking…"))
        for moved in exchange.moved:
            self._show_move(self._reply, moved, bool(exchange.text))
        if exchange.begun + exchange.text:
            self._reply.add(exchange.begun + exchange.text)

    def say_stopping(self) -> None:
        if self._talk.here and self._reply:
            self._reply.say(tr("Stopping…"))

    def conclude(self, answered: Conversation) -> None:
        """The reply is whole."""
        self._transcript.conclude(answered, self._reply)

    def leave(self) -> None:
        """The reply is over, or another conversation follows."""
        self._reply = None

    def _find_place(self) -> None:
        """The reader went to other turns: the reply is seen where the last of them are."""
        self.leave()
        if self._talk.here and self._transcript.at_end:
            self.begin(self._talk.here)

    def _hear(self, exchange: Exchange, piece: str) -> None:
        if exchange is self._talk.here and self._reply:
            self._reply.add(piece)

    def _move(self, exchange: Exchange, moved: Moved) -> None:
        if exchange is self._talk.here and self._reply:
            self._show_move(self._reply, moved, bool(exchange.text))

    def _show_move(self, reply: ReplyMessage, moved: Moved, continued: bool) -> None:
        self._places.show(moved)
        reply.say(place_name(moved.place) + DOT + tr("answering"))
        if moved.reason:
            self._transcript.add(Notice(fallback_sentence(moved.reason, continued=continued)), before=reply)
