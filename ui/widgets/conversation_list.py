"""The list of conversations beside the chat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QFocusEvent, QIcon, QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QListWidgetItem, QMenu

from ui.text import clock, tr
from ui.theme import icon, theme
from ui.theme.tokens import LIST_WIDTH, SPACE_M, SPACE_XL, SPACE_XS
from ui.widgets.basic import Button, column, label, row

if TYPE_CHECKING:
    from personal_ai.chat.store import ConversationSummary

_ID = Qt.ItemDataRole.UserRole
_STARRED = Qt.ItemDataRole.UserRole + 1
_SHOWN = Qt.ItemDataRole.UserRole + 2  # what an item was made of
_TYPING_PAUSE_MS = 200


class ConversationList(QFrame):
    """Starred first, then the newest. `searched` carries what is looked for, other signals a conversation's id."""

    new_wanted = Signal()
    searched = Signal(str)
    selected = Signal(str)
    rename_wanted = Signal(str)
    star_wanted = Signal(str)
    copy_wanted = Signal(str)
    export_wanted = Signal(str)
    delete_wanted = Signal(str)
    export_all_wanted = Signal()
    import_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(LIST_WIDTH)
        self._new = Button(tr("New chat"), icon="plus", on_click=self.new_wanted.emit)
        self._new.setToolTip(tr("New chat (Ctrl+N)"))
        self._more = Button("", "quiet", icon="chevron")
        self._more.setAccessibleName(tr("More about all chats"))
        self._more.setToolTip(tr("Import and export"))
        self._more.setMenu(self._more_menu())
        self._search = _Search()
        self._search.passed.connect(self.take_focus)
        self._search.setPlaceholderText(tr("Search chats"))
        self._search.setAccessibleName(tr("Search all chats"))
        self._search.setClearButtonEnabled(True)
        self._pause = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._pause.timeout.connect(lambda: self.searched.emit(self._search.text()))
        self._search.textChanged.connect(self._pause.start)
        self._list = _List()
        self._list.currentItemChanged.connect(self._select)
        self._list.delete_pressed.connect(partial(self._emit_current, self.delete_wanted))
        self._list.rename_pressed.connect(partial(self._emit_current, self.rename_wanted))
        self._list.customContextMenuRequested.connect(self._show_menu)
        self._none = label(tr("Your chats will be listed here."), "small", wrap=True)
        self._none.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        layout = column(self, margins=(SPACE_M, SPACE_XL - 4, SPACE_M, SPACE_M), spacing=SPACE_M)
        head = row(spacing=SPACE_XS)
        head.addWidget(self._new, 1)
        head.addWidget(self._more)
        layout.addLayout(head)
        layout.addWidget(self._search)
        layout.addWidget(self._none)
        layout.addWidget(self._list, 1)

    def show_conversations(self, summaries: Sequence[ConversationSummary], current: str) -> None:
        """Replaces the list and marks `current` in it, without selecting anew or scrolling.

        Only what differs is changed: a list of a thousand is shown anew with every message.
        """
        self._list.blockSignals(True)
        for at, summary in enumerate(summaries):
            if at == self._list.count():
                self._list.addItem(QListWidgetItem())
            _show(self._list.item(at), summary)
        while self._list.count() > len(summaries):
            self._list.takeItem(self._list.count() - 1)
        self._list.setCurrentRow(next((at for at, one in enumerate(summaries) if one.id == current), -1))
        self._list.blockSignals(False)
        looking = bool(self._search.text())
        self._none.setText(tr("No chat has these words.") if looking else tr("Your chats will be listed here."))
        self._none.setVisible(not summaries)
        self._search.setVisible(bool(summaries) or looking)

    @property
    def titles(self) -> list[str]:
        """What is listed, from top to bottom."""
        return [self._list.item(at).text() for at in range(self._list.count())]

    @property
    def words_sought(self) -> str:
        """What the list is searched for."""
        return self._search.text().strip()

    def take_focus(self) -> None:
        self._list.setFocus()

    def clear_selection(self) -> None:
        self._list.blockSignals(True)
        self._list.setCurrentRow(-1)
        self._list.blockSignals(False)

    def _select(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.selected.emit(item.data(_ID))

    def look_for(self, text: str) -> None:
        """As if `text` were typed into the search field and the pause after it were over."""
        self._search.setText(text)
        self._pause.stop()
        self.searched.emit(text)

    def take_search(self) -> None:
        """Puts the keyboard into the search field."""
        self._search.setFocus()
        self._search.selectAll()

    def menu_for(self, item: QListWidgetItem) -> QMenu:
        """What can be done with a conversation."""
        menu = QMenu(self)
        conversation_id: str = item.data(_ID)
        for words, signal in (
            (tr("Rename…"), self.rename_wanted),
            (tr("Remove the star") if item.data(_STARRED) else tr("Star"), self.star_wanted),
            (tr("Duplicate"), self.copy_wanted),
            (tr("Export…"), self.export_wanted),
            (tr("Delete"), self.delete_wanted),
        ):
            menu.addAction(words, partial(signal.emit, conversation_id))
        return menu

    def _more_menu(self) -> QMenu:
        menu = QMenu(self._more)
        menu.addAction(tr("Import chats…"), self.import_wanted.emit)
        menu.addAction(tr("Export all chats…"), self.export_all_wanted.emit)
        return menu

    def _emit_current(self, signal: SignalInstance) -> None:
        if (item := self._list.currentItem()) is not None:
            signal.emit(item.data(_ID))

    def _show_menu(self, at: QPoint) -> None:
        item = self._list.itemAt(at) or self._list.currentItem()
        if item is not None:
            menu = self.menu_for(item)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self._list.viewport().mapToGlobal(at))


def _show(item: QListWidgetItem, summary: ConversationSummary) -> None:
    colour = theme().tokens.accent
    if item.data(_SHOWN) == (summary, colour):
        return
    item.setData(_SHOWN, (summary, colour))
    item.setText(summary.title)
    item.setData(_ID, summary.id)
    item.setData(_STARRED, summary.starred)
    item.setIcon(icon("star", colour, colour) if summary.starred else QIcon())
    spoken = tr("Starred: {title}").format(title=summary.title) if summary.starred else summary.title
    item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
    item.setToolTip(f"{summary.title}\n{clock(summary.updated_at_ns)}")


class _Search(QLineEdit):
    """The arrow key down and Enter go on to what was found."""

    passed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.passed.emit()
        else:
            super().keyPressEvent(event)


class _List(QListWidget):
    delete_pressed = Signal()
    rename_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Chats"))
        self.setAccessibleDescription(tr("Arrow keys open, F2 renames, Delete removes a chat; the menu key shows more"))
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
        elif event.key() == Qt.Key.Key_F2:
            self.rename_pressed.emit()
        else:
            super().keyPressEvent(event)
