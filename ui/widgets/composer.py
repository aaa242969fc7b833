"""Where the user writes: Enter sends, Shift+Enter starts a new line."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, column, label, row, set_look
from ui.widgets.context_meter import ContextMeter
from ui.widgets.elided import Elided

_LINES_MAX = 8
_SENDING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


_PAGE_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_RECALLING_KEYS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


class Composer(QFrame):
    """A box with the words, a line about the model, and the page's one primary button: Send or Stop.

    `recall_wanted` carries -1 for an earlier question and 1 for a later one, `files_given` the paths of files.
    """

    sent = Signal(str)
    stopped = Signal()
    changed = Signal()
    edit_left = Signal()
    recall_wanted = Signal(int)
    files_given = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "composer")
        self._about = ""
        self._answering = False
        self._hold = ""
        self._words = _Words()
        self._words.entered.connect(self._enter)
        self._words.focused.connect(self._mark_focus)
        self._words.textChanged.connect(self._refresh)
        self._words.textChanged.connect(self.changed)
        self._words.escaped.connect(self._escape)
        self._words.recall_wanted.connect(self.recall_wanted)
        self._words.files_given.connect(self.files_given)
        self._note = Elided("small")
        self.meter = ContextMeter()
        self._leave = Button(tr("Leave it as it was"), "action", icon="cross", on_click=self.edit_left.emit)
        self._editing = self._edit_line()
        self.button = Button(tr("Send"), "primary", on_click=self._click)
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_M, SPACE_M), spacing=SPACE_S)
        layout.addWidget(self._editing)
        layout.addWidget(self._words)
        foot = row(spacing=SPACE_M)
        foot.addWidget(self._note, 1)
        foot.addWidget(self.meter)
        foot.addWidget(self.button)
        layout.addLayout(foot)
        self.setFocusProxy(self._words)
        self.setTabOrder(self._words, self._leave)
        self.setTabOrder(self._leave, self.button)
        self._refresh()

    def _edit_line(self) -> QWidget:
        line = QWidget()
        inside = row(line, spacing=SPACE_S)
        inside.addWidget(label(tr("Editing an earlier message. The old version is kept."), "small"), 1)
        inside.addWidget(self._leave)
        line.hide()
        return line

    def edit(self, text: str) -> None:
        """The words of an earlier message, to be sent in its place."""
        self.set_text(text)
        self._editing.show()
        self._words.setFocus()

    def leave_edit(self, text: str) -> None:
        """Back to the words that were there before."""
        self._editing.hide()
        self.set_text(text)

    def _escape(self) -> None:
        if not self._editing.isHidden():
            self.edit_left.emit()

    @property
    def text(self) -> str:
        return self._words.toPlainText()

    def set_text(self, text: str) -> None:
        self._words.setPlainText(text)
        self._words.moveCursor(QTextCursor.MoveOperation.End)

    def show_recalled(self, text: str) -> None:
        """A question of before; the arrow keys lead to others until it is changed."""
        self.set_text(text)
        self._words.recalled = text

    def insert(self, text: str) -> None:
        """Where the cursor is, in a line of its own; Ctrl+Z takes it out again."""
        cursor = self._words.textCursor()
        cursor.insertText(text if cursor.atBlockStart() else f"\n{text}")

    def undo(self) -> None:
        """Brings back what was erased from the field."""
        self._words.undo()

    def set_note(self, text: str) -> None:
        """The grey line: which model listens."""
        self._about = text
        self._refresh()

    def set_answering(self, answering: bool, *, hold: str = "") -> None:
        """While a reply comes the button stops it; `hold` says why nothing can be sent though no reply is seen."""
        self._answering = answering
        self._hold = hold
        self._refresh()

    def _mark_focus(self, focused: bool) -> None:
        set_look(self, "focused", "true" if focused else "false")

    def _enter(self) -> None:
        if not self._answering:
            self._click()
        elif self.text.strip():
            self._note.set_words(tr("A reply is on its way. Stop it with Esc, or send this when it is there."))

    def _click(self) -> None:
        if self._answering:
            self.stopped.emit()
        elif self.text.strip() and not self._hold:
            text = self.text.strip()
            self._words.clear()
            self.sent.emit(text)

    def _refresh(self) -> None:
        self._note.set_words(self._hold or self._about)
        self.button.setText(tr("Stop") if self._answering else tr("Send"))
        self.button.setToolTip(self._hold or (tr("Stop the reply (Esc)") if self._answering else tr("Send (Enter)")))
        self.button.setEnabled(self._answering or (bool(self.text.strip()) and not self._hold))


class _Words(QPlainTextEdit):
    """A field as high as its lines, up to a limit."""

    entered = Signal()
    focused = Signal(bool)
    escaped = Signal()
    recall_wanted = Signal(int)
    files_given = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.recalled = ""
        self.setPlaceholderText(tr("Write a message"))
        self.setAccessibleName(tr("Message"))
        self.setAccessibleDescription(tr("Enter sends, Shift and Enter start a new line"))
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Leaves Ctrl+Z to the window while nothing is written: it knows what was done last."""
        undo = isinstance(event, QKeyEvent) and event.matches(QKeySequence.StandardKey.Undo)
        if event.type() == QEvent.Type.ShortcutOverride and undo and not self.toPlainText():
            return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() in _SENDING_KEYS and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.entered.emit()
        elif event.key() in _RECALLING_KEYS and self.toPlainText() in ("", self.recalled):
            self.recall_wanted.emit(_RECALLING_KEYS[Qt.Key(event.key())])
        else:
            if event.key() == Qt.Key.Key_Escape:
                self.escaped.emit()
            super().keyPressEvent(event)
            if event.key() in _PAGE_KEYS and self._all_seen:
                event.ignore()  # there is nothing to scroll here: the conversation above scrolls

    @property
    def _all_seen(self) -> bool:
        return self.verticalScrollBar().maximum() == 0

    def canInsertFromMimeData(self, source: QMimeData) -> bool:  # noqa: N802 - Qt's name
        return bool(local_files(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:  # noqa: N802 - Qt's name
        """What is pasted or dropped: of files their text, not their names."""
        if paths := local_files(source):
            self.files_given.emit(paths)
        else:
            super().insertFromMimeData(source)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusInEvent(event)
        self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusOutEvent(event)
        self.focused.emit(False)

    def _fit(self) -> None:
        lines = max(1, round(self.document().size().height()))  # QPlainTextEdit measures its document in lines
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAsNeeded if lines > _LINES_MAX else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        self.setFixedHeight(min(lines, _LINES_MAX) * self.fontMetrics().lineSpacing() + 4)


def local_files(dragged: QMimeData) -> list[Path]:
    """The files of this computer in what is dropped or pasted."""
    return [Path(url.toLocalFile()) for url in dragged.urls() if url.isLocalFile()]
