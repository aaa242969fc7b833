"""How full a model's context is, and making room in it as the user chooses; worked out on the chat lane."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from personal_ai.chat.conversation import Conversation
from personal_ai.deployments.journal import Deployment
from ui.bridge import Lane, Operation, OwnedBridge, Task
from ui.chat.exchange import Desk
from ui.text import tr

if TYPE_CHECKING:
    from personal_ai.chat.session import ContextUse


class Way(Enum):
    """What can be done when a conversation has outgrown the context."""

    LEAVE_OUT = "leave out"
    SUMMARISE = "summarise"
    NEW = "new"


class Room(QObject):
    """Signals begin with the conversation that they are about.

    measured: its ContextUse. made: the shorter conversation that takes its place, and the question that now fits.
    refused: why not, or None where it was stopped; the question is to be kept.
    """

    measured = Signal(object, object)
    made = Signal(object, object, str)
    refused = Signal(object, object)

    def __init__(self, desk: Desk, bridge: OwnedBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._bridge = bridge
        self._making: Operation[Conversation] | None = None

    @property
    def making(self) -> bool:
        return self._making is not None

    def measure(self, conversation: Conversation, deployment: Deployment | None) -> None:
        """To be asked whenever what the model is told has changed; what hinders it the next reply will tell."""

        def known(use: ContextUse | None) -> None:
            self.measured.emit(conversation, use)

        self._bridge.run(
            lambda _: self._desk.open(conversation, deployment).context_use(conversation), lane=Lane.CHAT
        ).on_success(known).on_failure(lambda _: known(None))

    def make(self, way: Way, conversation: Conversation, question: str, deployment: Deployment | None) -> None:
        """Shortens what the model is told until the question fits. One at a time."""
        title = tr("{title} (continued)").format(title=conversation.title)

        def work(task: Task) -> Conversation:
            chat = self._desk.open(conversation, deployment)
            if way is Way.LEAVE_OUT:
                return chat.leave_out(conversation, question)
            if way is Way.SUMMARISE:
                return chat.summarise(conversation, question, task.cancel)
            return chat.carry_on(conversation, question, title)

        self._making = self._bridge.run(work, lane=Lane.CHAT)
        self._making.on_success(lambda shorter: self._end(lambda: self.made.emit(conversation, shorter, question)))
        self._making.on_failure(lambda error: self._end(lambda: self.refused.emit(conversation, error)))
        self._making.on_cancelled(lambda: self._end(lambda: self.refused.emit(conversation, None)))

    def stop(self) -> None:
        """A summary under way is not waited for."""
        if self._making:
            self._making.cancel()

    def _end(self, tell: Callable[[], None]) -> None:
        self._making = None
        tell()
