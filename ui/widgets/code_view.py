"""A block of code in a reply: its language, its colours, and a button that copies it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor, QTextLayout
from PySide6.QtWidgets import QFrame, QPlainTextEdit

from ui.colouring import Colouring
from ui.highlight import Kind, Span
from ui.text import tr
from ui.theme import theme
from ui.theme.tokens import SPACE_M, SPACE_XS
from ui.widgets.basic import Button, column, label, row

_SCROLL_BAR = 12
_LONG_LINE = 600  # from here on there may be a scroll bar below


class CodeView(QFrame):
    """Grows with `show_text`; `finish` has it coloured."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.setProperty("kind", "code")
        self._language = language
        self._text = ""
        self._spans: Sequence[Sequence[Span]] = ()
        self._longest = 0
        self.editor = _editor()
        layout = column(self, margins=(SPACE_M + SPACE_XS, SPACE_XS, SPACE_XS, SPACE_M), spacing=0)
        head = row()
        head.addWidget(label(language or tr("code"), "small"))
        head.addStretch()
        copy = Button(tr("Copy code"), "action", icon="copy", on_click=self._copy)
        copy.setAccessibleName(tr("Copy this code"))
        head.addWidget(copy)
        layout.addLayout(head)
        layout.addWidget(self.editor)
        self._fit("")

    @property
    def colours(self) -> Sequence[Sequence[Span]]:
        """The spans of each line, once they are known."""
        return self._spans

    def show_text(self, text: str) -> None:
        """Shows what the text has gained; what was shown before is its beginning."""
        new = text[len(self._text) :]
        if new:
            self._text = text
            cursor = QTextCursor(self.editor.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(new)
            self._fit(new)

    def finish(self, text: str, colouring: Colouring) -> None:
        """The text is whole."""
        self.show_text(text)
        colouring.colour(text, self._language, self.show_colours)

    def show_colours(self, spans: Sequence[Sequence[Span]]) -> None:
        """Kept beside the text, which stays as it is for copying and selecting."""
        self._spans = spans
        formats = {kind: _coloured(kind) for kind in Kind}
        document = self.editor.document()
        block = document.begin()
        for line in spans:
            block.layout().setFormats([_range(span, formats[span.kind]) for span in line])
            block = block.next()
        document.markContentsDirty(0, document.characterCount())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._spans:
            self.show_colours(self._spans)

    def _fit(self, new: str) -> None:
        """As high as its lines, and a scroll bar where one may be wanted."""
        document, metrics = self.editor.document(), self.editor.fontMetrics()
        last = document.lastBlock()
        self._longest = max(self._longest, *map(metrics.horizontalAdvance, [last.text(), *new.splitlines()]))
        below = _SCROLL_BAR if self._longest > _LONG_LINE else 0
        line = document.documentLayout().blockBoundingRect(last).height()
        self.editor.setFixedHeight(math.ceil(document.blockCount() * line) + below + 2)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text)


def _editor() -> QPlainTextEdit:
    editor = QPlainTextEdit()
    editor.setReadOnly(True)
    editor.setFrameShape(QFrame.Shape.NoFrame)
    editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    editor.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    editor.setAccessibleName(tr("Code"))
    editor.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    editor.document().setDocumentMargin(0)
    editor.setProperty("kind", "mono")
    editor.ensurePolished()
    return editor


def _coloured(kind: Kind) -> QTextCharFormat:
    form = QTextCharFormat()
    form.setForeground(QColor(getattr(theme().tokens, kind.value)))
    return form


def _range(span: Span, form: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = span.start, span.length, form
    return made
