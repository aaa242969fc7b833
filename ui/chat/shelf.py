"""The stored conversations as the chat page uses them: listed, found, opened, saved, and deleted with a way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from personal_ai.chat import transfer
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.chat.presets import Preset
from personal_ai.common.files import storage_errors, write_atomically
from ui.bridge import Operation, OwnedBridge
from ui.core import Conversations

if TYPE_CHECKING:
    from personal_ai.chat.store import ConversationSummary

_NO_TURNS = ""  # the draft of the chat that is not stored yet


class Shelf(QObject):
    """All work is done on the bridge's desk. `listed` carries the summaries to show, whenever they change."""

    listed = Signal(list)

    def __init__(self, store: Callable[[], Conversations], bridge: OwnedBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._store = store
        self._bridge = bridge
        self._deleted: set[str] = set()  # never saved again, whatever comes in for them
        self._looked_for = ""
        self.summaries: Sequence[ConversationSummary] = ()

    def refresh(self) -> None:
        """Lists anew what matches the search."""
        text = self._looked_for
        self._bridge.run(lambda _: self._store().search(text) if text else self._store().list()).on_success(self._list)

    def look_for(self, text: str) -> None:
        """Lists only conversations with these words from now on; all where there are none."""
        self._looked_for = text.strip()
        self.refresh()

    def title(self, conversation_id: str) -> str:
        """As listed; empty where it is not."""
        return next((one.title for one in self.summaries if one.id == conversation_id), "")

    def open(self, conversation_id: str, then: Callable[[Conversation | None, str], object]) -> None:
        """Calls `then` with the conversation, None if it is gone, and its draft."""
        self._bridge.run(
            lambda _: (self._store().get(conversation_id), self._store().draft(conversation_id))
        ).on_success(lambda found: then(*found))

    def open_new_draft(self, then: Callable[[str], object]) -> None:
        """Calls `then` with what was written for a new chat and not sent."""
        self._bridge.run(lambda _: self._store().draft(_NO_TURNS)).on_success(then)

    def save(self, conversation: Conversation) -> None:
        if conversation.id not in self._deleted:
            self._bridge.run(lambda _: self._store().save(conversation))
            self.refresh()

    def save_draft(self, conversation: Conversation, text: str) -> None:
        """Keeps what is written and not sent, with the conversation or for the next new one."""
        if conversation.id not in self._deleted:
            key = conversation.id if conversation.everything else _NO_TURNS
            self._bridge.run(lambda _: self._store().save_draft(key, text))

    def save_unfinished(self, conversation_id: str, turn: Turn | None) -> None:
        """Keeps a reply as far as it has come, for the case that the program does not live to see its end.

        Where the disk refuses, saving the whole reply tells it once.
        """
        if conversation_id not in self._deleted:
            self._bridge.run(lambda _: self._store().save_unfinished(conversation_id, turn)).on_failure(lambda _: None)

    def change(self, conversation_id: str, act: Callable[[Conversation], Conversation]) -> Operation[Conversation]:
        """Changes a stored conversation: renames, stars or copies it. The result is what was saved."""

        def work(_: object) -> Conversation:
            found = self._store().get(conversation_id)
            assert found is not None
            changed = act(found)
            self._store().save(changed)
            return changed

        return self._bridge.run(work).on_end(self.refresh)

    def rename(self, conversation_id: str, title: str) -> Operation[Conversation]:
        return self.change(conversation_id, lambda found: replace(found, title=title))

    def star(self, conversation_id: str) -> Operation[Conversation]:
        """Puts a conversation at the head of the list, or back in its place."""
        return self.change(conversation_id, lambda found: replace(found, starred=not found.starred))

    # Deleting

    def take_away(self, conversation_id: str) -> None:
        """Out of sight; still there until `delete`."""
        self._deleted.add(conversation_id)
        self.refresh()

    def put_back(self, conversation_id: str) -> None:
        self._deleted.discard(conversation_id)
        self.refresh()

    def delete(self, conversation_id: str) -> None:
        """For good."""
        self._bridge.run(lambda _: self._store().delete(conversation_id))

    def forget(self, conversation_id: str) -> None:
        """One that came to nothing is kept no longer, and may be kept again."""
        self.delete(conversation_id)
        self.refresh()

    # Presets

    def read_presets(self, then: Callable[[Sequence[Preset]], object]) -> None:
        self._bridge.run(lambda _: self._store().presets()).on_success(then)

    def keep_preset(self, preset: Preset) -> None:
        self._bridge.run(lambda _: self._store().save_preset(preset))

    def remove_preset(self, name: str) -> None:
        self._bridge.run(lambda _: self._store().delete_preset(name))

    # Files

    def export(self, conversation_id: str, path: Path) -> Operation[None]:
        """Writes a conversation to a file, as JSON where the name ends so and as Markdown elsewhere."""

        def work(_: object) -> None:
            found = self._store().get(conversation_id)
            assert found is not None
            as_json = path.suffix.lower() == ".json"
            write_atomically(path, transfer.to_json([found]) if as_json else transfer.to_markdown(found).encode())

        return self._bridge.run(work)

    def export_all(self, path: Path) -> Operation[int]:
        """Writes all conversations to one JSON file; how many there were."""

        def work(_: object) -> int:
            found = [one for each in self._store().list() if (one := self._store().get(each.id)) is not None]
            write_atomically(path, transfer.to_json(found))
            return len(found)

        return self._bridge.run(work)

    def import_file(self, path: Path) -> Operation[int]:
        """Merges the conversations of a JSON file into the store; how many there were."""

        def work(_: object) -> int:
            with storage_errors(f"read {path.name}"), path.open("rb") as file:
                content = file.read(transfer.SIZE_BYTES_MAX + 1)
            found = transfer.from_json(content)
            for conversation in found:
                self._store().merge(conversation)
            return len(found)

        return self._bridge.run(work).on_end(self.refresh)

    def _list(self, found: Sequence[ConversationSummary]) -> None:
        self.summaries = [one for one in found if one.id not in self._deleted]
        self.listed.emit(self.summaries)
