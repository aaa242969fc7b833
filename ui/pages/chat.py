"""The conversation: what is said, where it goes, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget

from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.chat.session import ContextFullError
from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from ui.chat.drafts import Drafts
from ui.chat.exchange import Desk, Exchange
from ui.chat.finding import Finding
from ui.chat.given_files import GivenFiles
from ui.chat.kept_chats import KeptChats
from ui.chat.places import Places
from ui.chat.recall import Recall
from ui.chat.reply_view import ReplyView
from ui.chat.room import Room
from ui.chat.room_offer import RoomOffer
from ui.chat.shelf import Shelf
from ui.chat.talk import Talk
from ui.colouring import Colouring
from ui.profile import Profile
from ui.text import tr
from ui.theme.tokens import SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import centred, column, row
from ui.widgets.chat_header import ChatHeader
from ui.widgets.chat_style import ChatStyleDialog
from ui.widgets.composer import Composer
from ui.widgets.conversation_list import ConversationList
from ui.widgets.empty_chat import EmptyChat
from ui.widgets.find_bar import FindBar
from ui.widgets.message import Act
from ui.widgets.notice import Problem
from ui.widgets.toast import Toast
from ui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from personal_ai.chat.session import ContextUse


class ChatPage(QWidget):
    """Puts the parts of ui.chat together: who asks what of whom is seen here."""

    deploy_wanted = Signal()

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self.profile = profile
        self._toast = toast
        self._wanted = ""  # the conversation that is looked at, or will be once it is read
        self.list = ConversationList()
        self.header = ChatHeader()
        self.find_bar = FindBar()
        self.transcript = Transcript(Colouring(profile.bridge))
        self.composer = Composer()
        self._empty = EmptyChat()
        self._middle = QStackedWidget()
        self._desk = Desk(profile.core)
        self.talk = Talk(profile, self._desk, self)
        self.shelf = Shelf(lambda: profile.core.conversations, profile.bridge, self)
        self.room = Room(self._desk, profile.bridge, self)
        self._places = Places(self.talk, self._desk, self.room, self.header, profile.bridge)
        self._reply_view = ReplyView(self.talk, self.transcript, self._places)
        self._room_offer = RoomOffer(self.talk, self.room, self.transcript, self.composer)
        self._drafts = Drafts(self.talk, self.composer, self.shelf, self)
        self.finding = Finding(self.talk, self.find_bar, self.list, self.transcript)
        self._given_files = GivenFiles(self, self.composer, profile.bridge)
        self._recall = Recall(self.talk, self.composer)
        self.kept = KeptChats(self.talk, self.shelf, toast, self)
        self._arrange()
        self._connect()
        self._connect_header()
        self._connect_replies()
        self._show(self.conversation)
        self._drafts.open_new()
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
        self.profile.network_started.connect(self._places.ask)
        self.kept.serve(self.list)
        self.kept.open_wanted.connect(self.open)
        self.kept.gone.connect(self.new_chat)
        self.kept.changed.connect(self._refresh)
        self.list.new_wanted.connect(self.new_chat)
        self.transcript.acted.connect(self._act)
        self.transcript.version_wanted.connect(self._show_version)
        self.find_bar.left.connect(self.composer.setFocus)
        self.transcript.laid_out.connect(self._room_offer.withdraw)
        self.composer.sent.connect(self.send)
        self.composer.stopped.connect(self.stop)
        self._empty.asked.connect(self.send)
        self._empty.deploy_wanted.connect(self.deploy_wanted)
        self._places.failed.connect(self._add_problem)
        self._given_files.refused.connect(self._add_problem)

    def _connect_header(self) -> None:
        header = self.header
        header.deployment_wanted.connect(lambda wanted: self._turn_to(wanted, None))
        header.local_wanted.connect(lambda: self._turn_to(self.conversation.deployment, Place.LOCAL))
        header.deploy_wanted.connect(self.deploy_wanted)
        header.network_wanted.connect(self.profile.start_network)
        header.copy_wanted.connect(self._copy_all)
        header.find_wanted.connect(self.finding.open)
        header.style_wanted.connect(self.choose_style)
        header.rename_wanted.connect(lambda: self.kept.rename(self.conversation.id))
        header.export_wanted.connect(lambda: self.kept.files.export(self.conversation.id))
        header.delete_wanted.connect(lambda: self.kept.delete(self.conversation.id))

    def _connect_replies(self) -> None:
        replies = self.talk.replies
        replies.unfinished.connect(lambda exchange, turn: self.shelf.save_unfinished(exchange.before.id, turn))
        replies.taken.connect(self._take)
        replies.given_back.connect(self._give_back)
        replies.failed.connect(self._fail)
        replies.ended.connect(self._end)
        self.room.measured.connect(self._show_use)
        self._room_offer.changed.connect(self._refresh_composer)
        self._room_offer.made.connect(self._ask_with_room)
        self._room_offer.failed.connect(self._add_problem)

    @property
    def conversation(self) -> Conversation:
        return self.talk.conversation

    @property
    def kept_id(self) -> str:
        """Of the conversation that is looked at; empty for a new one."""
        return self.conversation.id if self.talk.kept.everything else ""

    @property
    def heard(self) -> str:
        """What has been shown of the reply under way."""
        under_way = self.talk.replies.under_way
        return under_way.text if under_way else ""

    # Conversations

    def new_chat(self, deployment: Deployment | None = None) -> None:
        """An empty conversation; it is kept from its first message on."""
        self._drafts.leave()
        self.list.clear_selection()
        self._show(self.profile.new_conversation(deployment))
        self._drafts.open_new()
        self.composer.setFocus()

    def open(self, conversation_id: str) -> None:
        """Looks at a conversation that is kept."""
        self._wanted = conversation_id
        if conversation_id != self.conversation.id:
            self.shelf.open(conversation_id, self._show_opened)

    def _show_opened(self, found: Conversation | None, draft: str) -> None:
        if found is None:
            self.shelf.refresh()
        elif found.id == self._wanted != self.conversation.id:  # nothing else was asked for meanwhile
            self._drafts.leave()
            under_way = self.talk.replies.under_way
            self._show(under_way.before if under_way and under_way.before.id == found.id else found)
            self._drafts.give_back(draft)

    def _show(self, conversation: Conversation) -> None:
        """Shows a conversation. A question that was never answered goes back to where it was written."""
        self._wanted = conversation.id
        self._drafts.give_back(self.talk.take_up(conversation))
        self._reply_view.leave()
        self._room_offer.withdraw()
        self.composer.meter.show_use(None)
        self.transcript.show_conversation(self.talk.shown)
        if self.talk.here:
            self._reply_view.begin(self.talk.here)
        self._show_middle()
        self._refresh()
        self._places.ask()

    def _show_middle(self) -> None:
        said = bool(self.conversation.turns) or self.talk.here is not None or bool(self.transcript.widgets())
        self._middle.setCurrentWidget(self.transcript if said else self._empty)

    def _refresh(self) -> None:
        """Header, menu, composer: everything but the messages."""
        here, overview = self.talk.here, self.profile.overview
        shown = here.asked if here else self.conversation
        self.header.show_conversation(shown, self.talk.deployment_of(shown))
        self.header.offer_places(shown, self.profile.active, network_running=overview.network_running)
        words = overview.model_label(shown.model)
        self.composer.set_note(words)
        self._empty.show_model(words, deployed=bool(overview.deployments))
        self.finding.follow()
        self._refresh_composer()

    def _refresh_composer(self) -> None:
        here = self.talk.here
        hold = ""
        if self.talk.replies.under_way and not here:
            hold = tr("Another chat is still being answered.")
        elif here and here.stopped:
            hold = tr("The reply is being stopped.")
        elif self.room.making:
            hold = tr("Room is being made for your question.")
        self.composer.set_answering(here is not None and not hold, hold=hold)

    def _show_use(self, conversation: Conversation, use: ContextUse | None) -> None:
        if conversation is self.conversation:
            self.composer.meter.show_use(use)

    # What can be done with the conversation and its messages

    def _act(self, act: Act, turn_id: str) -> None:
        if act is Act.BRANCH:
            self._branch(turn_id)
        elif self.talk.replies.under_way is None:
            {Act.EDIT: self._drafts.edit, Act.AGAIN: self._ask_again, Act.GO_ON: self._go_on}[act](turn_id)

    def _ask_again(self, turn_id: str) -> None:
        self._ask(self.conversation.before(turn_id), other_words=True)

    def _go_on(self, turn_id: str) -> None:
        self._ask(self.conversation.up_to(turn_id))

    def _branch(self, turn_id: str) -> None:
        shown = self.talk.shown
        branch = shown.branch(turn_id, tr("{title} (from here)").format(title=shown.title))
        self._drafts.leave()
        self.shelf.save(branch)
        self._show(branch)
        self.composer.setFocus()

    def _show_version(self, turn_id: str) -> None:
        if self.talk.replies.under_way is None or self.talk.here is None:
            shown = self.conversation.showing(turn_id)
            self.shelf.save(shown)
            self._show(shown)
            self.transcript.reveal(turn_id)

    def choose_style(self) -> None:
        """Instructions and how inventive the replies are, for this conversation."""
        dialog = ChatStyleDialog(self.conversation.instructions, self.conversation.sampling, self)
        self.shelf.read_presets(dialog.show_presets)
        dialog.preset_kept.connect(self.shelf.keep_preset)
        dialog.preset_removed.connect(self.shelf.remove_preset)
        dialog.accepted.connect(lambda: self._set_style(dialog))
        dialog.open()

    def _set_style(self, dialog: ChatStyleDialog) -> None:
        self.talk.set_style(dialog.instructions, dialog.sampling)
        self._save()
        self._places.ask()

    def _turn_to(self, deployment_id: str | None, pinned: Place | None) -> None:
        self.talk.send_to(deployment_id, pinned)
        self._save()
        self._refresh()
        self._places.ask()

    def _save(self) -> None:
        """It is kept from its first message on."""
        if self.talk.kept.turns:
            self.shelf.save(self.talk.kept)

    def _copy_all(self) -> None:
        speakers = {
            "user": tr("You"),
            "assistant": tr("Reply"),
            "system": tr("Not told to the model: what stands above"),
        }
        texts = [f"{speakers[turn.role]}:\n{turn.text}" for turn in self.conversation.turns]
        QGuiApplication.clipboard().setText("\n\n".join(texts))

    # Asking

    def send(self, text: str) -> None:
        """Asks, in the place of the edited question if there is one; the reply comes in pieces."""
        if self.talk.replies.under_way or self.room.making:
            return
        edited = self._drafts.edited
        before = self.conversation.before(edited) if edited else self.conversation
        self._drafts.leave_edit()
        self._ask(before.with_turn(Turn("user", text)), words=text)

    def _ask(self, asked: Conversation, *, words: str = "", other_words: bool = False) -> None:
        before = self.conversation
        self.shelf.save_draft(before, "")
        exchange = self.talk.replies.ask(before, asked, self.talk.deployment, words=words, other_words=other_words)
        if before.turns and exchange.question.turns[:-1] == before.turns:
            self.transcript.append(exchange.question)
        else:
            self.transcript.show_conversation(exchange.question)
        self._reply_view.begin(exchange)
        self._show_end()
        self._refresh()
        self._drafts.save()
        self.shelf.save(asked)

    def _ask_with_room(self, shorter: Conversation, question: str) -> None:
        self.composer.set_text("")
        self._drafts.save()
        self._show(shorter)
        self._ask(shorter.with_turn(Turn("user", question)), words=question)

    def stop(self) -> None:
        """Stops the reply on the screen at once."""
        self.talk.replies.stop()
        self._reply_view.say_stopping()
        self._refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Escape and self.talk.here:
            self.stop()
        elif event.key() == Qt.Key.Key_PageUp:
            self.transcript.turn_page(-1)
        elif event.key() == Qt.Key.Key_PageDown:
            self.transcript.turn_page(1)
        else:
            super().keyPressEvent(event)

    # What comes back

    def _take(self, exchange: Exchange, answered: Conversation) -> None:
        """The whole conversation with its reply: shown and saved."""
        answered = self.talk.take_answer(exchange, answered)
        if answered.id == self.conversation.id:
            self._reply_view.conclude(answered)
        self.shelf.save(answered)

    def _fail(self, exchange: Exchange, error: UserFacingError) -> None:
        if self.conversation.id != exchange.before.id:
            title = exchange.before.title or exchange.asked.title
            self._toast.announce(tr("No reply came in “{title}”. {why}").format(title=title, why=error.what))
        elif isinstance(error, ContextFullError) and error.can_be_cut and exchange.words:
            self._room_offer.offer(exchange.asked.without_last(), error)
            self._show_end()
            self._room_offer.take_focus()
        else:
            self._add_problem(error)

    def _give_back(self, exchange: Exchange) -> None:
        """Nothing was answered: the words return to where they were written, be it when they are looked at again."""
        self.shelf.save_unfinished(exchange.before.id, None)
        here = self.conversation.id == exchange.before.id
        if here:
            self._show(self.conversation)
            self._drafts.give_back(exchange.words)
        if exchange.before.turns and (here or not exchange.words):
            self.shelf.save(exchange.before)
        elif here:
            self.shelf.forget(exchange.before.id)

    def _add_problem(self, error: UserFacingError) -> None:
        self.transcript.add(Problem(error))
        self._show_end()

    def _show_end(self) -> None:
        """Of the transcript, to which something was added."""
        self._show_middle()
        self.transcript.follow()

    def _end(self, _: Exchange) -> None:
        self._reply_view.leave()
        self._refresh()
        self.room.measure(self.conversation, self.talk.deployment)
        self.profile.refresh()

    def prepare_to_close(self) -> None:
        """A reply under way stops and is kept, as is what was written and not sent."""
        self._drafts.save()
        self.stop()

    def close_desk(self) -> None:
        """Ends the chat session; call it when the lanes are done."""
        self._desk.close()
