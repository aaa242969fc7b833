"""One reply that is on its way, whether or not its conversation is being looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from personal_ai.chat.conversation import Conversation, Place
from personal_ai.deployments.journal import Deployment
from ui.bridge import Operation, Task
from ui.core import Chat, Core
from ui.text import tr


@dataclass(frozen=True, slots=True)
class Moved:
    """The reply comes from here now; `reason` where it should have come from elsewhere."""

    place: Place
    reason: str | None


@dataclass(slots=True, eq=False)
class Exchange:
    """What has come of a reply so far.

    before: the conversation as it was, and is again if nothing comes of the reply; it follows what is chosen for it
    meanwhile. asked: it ends with the question,
    or with the reply that is carried on. words: what the user wrote for it, given back if nothing comes of it.
    """

    before: Conversation
    asked: Conversation
    words: str
    operation: Operation[Conversation]
    text: str = ""
    moved: list[Moved] = field(default_factory=list)
    stopped: bool = False

    @property
    def begun(self) -> str:
        """What the reply that is carried on has said before."""
        last = self.asked.turns[-1]
        return last.text if last.role == "assistant" else ""

    @property
    def question(self) -> Conversation:
        """What is shown above the reply."""
        return self.asked.without_last() if self.begun else self.asked


class Desk:
    """The chat session of the conversation at hand. Use it on the chat lane only."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._key: tuple[str, str | None] | None = None
        self._chat: Chat | None = None

    def place(self, conversation: Conversation, deployment: Deployment | None) -> Moved:
        """Where the next words of the conversation would go, after a restart without the practice network too."""
        place = self.open(conversation, deployment).place(conversation.pinned)
        away = place is Place.PRACTICE and conversation.pinned is None and not self._core.practice_network.running
        return Moved(Place.LOCAL, tr("The practice network is not running.")) if away else Moved(place, None)

    def prepare(self, conversation: Conversation, deployment: Deployment | None, task: Task) -> None:
        """Has what the next words will follow computed while they are written."""
        self.open(conversation, deployment).prepare(conversation, task.cancel)

    def answer(
        self, asked: Conversation, deployment: Deployment | None, task: Task, *, other_words: bool
    ) -> Conversation:
        """Asks, and tells the task's operation the text, the places and the unfinished reply as they come."""
        return self.open(asked, deployment).answer(
            asked,
            other_words=other_words,
            on_text=task.tell,
            on_place=lambda place, reason: task.tell(Moved(place, reason)),
            on_unfinished=task.tell,
            cancel=task.cancel,
        )

    def close(self) -> None:
        if self._chat is not None:
            self._chat.close()
            self._chat = self._key = None

    def open(self, conversation: Conversation, deployment: Deployment | None) -> Chat:
        """The session of this conversation's model and place; another one's is closed."""
        key = (conversation.model, conversation.deployment)
        if self._chat is None or key != self._key:
            self.close()
            self._chat = self._core.open_chat(model=conversation.model, deployment=deployment)
            self._key = key
        return self._chat
