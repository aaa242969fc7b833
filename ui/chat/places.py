"""Where the words at hand go: asked of the core whenever it may have changed, and shown in the header's chip."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from ui.bridge import Lane, OwnedBridge
from ui.chat.exchange import Desk, Moved
from ui.chat.room import Room
from ui.chat.talk import Talk
from ui.widgets.chat_header import ChatHeader


class Places(QObject):
    """`failed` carries why the core cannot say, or cannot compute ahead."""

    failed = Signal(object)

    def __init__(self, talk: Talk, desk: Desk, room: Room, header: ChatHeader, bridge: OwnedBridge) -> None:
        super().__init__(talk)
        self._talk = talk
        self._desk = desk
        self._room = room
        self._header = header
        self._bridge = bridge

    def ask(self) -> None:
        """Has the core say where the next words would go; it opens the chat on the way, and computes ahead."""
        self._header.show_place(None)
        conversation, deployment = self._talk.conversation, self._talk.deployment
        replies = self._talk.replies
        if replies.under_way:
            if self._talk.here and self._talk.here.moved:
                self.show(self._talk.here.moved[-1])
            return

        def known(moved: Moved) -> None:
            if self._talk.conversation is conversation and not replies.under_way:
                self.show(moved)
                self._room.measure(conversation, deployment)
                replies.prepare(conversation, deployment).on_failure(self.failed.emit)

        self._bridge.run(lambda _: self._desk.place(conversation, deployment), lane=Lane.CHAT).on_success(
            known
        ).on_failure(self.failed.emit)

    def show(self, moved: Moved) -> None:
        """Where the reply under way comes from, or the next one would."""
        self._header.show_place(moved.place, fallback=moved.reason is not None)
