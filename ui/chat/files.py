"""Conversations to files and back: the dialogs that ask which file."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from ui.chat.shelf import Shelf
from ui.text import count, tr
from ui.widgets.toast import Toast


class ChatFiles(QObject):
    """The page's way to files. Every dialog can be left; what was done is told in the toast."""

    def __init__(self, page: QWidget, shelf: Shelf, toast: Toast) -> None:
        super().__init__(page)
        self._page = page
        self._shelf = shelf
        self._toast = toast

    def export(self, conversation_id: str) -> None:
        """One conversation as Markdown to read, or as JSON to keep."""
        name = file_name(self._shelf.title(conversation_id))
        kinds = f"{tr('Markdown')} (*.md);;{tr('JSON, with all versions')} (*.json)"
        path, _ = QFileDialog.getSaveFileName(self._page, tr("Export this chat"), f"{name}.md", kinds)
        if path:
            self._shelf.export(conversation_id, Path(path)).on_success(
                lambda _: self._toast.tell(tr("Exported to {file}").format(file=Path(path).name))
            )

    def export_all(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self._page, tr("Export all chats"), "personal-ai-chats.json", f"{tr('JSON')} (*.json)"
        )
        if path:
            self._shelf.export_all(Path(path)).on_success(
                lambda number: self._toast.tell(tr("Exported {chats}").format(chats=_chats(number)))
            )

    def import_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self._page, tr("Import chats"), "", f"{tr('JSON')} (*.json)")
        if path:
            self._shelf.import_file(Path(path)).on_success(
                lambda number: self._toast.tell(tr("Imported {chats}").format(chats=_chats(number)))
            )


def file_name(title: str) -> str:
    """A title as a file's name on any system."""
    return re.sub(r"[^\w\- ]+", "", title).strip()[:60] or "chat"


def _chats(number: int) -> str:
    return count(number, tr("chat"), tr("chats"))
