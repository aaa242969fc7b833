"""The conversation at hand, whom it is with, and the reply that is on its way."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject

from personal_ai.chat.conversation import Conversation, Place
from personal_ai.deployments.journal import Deployment
from personal_ai.models.sampling import Sampling
from ui.chat.exchange import Desk, Exchange
from ui.chat.replies import Replies
from ui.profile import Profile


class Talk(QObject):
    """One reply at a time is under way; it goes on while another conversation is looked at."""

    def __init__(self, profile: Profile, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile
        self.replies = Replies(desk, profile.bridge, self)
        self.conversation = profile.new_conversation()

    @property
    def here(self) -> Exchange | None:
        """The exchange under way, if it is the one being looked at."""
        exchange = self.replies.under_way
        return exchange if exchange and exchange.before.id == self.conversation.id else None

    @property
    def deployment(self) -> Deployment | None:
        return self.deployment_of(self.conversation)

    def deployment_of(self, conversation: Conversation) -> Deployment | None:
        return self._profile.overview.deployment(conversation.deployment)

    def take_up(self, conversation: Conversation) -> str:
        """Turns to a conversation. Returns the words of a question that was never answered, which it no longer has."""
        unanswered = ""
        under_way = self.replies.under_way
        answered_now = under_way is not None and under_way.before.id == conversation.id
        if not answered_now and conversation.settled() is not conversation:
            unanswered = conversation.turns[-1].text
            conversation = conversation.settled()
        self.conversation = conversation
        return unanswered

    @property
    def shown(self) -> Conversation:
        """What stands in the transcript, beside the reply under way."""
        return self.here.question if self.here else self.conversation

    @property
    def kept(self) -> Conversation:
        """What is to be kept of the conversation at hand: while it is answered, with the question."""
        return _with_choices(self.here.asked, self.conversation) if self.here else self.conversation

    def follow(self, changed: Conversation) -> None:
        """A conversation was renamed or starred where it is kept."""
        under_way = self.replies.under_way
        if changed.id == self.conversation.id:
            self._change(replace(self.conversation, title=changed.title, starred=changed.starred))
        elif under_way and under_way.before.id == changed.id:
            under_way.before = replace(under_way.before, title=changed.title, starred=changed.starred)

    def send_to(self, deployment_id: str | None, pinned: Place | None) -> None:
        """Its words go elsewhere from now on."""
        deployment = self._profile.overview.deployment(deployment_id)
        model = deployment.model if deployment else self.conversation.model
        self._change(replace(self.conversation, model=model, deployment=deployment_id, pinned=pinned))

    def set_style(self, instructions: str, sampling: Sampling | None) -> None:
        self._change(replace(self.conversation, instructions=instructions, sampling=sampling))

    def take_answer(self, exchange: Exchange, answered: Conversation) -> Conversation:
        """The conversation with its reply; it may have been renamed or sent elsewhere since it was asked."""
        answered = _with_choices(answered, exchange.before)
        if answered.id == self.conversation.id:
            self.conversation = answered
        return answered

    def _change(self, changed: Conversation) -> None:
        if self.here:
            self.here.before = changed
        self.conversation = changed


def _with_choices(conversation: Conversation, now: Conversation) -> Conversation:
    """The turns of one, and all that the user has chosen for it by now."""
    return replace(
        conversation,
        model=now.model,
        deployment=now.deployment,
        pinned=now.pinned,
        title=now.title or conversation.title,
        starred=now.starred,
        instructions=now.instructions,
        sampling=now.sampling,
    )
