"""The conversation: what is said, where it goes, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget

from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.chat.session import ContextFullError
from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from ui.bridge import Lane
from ui.colouring import Colouring
from ui.exchange import Desk, Exchange, Moved
from ui.profile import Profile
from ui.replies import Replies
from ui.reply_text import fallback_sentence, place_name
from ui.room import Room, Way
from ui.shelf import Shelf
from ui.text import DOT, tr
from ui.theme.tokens import SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import centred, column, row
from ui.widgets.chat_files import ChatFiles
from ui.widgets.chat_header import ChatHeader
from ui.widgets.chat_style import ChatStyleDialog
from ui.widgets.composer import Composer
from ui.widgets.conversation_list import ConversationList
from ui.widgets.empty_chat import EmptyChat
from ui.widgets.find_bar import FindBar
from ui.widgets.message import Act, ReplyMessage
from ui.widgets.notice import Notice, Problem
from ui.widgets.rename_dialog import ask_for_title
from ui.widgets.room_card import RoomCard
from ui.widgets.toast import Toast
from ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from personal_ai.chat.session import ContextUse

_DRAFT_PAUSE_MS = 800


class ChatPage(QWidget):
    """One reply at a time is under way; it goes on while another conversation is looked at."""

    deploy_wanted = Signal()

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self.profile = profile
        self._toast = toast
        self._desk = Desk(profile.core)
        self.replies = Replies(self._desk, profile.bridge, self)
        self.shelf = Shelf(lambda: profile.core.conversations, profile.bridge, self)
        self.room = Room(self._desk, profile.bridge, self)
        self._room_card: RoomCard | None = None
        self._reply: ReplyMessage | None = None
        self._edited: str | None = None  # the turn whose words are in the composer to be changed
        self.conversation = profile.new_conversation()
        self.list = ConversationList()
        self.header = ChatHeader()
        self.find_bar = FindBar()
        self.transcript = Transcript(Colouring(profile.bridge))
        self.composer = Composer()
        self._files = ChatFiles(self, self.shelf, toast)
        self._empty = EmptyChat()
        self._middle = QStackedWidget()
        self._draft_timer = QTimer(self, singleShot=True, interval=_DRAFT_PAUSE_MS)
        self._arrange()
        self._connect()
        self._connect_header()
        self._connect_replies()
        self._connect_room()
        self._show(self.conversation)
        self.shelf.open_new_draft(self._give_words_back)
        self.shelf.refresh()

    def _arrange(self) -> None:
        self._middle.addWidget(self._empty)
        self._middle.addWidget(self.transcript)
        talk = QWidget()
        talk.setProperty("kind", "page")
        inside = column(talk)
        inside.addWidget(self.header)
        inside.addWidget(self.find_bar)
        inside.addWidget(self._middle, 1)
        inside.addLayout(centred(self.composer, margins=(SPACE_XXL, SPACE_S, SPACE_XXL, SPACE_XL)))
        layout: QHBoxLayout = row(self)
        layout.addWidget(self.list)
        layout.addWidget(talk, 1)

    def _connect(self) -> None:
        self.profile.changed.connect(self._refresh)
        self.profile.network_started.connect(self._ask_place)
        self.shelf.listed.connect(lambda found: self.list.show_conversations(found, self.conversation.id))
        self.list.new_wanted.connect(self.new_chat)
        self.list.selected.connect(self._open)
        self.list.searched.connect(self.shelf.look_for)
        self.list.delete_wanted.connect(self.delete)
        self.list.rename_wanted.connect(self.rename)
        self.list.star_wanted.connect(self._star)
        self.list.copy_wanted.connect(self._duplicate)
        self.list.export_wanted.connect(self._files.export)
        self.list.export_all_wanted.connect(self._files.export_all)
        self.list.import_wanted.connect(self._files.import_file)
        self.transcript.acted.connect(self._act)
        self.transcript.version_wanted.connect(self._show_version)
        self.find_bar.turn_wanted.connect(self.transcript.reveal)
        self.composer.sent.connect(self.send)
        self.composer.stopped.connect(self.stop)
        self.composer.edit_left.connect(self._leave_edit)
        self.composer.changed.connect(self._draft_timer.start)
        self._draft_timer.timeout.connect(self._save_draft)
        self._empty.asked.connect(self.send)
        self._empty.deploy_wanted.connect(self.deploy_wanted)

    def _connect_header(self) -> None:
        header = self.header
        header.deployment_wanted.connect(lambda wanted: self._turn_to(wanted, None))
        header.local_wanted.connect(lambda: self._turn_to(self.conversation.deployment, Place.LOCAL))
        header.deploy_wanted.connect(self.deploy_wanted)
        header.network_wanted.connect(self.profile.start_network)
        header.copy_wanted.connect(self._copy_all)
        header.find_wanted.connect(self.look_for_words)
        header.style_wanted.connect(self.choose_style)
        header.rename_wanted.connect(lambda: self.rename(self.conversation.id))
        header.export_wanted.connect(lambda: self._files.export(self.conversation.id))
        header.delete_wanted.connect(lambda: self.delete(self.conversation.id))

    def _connect_replies(self) -> None:
        self.replies.heard.connect(self._hear)
        self.replies.moved.connect(self._move)
        self.replies.taken.connect(self._take)
        self.replies.given_back.connect(self._give_back)
        self.replies.failed.connect(self._fail)
        self.replies.ended.connect(self._end)

    def _connect_room(self) -> None:
        self.room.measured.connect(self._show_use)
        self.room.made.connect(self._ask_with_room)
        self.room.refused.connect(self._show_refusal)

    # Conversations

    def new_chat(self, deployment: Deployment | None = None) -> None:
        """An empty conversation; it is kept from its first message on."""
        self._leave()
        self.list.clear_selection()
        self._show(self.profile.new_conversation(deployment))
        self.shelf.open_new_draft(self._give_words_back)
        self.composer.setFocus()

    def delete(self, conversation_id: str) -> None:
        """Takes a conversation out of sight, and out of the store once it can no longer be undone."""
        title = self.conversation.title if conversation_id == self.conversation.id else ""
        under_way = self.replies.under_way
        if under_way and under_way.before.id == conversation_id:
            self.stop()
        self.shelf.take_away(conversation_id)
        if conversation_id == self.conversation.id:
            self.new_chat()
        self._toast.offer(
            tr("Deleted “{title}”").format(title=title) if title else tr("Chat deleted"),
            undo=lambda: self._undo_delete(conversation_id),
            gone=lambda: self.shelf.delete(conversation_id),
        )

    def _undo_delete(self, conversation_id: str) -> None:
        self.shelf.put_back(conversation_id)
        self._open(conversation_id)

    def rename(self, conversation_id: str) -> None:
        """Asks for another title."""
        ask_for_title(
            self,
            self.shelf.title(conversation_id),
            lambda title: self.shelf.rename(conversation_id, title).on_success(self._follow_change),
        )

    def _star(self, conversation_id: str) -> None:
        self.shelf.star(conversation_id).on_success(self._follow_change)

    def _follow_change(self, changed: Conversation) -> None:
        """The conversation at hand was renamed or starred meanwhile."""
        if changed.id == self.conversation.id:
            self.conversation = replace(self.conversation, title=changed.title, starred=changed.starred)
            self._refresh()

    def _duplicate(self, conversation_id: str) -> None:
        self.shelf.change(
            conversation_id, lambda found: found.duplicate(tr("{title} (copy)").format(title=found.title))
        ).on_success(lambda copy: self._open(copy.id))

    def _open(self, conversation_id: str) -> None:
        if conversation_id == self.conversation.id:
            return
        self._leave()
        under_way = self.replies.under_way
        if under_way and under_way.before.id == conversation_id:
            self._show(under_way.before)
            return
        self.shelf.open(conversation_id, self._show_opened)

    def _show_opened(self, found: Conversation | None, draft: str) -> None:
        if found is None:
            self.shelf.refresh()
            return
        self._show(found)
        self._give_words_back(draft)

    def _leave(self) -> None:
        """What is written stays with the conversation that it was written in."""
        self._leave_edit()
        self._save_draft()
        self.composer.set_text("")

    def _save_draft(self) -> None:
        self._draft_timer.stop()
        if self._edited is None:
            self.shelf.save_draft(self.conversation, self.composer.text)

    def _show(self, conversation: Conversation) -> None:
        """Shows a conversation. A question that was never answered goes back to where it was written."""
        here = self.replies.under_way
        if here and here.before.id != conversation.id:
            here = None
        if not here and conversation.settled() is not conversation:
            self._give_words_back(conversation.turns[-1].text)
            conversation = conversation.settled()
        self.conversation = conversation
        self._reply = None
        self._room_card = None
        self.room.stop()
        self.composer.meter.show_use(None)
        self.find_bar.leave()
        self.transcript.show_conversation(here.question if here else conversation)
        if here:
            self._show_reply_under_way(here)
        self._show_middle()
        self._refresh()
        self._ask_place()

    def _show_middle(self) -> None:
        said = bool(self.conversation.turns) or self._here is not None or bool(self.transcript.widgets())
        self._middle.setCurrentWidget(self.transcript if said else self._empty)

    def _refresh(self) -> None:
        """Header, menu, composer: everything but the messages."""
        shown = self._here.asked if self._here else self.conversation
        self.header.show_conversation(shown, self._deployment(shown))
        self.header.offer_places(shown, self.profile.active, network_running=self.profile.overview.network_running)
        overview = self.profile.overview
        model, words = overview.model(shown.model), overview.model_label(shown.model)
        self.composer.set_note(words + DOT + model.quantisation if model else words)
        self._empty.show_model(words, deployed=bool(overview.deployments))
        self._refresh_composer()

    def _refresh_composer(self) -> None:
        here = self._here
        hold = ""
        if self.replies.under_way and not here:
            hold = tr("Another chat is still being answered.")
        elif here and here.stopped:
            hold = tr("The reply is being stopped.")
        elif self.room.making:
            hold = tr("Room is being made for your question.")
        self.composer.set_answering(here is not None and not hold, hold=hold)

    def _deployment(self, conversation: Conversation) -> Deployment | None:
        return self.profile.overview.deployment(conversation.deployment)

    # What can be done with messages

    def _act(self, act: Act, turn_id: str) -> None:
        if act is Act.BRANCH:
            self._branch(turn_id)
        elif self.replies.under_way is None:
            {Act.EDIT: self._edit, Act.AGAIN: self._ask_again, Act.GO_ON: self._go_on}[act](turn_id)

    def _edit(self, turn_id: str) -> None:
        """The words go into the composer; what is sent then takes their place."""
        self._save_draft()
        self._edited = turn_id
        self.composer.edit(next(turn.text for turn in self.conversation.turns if turn.id == turn_id))

    def _leave_edit(self) -> None:
        if self._edited is not None:
            self._edited = None
            self.composer.leave_edit()

    def _ask_again(self, turn_id: str) -> None:
        self._ask(self.conversation.before(turn_id), other_words=True)

    def _go_on(self, turn_id: str) -> None:
        self._ask(self.conversation.up_to(turn_id))

    def _branch(self, turn_id: str) -> None:
        shown = self._here.question if self._here else self.conversation
        branch = shown.branch(turn_id, tr("{title} (from here)").format(title=shown.title))
        self._leave()
        self.shelf.save(branch)
        self._show(branch)
        self.composer.setFocus()

    def _show_version(self, turn_id: str) -> None:
        if self.replies.under_way is None or self._here is None:
            shown = self.conversation.showing(turn_id)
            self.shelf.save(shown)
            self._show(shown)
            self.transcript.reveal(turn_id)

    def look_for_words(self) -> None:
        """Opens the bar that finds words in this conversation."""
        self.find_bar.look_in(self.conversation)

    def choose_style(self) -> None:
        """Instructions and how inventive the replies are, for this conversation."""
        dialog = ChatStyleDialog(self.conversation.instructions, self.conversation.sampling, self)
        self.shelf.read_presets(dialog.show_presets)
        dialog.preset_kept.connect(self.shelf.keep_preset)
        dialog.preset_removed.connect(self.shelf.remove_preset)
        dialog.accepted.connect(lambda: self._set_style(dialog))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _set_style(self, dialog: ChatStyleDialog) -> None:
        self.conversation = replace(self.conversation, instructions=dialog.instructions, sampling=dialog.sampling)
        if self.conversation.turns:
            self.shelf.save(self.conversation)
        self._ask_place()

    # Where words go

    def _turn_to(self, deployment_id: str | None, pinned: Place | None) -> None:
        """Sends the words of this chat elsewhere from now on."""
        deployment = self.profile.overview.deployment(deployment_id)
        model = deployment.model if deployment else self.conversation.model
        self.conversation = replace(self.conversation, model=model, deployment=deployment_id, pinned=pinned)
        if self.conversation.turns:
            self.shelf.save(self.conversation)
        self._refresh()
        self._ask_place()

    def _ask_place(self) -> None:
        """Has the core say where the next words would go; it opens the chat on the way, and computes ahead."""
        self.header.show_place(None)
        conversation, deployment = self.conversation, self._deployment(self.conversation)
        if self.replies.under_way:
            if self._here and self._here.moved:
                self._show_place(self._here.moved[-1])
            return

        def known(place: Place) -> None:
            if self.conversation is conversation and not self.replies.under_way:
                self.header.show_place(place)
                self.room.measure(conversation, deployment)
                self.replies.prepare(conversation, deployment).on_failure(self._add_problem)

        self.profile.bridge.run(lambda _: self._desk.place(conversation, deployment), lane=Lane.CHAT).on_success(
            known
        ).on_failure(self._add_problem)

    def _show_place(self, moved: Moved) -> None:
        self.header.show_place(moved.place, fallback=moved.reason is not None)

    # Asking

    @property
    def _here(self) -> Exchange | None:
        """The exchange under way, if it is the one being looked at."""
        exchange = self.replies.under_way
        return exchange if exchange and exchange.before.id == self.conversation.id else None

    @property
    def heard(self) -> str:
        """What has been shown of the reply under way."""
        return self.replies.under_way.text if self.replies.under_way else ""

    def send(self, text: str) -> None:
        """Asks, in the place of the edited question if there is one; the reply comes in pieces."""
        if self.replies.under_way or self.room.making:
            return
        before = self.conversation.before(self._edited) if self._edited else self.conversation
        self._leave_edit()
        self._ask(before.with_turn(Turn("user", text)), words=text)

    def _ask(self, asked: Conversation, *, words: str = "", other_words: bool = False) -> None:
        before = self.conversation
        exchange = self.replies.ask(before, asked, self._deployment(before), words=words, other_words=other_words)
        if before.turns and exchange.question.turns[:-1] == before.turns:
            self.transcript.append(exchange.question)
        else:
            self.transcript.show_conversation(exchange.question)
        self._show_reply_under_way(exchange)
        self._show_middle()
        self.transcript.follow()
        self._refresh()
        self._save_draft()
        self.shelf.save(asked)

    def stop(self) -> None:
        """Stops the reply on the screen at once."""
        self.replies.stop()
        if self._here and self._reply:
            self._reply.say(tr("Stopping…"))
        self._refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape and self._here:
            self.stop()
        else:
            super().keyPressEvent(event)

    def _show_reply_under_way(self, exchange: Exchange) -> None:
        self._reply = self.transcript.begin_reply(exchange.asked.turns[-1].created_at_ns)
        self._reply.say(tr("Thinking…"))
        for moved in exchange.moved:
            self._show_move(moved, bool(exchange.text))
        if exchange.begun + exchange.text:
            self._reply.add(exchange.begun + exchange.text)

    def _hear(self, exchange: Exchange, piece: str) -> None:
        if exchange is self._here and self._reply:
            self._reply.add(piece)

    def _move(self, exchange: Exchange, moved: Moved) -> None:
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
        if exchange.before.id == self.conversation.id:
            now = self.conversation  # it may have been renamed or sent elsewhere since
            answered = replace(
                answered,
                model=now.model,
                deployment=now.deployment,
                pinned=now.pinned,
                title=now.title or answered.title,
                starred=now.starred,
                instructions=now.instructions,
                sampling=now.sampling,
            )
            self.conversation = answered
            if self._reply:
                self.transcript.conclude(answered, self._reply)
        self.shelf.save(answered)

    def _fail(self, exchange: Exchange, error: UserFacingError) -> None:
        if self.conversation.id != exchange.before.id:
            return
        if isinstance(error, ContextFullError) and error.can_be_cut and exchange.words:
            self._offer_room(exchange.asked.without_last(), error)
        else:
            self._add_problem(error)

    # When the context is full

    def _show_use(self, conversation: Conversation, use: ContextUse | None) -> None:
        if conversation is self.conversation:
            self.composer.meter.show_use(use)

    def _offer_room(self, told: Conversation, error: UserFacingError) -> None:
        """The ways on for `told`, which leaves no room for the question in the composer."""
        self._room_card = card = RoomCard(error)
        card.chosen.connect(lambda way: self._make_room(way, told))
        card.stopped.connect(self.room.stop)
        self.transcript.add(card)
        self._show_middle()
        self.transcript.follow()
        card.take_focus()

    def _make_room(self, way: Way, told: Conversation) -> None:
        question = self.composer.text.strip()
        if not question or self._room_card is None:
            return
        self._room_card.set_busy(busy=True)
        self.replies.stop_ahead()
        self.room.make(way, told, question, self._deployment(told))
        self._refresh_composer()

    def _ask_with_room(self, _: Conversation, shorter: Conversation, question: str) -> None:
        if self._room_card is None:
            return
        self.composer.set_text("")
        self._save_draft()
        self._show(shorter)
        self._ask(shorter.with_turn(Turn("user", question)), words=question)

    def _show_refusal(self, _: Conversation, error: UserFacingError | None) -> None:
        if self._room_card is None:
            return
        self._room_card.set_busy(busy=False)
        self._refresh_composer()
        if error:
            self._add_problem(error)

    def _give_back(self, exchange: Exchange) -> None:
        """Nothing was answered: the words return to where they were written."""
        if self.conversation.id == exchange.before.id:
            self._show(self.conversation)
            self._give_words_back(exchange.words)
        if exchange.before.turns:
            self.shelf.save(exchange.before)

    def _give_words_back(self, text: str) -> None:
        if text and not self.composer.text:
            self.composer.set_text(text)

    def _add_problem(self, error: UserFacingError) -> None:
        self.transcript.add(Problem(error))
        self._show_middle()
        self.transcript.follow()

    def _end(self, _: Exchange) -> None:
        self._reply = None
        self._refresh()
        self.room.measure(self.conversation, self._deployment(self.conversation))
        self.profile.refresh()

    def _copy_all(self) -> None:
        speakers = {
            "user": tr("You"),
            "assistant": tr("Reply"),
            "system": tr("Not told to the model: what stands above"),
        }
        texts = [f"{speakers[turn.role]}:\n{turn.text}" for turn in self.conversation.turns]
        QGuiApplication.clipboard().setText("\n\n".join(texts))

    def prepare_to_close(self) -> None:
        """A reply under way stops and is kept, as is what was written and not sent."""
        self._save_draft()
        self.stop()

    def close_desk(self) -> None:
        """Ends the chat session; call it when the lanes are done."""
        self._desk.close()
