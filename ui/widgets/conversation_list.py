"""The list of conversations beside the chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QMenu

from ui.text import clock, tr
from ui.theme.tokens import LIST_WIDTH, SPACE_M, SPACE_XL
from ui.widgets.basic import Button, column, label

if TYPE_CHECKING:
    from personal_ai.chat.store import ConversationSummary

_ID = Qt.ItemDataRole.UserRole


class ConversationList(QFrame):
    """Newest first. `selected` and `delete_wanted` carry a conversation's id."""

    new_wanted = Signal()
    selected = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(LIST_WIDTH)
        self._new = Button(tr("New chat"), icon="plus", on_click=self.new_wanted.emit)
        self._new.setToolTip(tr("New chat (Ctrl+N)"))
        self._list = _List()
        self._list.currentItemChanged.connect(self._select)
        self._list.delete_pressed.connect(self._delete)
        self._list.customContextMenuRequested.connect(self._show_menu)
        self._none = label(tr("Your chats will be listed here."), "small", wrap=True)
        self._none.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        layout = column(self, margins=(SPACE_M, SPACE_XL - 4, SPACE_M, SPACE_M), spacing=SPACE_M)
        layout.addWidget(self._new)
        layout.addWidget(self._none)
        layout.addWidget(self._list, 1)

    def show_conversations(self, summaries: Sequence[ConversationSummary], current: str) -> None:
        """Replaces the list and marks `current` in it, without selecting anew."""
        self._list.blockSignals(True)
        self._list.clear()
        for summary in summaries:
            item = QListWidgetItem(summary.title)
            item.setData(_ID, summary.id)
            item.setToolTip(f"{summary.title}\n{clock(summary.updated_at_ns)}")
            self._list.addItem(item)
            if summary.id == current:
                self._list.setCurrentItem(item)
        self._list.blockSignals(False)
        self._none.setVisible(not summaries)

    @property
    def titles(self) -> list[str]:
        """What is listed, from top to bottom."""
        return [self._list.item(at).text() for at in range(self._list.count())]

    def take_focus(self) -> None:
        self._list.setFocus()

    def clear_selection(self) -> None:
        self._list.blockSignals(True)
        self._list.setCurrentRow(-1)
        self._list.blockSignals(False)

    def _select(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.selected.emit(item.data(_ID))

    def _delete(self) -> None:
        if (item := self._list.currentItem()) is not None:
            self.delete_wanted.emit(item.data(_ID))

    def _show_menu(self, at: QPoint) -> None:
        if (item := self._list.itemAt(at)) is not None:
            menu = QMenu(self)
            menu.addAction(tr("Delete"), lambda: self.delete_wanted.emit(item.data(_ID)))
            menu.exec(self._list.viewport().mapToGlobal(at))


class _List(QListWidget):
    delete_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Chats"))
        self.setAccessibleDescription(tr("Arrow keys open a chat, Delete removes it"))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setUniformItemSizes(True)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Qt would take the first chat for the current one; coming by is not opening."""
        at = self.currentRow()
        self.blockSignals(True)
        super().focusInEvent(event)
        self.setCurrentRow(at)
        self.blockSignals(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)
