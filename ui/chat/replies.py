"""Asking for replies, one at a time, and the news of the one under way."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from ui.bridge import Lane, Operation, OwnedBridge, Task
from ui.chat.exchange import Desk, Exchange, Moved


class Replies(QObject):
    """Every signal begins with the Exchange that it is about.

    heard: a piece of text. unfinished: the reply as far as it has come, as a turn, now and then.
    moved: where the reply comes from now. taken: the conversation with its reply.
    given_back: nothing came, be it stopped or failed. failed: why nothing came; follows `given_back`.
    ended: always the last.
    """

    heard = Signal(object, str)
    unfinished = Signal(object, object)
    moved = Signal(object, object)
    taken = Signal(object, object)
    given_back = Signal(object)
    failed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, desk: Desk, bridge: OwnedBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._bridge = bridge
        self.under_way: Exchange | None = None
        self._ahead: Operation[None] | None = None

    def prepare(self, conversation: Conversation, deployment: Deployment | None) -> Operation[None]:
        """Has what the next question will follow computed while it is written, in place of what was begun before."""
        self.stop_ahead()
        self._ahead = self._bridge.run(lambda task: self._desk.prepare(conversation, deployment, task), lane=Lane.CHAT)
        return self._ahead

    def ask(
        self,
        before: Conversation,
        asked: Conversation,
        deployment: Deployment | None,
        *,
        words: str = "",
        other_words: bool = False,
    ) -> Exchange:
        """See `Exchange` and `Chat.answer`. Only while no other reply is under way."""
        assert self.under_way is None
        self.stop_ahead()

        def work(task: Task) -> Conversation:
            return self._desk.answer(asked, deployment, task, other_words=other_words)

        operation: Operation[Conversation] = self._bridge.run(work, lane=Lane.CHAT)
        exchange = Exchange(before, asked, words, operation)
        self.under_way = exchange
        operation.on(str, lambda piece: self._hear(exchange, piece))
        operation.on(Turn, lambda turn: self.unfinished.emit(exchange, turn))
        operation.on(Moved, lambda moved: self._move(exchange, moved))
        operation.on_success(lambda answered: self._take(exchange, answered))
        operation.on_failure(lambda error: self._fail(exchange, error))
        operation.on_cancelled(lambda: self._give_back(exchange))
        operation.on_end(lambda: self._end(exchange))
        return exchange

    def stop(self) -> None:
        """The core stops at its next safe place and keeps what was said; nothing more is heard from now on."""
        if self.under_way:
            self.under_way.stopped = True
            self.under_way.operation.cancel()

    def stop_ahead(self) -> None:
        """The lane is wanted for something else."""
        if self._ahead:
            self._ahead.cancel()
            self._ahead = None

    def _hear(self, exchange: Exchange, piece: str) -> None:
        if not exchange.stopped:
            exchange.text += piece
            self.heard.emit(exchange, piece)

    def _move(self, exchange: Exchange, moved: Moved) -> None:
        exchange.moved.append(moved)
        self.moved.emit(exchange, moved)

    def _take(self, exchange: Exchange, answered: Conversation) -> None:
        self.under_way = None
        self.taken.emit(exchange, answered)

    def _fail(self, exchange: Exchange, error: UserFacingError) -> None:
        self._give_back(exchange)
        self.failed.emit(exchange, error)

    def _give_back(self, exchange: Exchange) -> None:
        self.under_way = None
        self.given_back.emit(exchange)

    def _end(self, exchange: Exchange) -> None:
        if self.under_way is exchange:  # a bug ended it
            self._give_back(exchange)
        self.ended.emit(exchange)
