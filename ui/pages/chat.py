"""The conversation: what is said, where it goes, and what comes back."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget

from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from ui.bridge import Lane, Operation, Task
from ui.exchange import Desk, Exchange, Moved
from ui.profile import Profile
from ui.text import DOT, fallback_sentence, place_name, tr
from ui.theme.tokens import SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import centred, column, row
from ui.widgets.chat_header import ChatHeader
from ui.widgets.composer import Composer
from ui.widgets.conversation_list import ConversationList
from ui.widgets.empty_chat import EmptyChat
from ui.widgets.message import Notice, Problem, ReplyMessage, UserMessage
from ui.widgets.toast import Toast
from ui.widgets.transcript import Transcript


class ChatPage(QWidget):
    """One reply at a time is under way; it goes on while another conversation is looked at."""

    deploy_wanted = Signal()

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self.profile = profile
        self._desk = Desk(profile.core)
        self._toast = toast
        self._deleted: set[str] = set()  # never saved again, whatever comes in for them
        self._exchange: Exchange | None = None
        self._ahead: Operation[None] | None = None
        self._reply: ReplyMessage | None = None
        self.conversation = profile.new_conversation()
        self.list = ConversationList()
        self.header = ChatHeader()
        self.transcript = Transcript()
        self.composer = Composer()
        self._empty = EmptyChat()
        self._middle = QStackedWidget()
        self._arrange()
        self._connect()
        self._show(self.conversation)
        self._list_conversations()

    def _arrange(self) -> None:
        self._middle.addWidget(self._empty)
        self._middle.addWidget(self.transcript)
        talk = QWidget()
        talk.setProperty("kind", "page")
        inside = column(talk)
        inside.addWidget(self.header)
        inside.addWidget(self._middle, 1)
        inside.addLayout(centred(self.composer, margins=(SPACE_XXL, SPACE_S, SPACE_XXL, SPACE_XL)))
        layout: QHBoxLayout = row(self)
        layout.addWidget(self.list)
        layout.addWidget(talk, 1)

    def _connect(self) -> None:
        self.profile.changed.connect(self._refresh)
        self.profile.network_started.connect(self._ask_place)
        self.list.new_wanted.connect(self.new_chat)
        self.list.selected.connect(self._open)
        self.list.delete_wanted.connect(self.delete)
        self.header.deployment_wanted.connect(lambda wanted: self._turn_to(wanted, None))
        self.header.local_wanted.connect(lambda: self._turn_to(self.conversation.deployment, Place.LOCAL))
        self.header.deploy_wanted.connect(self.deploy_wanted)
        self.header.network_wanted.connect(self.profile.start_network)
        self.header.copy_wanted.connect(self._copy_all)
        self.header.delete_wanted.connect(lambda: self.delete(self.conversation.id))
        self.composer.sent.connect(self.send)
        self.composer.stopped.connect(self.stop)
        self._empty.asked.connect(self.send)
        self._empty.deploy_wanted.connect(self.deploy_wanted)

    # Conversations

    def new_chat(self, deployment: Deployment | None = None) -> None:
        """An empty conversation; it is kept from its first message on."""
        self.list.clear_selection()
        self._show(self.profile.new_conversation(deployment))
        self.composer.setFocus()

    def delete(self, conversation_id: str) -> None:
        """Takes a conversation out of sight, and out of the store once it can no longer be undone."""
        title = self.conversation.title if conversation_id == self.conversation.id else ""
        self._deleted.add(conversation_id)
        if self._exchange and self._exchange.conversation.id == conversation_id:
            self.stop()
        if conversation_id == self.conversation.id:
            self.new_chat()
        self._list_conversations()
        self._toast.offer(
            tr("Deleted “{title}”").format(title=title) if title else tr("Chat deleted"),
            undo=lambda: self._undo_delete(conversation_id),
            gone=lambda: self._delete_for_good(conversation_id),
        )

    def _undo_delete(self, conversation_id: str) -> None:
        self._deleted.discard(conversation_id)
        self._list_conversations()
        self._open(conversation_id)

    def _delete_for_good(self, conversation_id: str) -> None:
        self.profile.bridge.run(lambda _: self.profile.core.conversations.delete(conversation_id))

    def _open(self, conversation_id: str) -> None:
        if conversation_id == self.conversation.id:
            return
        if self._exchange and self._exchange.conversation.id == conversation_id:
            self._show(self._exchange.conversation)
            return
        store = self.profile.core.conversations
        self.profile.bridge.run(lambda _: store.get(conversation_id)).on_success(
            lambda found: self._show(found) if found else self._list_conversations()
        )

    def _show(self, conversation: Conversation) -> None:
        """Shows a conversation. A question that was never answered goes back to where it was written."""
        if conversation.turns and conversation.turns[-1].role == "user":
            self._give_words_back(conversation.turns[-1].text)
            conversation = replace(conversation, turns=conversation.turns[:-1])
        self.conversation = conversation
        self._reply = None
        self.transcript.show_conversation(conversation)
        if self._exchange and self._exchange.conversation.id == conversation.id:
            self._show_exchange(self._exchange)
        self._show_middle()
        self._refresh()
        self._ask_place()

    def _show_middle(self) -> None:
        said = bool(self.conversation.turns) or self._here is not None or bool(self.transcript.widgets())
        self._middle.setCurrentWidget(self.transcript if said else self._empty)

    def _refresh(self) -> None:
        """Header, menu, composer: everything but the messages."""
        conversation = self.conversation
        asked = conversation.with_turn(self._here.question) if self._here else conversation
        self.header.show_conversation(asked, self._deployment(conversation))
        self.header.offer_places(
            conversation, self.profile.active, network_running=self.profile.overview.network_running
        )
        overview = self.profile.overview
        model, words = overview.model(conversation.model), overview.model_label(conversation.model)
        self.composer.set_note(words + DOT + model.quantisation if model else words)
        self._empty.show_model(words, deployed=bool(overview.deployments))
        self._refresh_composer()

    def _refresh_composer(self) -> None:
        here = self._here
        hold = ""
        if self._exchange and not here:
            hold = tr("Another chat is still being answered.")
        elif here and here.stopped:
            hold = tr("The reply is being stopped.")
        self.composer.set_answering(here is not None and not hold, hold=hold)

    def _list_conversations(self) -> None:
        store = self.profile.core.conversations
        self.profile.bridge.run(lambda _: store.list()).on_success(
            lambda found: self.list.show_conversations(
                [one for one in found if one.id not in self._deleted], self.conversation.id
            )
        )

    def _deployment(self, conversation: Conversation) -> Deployment | None:
        return self.profile.overview.deployment(conversation.deployment)

    # Where words go

    def _turn_to(self, deployment_id: str | None, pinned: Place | None) -> None:
        """Sends the words of this chat elsewhere from now on."""
        deployment = self.profile.overview.deployment(deployment_id)
        model = deployment.model if deployment else self.conversation.model
        self.conversation = replace(self.conversation, model=model, deployment=deployment_id, pinned=pinned)
        if self.conversation.turns:
            self._save(self.conversation)
        self._refresh()
        self._ask_place()

    def _ask_place(self) -> None:
        """Has the core say where the next words would go; it opens the chat on the way, and computes ahead."""
        self._stop_ahead()
        self.header.show_place(None)
        conversation, deployment = self.conversation, self._deployment(self.conversation)
        if self._exchange:
            if self._here and self._here.moved:
                self._show_place(self._here.moved[-1])
            return

        def known(place: Place) -> None:
            if self.conversation is conversation and not self._exchange:
                self.header.show_place(place)
                self._ahead = self.profile.bridge.run(
                    lambda task: self._desk.prepare(conversation, deployment, task), lane=Lane.CHAT
                ).on_failure(self._add_problem)

        self.profile.bridge.run(lambda _: self._desk.place(conversation, deployment), lane=Lane.CHAT).on_success(
            known
        ).on_failure(self._add_problem)

    def _stop_ahead(self) -> None:
        """The lane is wanted for something else."""
        if self._ahead:
            self._ahead.cancel()
            self._ahead = None

    def _show_place(self, moved: Moved) -> None:
        self.header.show_place(moved.place, fallback=moved.reason is not None)

    # Asking

    @property
    def _here(self) -> Exchange | None:
        """The exchange under way, if it is the one being looked at."""
        exchange = self._exchange
        return exchange if exchange and exchange.conversation.id == self.conversation.id else None

    @property
    def heard(self) -> str:
        """What has been shown of the reply under way."""
        return self._exchange.text if self._exchange else ""

    def send(self, text: str) -> None:
        """Asks; the reply comes in pieces."""
        if self._exchange:
            return
        self._stop_ahead()
        conversation, deployment = self.conversation, self._deployment(self.conversation)
        if not conversation.turns:
            self.transcript.show_conversation(conversation)  # without the problem of a failed first try

        def ask(task: Task) -> Conversation:
            return self._desk.reply(conversation, deployment, text, task)

        operation: Operation[Conversation] = self.profile.bridge.run(ask, lane=Lane.CHAT)
        exchange = Exchange(conversation, Turn("user", text), operation)
        self._exchange = exchange
        operation.on(str, lambda piece: self._hear(exchange, piece))
        operation.on(Moved, lambda moved: self._move(exchange, moved))
        operation.on_success(lambda answered: self._take(exchange, answered))
        operation.on_failure(lambda error: self._fail(exchange, error))
        operation.on_cancelled(lambda: self._give_back(exchange))
        operation.on_end(lambda: self._end(exchange))
        self._show_exchange(exchange)
        self._show_middle()
        self.transcript.follow()
        self._refresh()
        self._save(conversation.with_turn(exchange.question))

    def stop(self) -> None:
        """Stops the reply on the screen at once; the core stops at its next safe place and keeps what was said."""
        if self._exchange:
            self._exchange.stopped = True
            self._exchange.operation.cancel()
            if self._here and self._reply:
                self._reply.say(tr("Stopping…"))
            self._refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape and self._here:
            self.stop()
        else:
            super().keyPressEvent(event)

    def _show_exchange(self, exchange: Exchange) -> None:
        self.transcript.add(UserMessage(exchange.question))
        self._reply = ReplyMessage(exchange.question.created_at_ns)
        self.transcript.add(self._reply)
        self._reply.say(tr("Thinking…"))
        for moved in exchange.moved:
            self._show_move(moved, bool(exchange.text))
        if exchange.text:
            self._reply.add(exchange.text)

    def _hear(self, exchange: Exchange, piece: str) -> None:
        if exchange.stopped:
            return
        exchange.text += piece
        if exchange is self._here and self._reply:
            self._reply.add(piece)

    def _move(self, exchange: Exchange, moved: Moved) -> None:
        exchange.moved.append(moved)
        if exchange is self._here:
            self._show_move(moved, bool(exchange.text))

    def _show_move(self, moved: Moved, continued: bool) -> None:
        assert self._reply is not None
        self._show_place(moved)
        self._reply.say(place_name(moved.place) + DOT + tr("answering"))
        if moved.reason:
            self.transcript.add(Notice(fallback_sentence(moved.reason, continued=continued)), before=self._reply)

    def _take(self, exchange: Exchange, answered: Conversation) -> None:
        """The whole conversation with its reply: shown and saved."""
        here = exchange is self._here
        self._exchange = None
        if here:
            now = self.conversation  # its words may have been sent elsewhere since
            answered = replace(answered, model=now.model, deployment=now.deployment, pinned=now.pinned)
            self.conversation = answered
            if self._reply:
                self._reply.finish(answered.turns[-1])
        self._save(answered)

    def _fail(self, exchange: Exchange, error: UserFacingError) -> None:
        self._give_back(exchange)
        if self.conversation.id == exchange.conversation.id:
            self._add_problem(error)

    def _give_back(self, exchange: Exchange) -> None:
        """Nothing was answered: the words return to where they were written."""
        self._exchange = None
        if self.conversation.id == exchange.conversation.id:
            self._show(exchange.conversation)
            self._give_words_back(exchange.question.text)

    def _give_words_back(self, text: str) -> None:
        if not self.composer.text:
            self.composer.set_text(text)

    def _add_problem(self, error: UserFacingError) -> None:
        self.transcript.add(Problem(error))
        self._show_middle()
        self.transcript.follow()

    def _end(self, exchange: Exchange) -> None:
        if self._exchange is exchange:  # a bug ended it
            self._give_back(exchange)
        self._reply = None
        self._refresh()
        self.profile.refresh()

    def _save(self, conversation: Conversation) -> None:
        if conversation.id not in self._deleted:
            store = self.profile.core.conversations
            self.profile.bridge.run(lambda _: store.save(conversation))
            self._list_conversations()

    def _copy_all(self) -> None:
        speakers = {"user": tr("You"), "assistant": tr("Reply"), "system": tr("Instructions")}
        texts = [f"{speakers[turn.role]}:\n{turn.text}" for turn in self.conversation.turns]
        QGuiApplication.clipboard().setText("\n\n".join(texts))

    def close_desk(self) -> None:
        """Ends the chat session; call it when the lanes are done."""
        self._desk.close()
