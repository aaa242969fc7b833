"""What can be done with a chat of the list: renamed, starred, copied, deleted with a way back."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from personal_ai.chat.conversation import Conversation
from ui.chat.files import ChatFiles
from ui.chat.shelf import Shelf
from ui.chat.talk import Talk
from ui.text import tr
from ui.widgets.conversation_list import ConversationList
from ui.widgets.rename_dialog import ask_for_title
from ui.widgets.toast import Toast


class KeptChats(QObject):
    """`open_wanted` carries the id of a chat to look at; `gone` and `changed` are about the one at hand."""

    open_wanted = Signal(str)
    gone = Signal()
    changed = Signal()

    def __init__(self, talk: Talk, shelf: Shelf, toast: Toast, page: QWidget) -> None:
        super().__init__(page)
        self._talk = talk
        self._shelf = shelf
        self._toast = toast
        self._page = page
        self.files = ChatFiles(page, shelf, toast)

    def serve(self, listed: ConversationList) -> None:
        """Does what the list asks for."""
        self._shelf.listed.connect(lambda found: listed.show_conversations(found, self._talk.conversation.id))
        listed.selected.connect(self.open_wanted)
        listed.searched.connect(self._shelf.look_for)
        listed.delete_wanted.connect(self.delete)
        listed.rename_wanted.connect(self.rename)
        listed.star_wanted.connect(self._star)
        listed.copy_wanted.connect(self._duplicate)
        listed.export_wanted.connect(self.files.export)
        listed.export_all_wanted.connect(self.files.export_all)
        listed.import_wanted.connect(self.files.import_file)

    def delete(self, conversation_id: str) -> None:
        """Takes a conversation out of sight, and out of the store once it can no longer be undone."""
        at_hand = conversation_id == self._talk.conversation.id
        title = self._talk.conversation.title if at_hand else ""
        under_way = self._talk.replies.under_way
        if under_way and under_way.before.id == conversation_id:
            self._talk.replies.stop()
        self._shelf.take_away(conversation_id)
        if at_hand:
            self.gone.emit()
        self._toast.offer(
            tr("Deleted “{title}”").format(title=title) if title else tr("Chat deleted"),
            undo=lambda: self._undo_delete(conversation_id),
            gone=lambda: self._shelf.delete(conversation_id),
        )

    def _undo_delete(self, conversation_id: str) -> None:
        self._shelf.put_back(conversation_id)
        self.open_wanted.emit(conversation_id)

    def rename(self, conversation_id: str) -> None:
        """Asks for another title."""
        ask_for_title(
            self._page,
            self._shelf.title(conversation_id),
            lambda title: self._shelf.rename(conversation_id, title).on_success(self._follow),
        )

    def _star(self, conversation_id: str) -> None:
        self._shelf.star(conversation_id).on_success(self._follow)

    def _follow(self, changed: Conversation) -> None:
        self._talk.follow(changed)
        if changed.id == self._talk.conversation.id:
            self.changed.emit()

    def _duplicate(self, conversation_id: str) -> None:
        self._shelf.change(
            conversation_id, lambda found: found.duplicate(tr("{title} (copy)").format(title=found.title))
        ).on_success(lambda copy: self.open_wanted.emit(copy.id))
