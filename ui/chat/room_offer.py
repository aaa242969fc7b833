"""The ways on when a conversation has outgrown the context, offered in the transcript beneath it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from personal_ai.chat.conversation import Conversation
from personal_ai.common.errors import UserFacingError
from ui.chat.room import Room, Way
from ui.chat.talk import Talk
from ui.widgets.composer import Composer
from ui.widgets.room_card import RoomCard
from ui.widgets.transcript import Transcript


class RoomOffer(QObject):
    """`changed` follows when the making begins or ends without a result; `made` carries the shorter conversation and
    the question that now fits, `failed` why it could not be made.
    """

    changed = Signal()
    made = Signal(object, str)
    failed = Signal(object)

    def __init__(self, talk: Talk, room: Room, transcript: Transcript, composer: Composer) -> None:
        super().__init__(talk)
        self._talk = talk
        self._room = room
        self._transcript = transcript
        self._composer = composer
        self._card: RoomCard | None = None
        room.made.connect(self._take)
        room.refused.connect(self._tell_refusal)

    def offer(self, told: Conversation, error: UserFacingError) -> None:
        """For `told`, which leaves no room for the question in the composer."""
        self._card = card = RoomCard(error)
        card.chosen.connect(lambda way: self._make(way, told))
        card.stopped.connect(self._room.stop)
        self._transcript.add(card)

    def take_focus(self) -> None:
        """To be called once the transcript is seen."""
        if self._card is not None:
            self._card.take_focus()

    def withdraw(self) -> None:
        """Another conversation follows."""
        self._card = None
        self._room.stop()

    def _make(self, way: Way, told: Conversation) -> None:
        question = self._composer.text.strip()
        if not question or self._card is None:
            return
        self._card.set_busy(busy=True)
        self._talk.replies.stop_ahead()
        self._room.make(way, told, question, self._talk.deployment_of(told))
        self.changed.emit()

    def _take(self, _: Conversation, shorter: Conversation, question: str) -> None:
        if self._card is not None:
            self.made.emit(shorter, question)

    def _tell_refusal(self, _: Conversation, error: UserFacingError | None) -> None:
        if self._card is None:
            return
        self._card.set_busy(busy=False)
        self.changed.emit()
        if error:
            self.failed.emit(error)
