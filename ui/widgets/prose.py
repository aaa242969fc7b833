"""Text as high as its words: plain while it streams, Markdown once it is whole."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFragment,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QTextBrowser

from ui.text import tr
from ui.theme import theme
from ui.theme.tokens import CODE_FAMILY, SPACE_M, SPACE_S, SPACE_XS, TYPE_HEADING_1, TYPE_HEADING_2
from ui.widgets.basic import Button, column, label, row

_LINE_HEIGHT_PERCENT = 130
_INDENT = 22
_HEADING_SIZES = {1: TYPE_HEADING_1, 2: TYPE_HEADING_2 + 2}
_MARKDOWN = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML


class ProseView(QTextBrowser):
    """Selectable text without scroll bars; its parent scrolls. Fetches nothing, opens nothing by itself."""

    def __init__(self, on_link: Callable[[QUrl], object] | None = None) -> None:
        super().__init__()
        self._markdown: str | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.document().setIndentWidth(_INDENT)
        self._lay_out_blocks()
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        if on_link:
            self.anchorClicked.connect(on_link)

    def set_plain(self, text: str) -> None:
        self._markdown = None
        self.setPlainText(text)
        self._lay_out_blocks()

    def add_plain(self, text: str) -> None:
        """Appends without touching the reader's selection."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)

    def set_markdown(self, text: str) -> None:
        self._markdown = text
        self.document().setMarkdown(text, _MARKDOWN)
        self._lay_out_blocks()
        self._dress_words()

    def width_wanted(self) -> int:
        """The width at which no line would have to wrap."""
        unwrapped = self.document().clone()
        unwrapped.setTextWidth(-1)
        return math.ceil(unwrapped.idealWidth()) + 1

    def loadResource(self, kind: int, name: QUrl | str) -> object:  # noqa: N802 - Qt's name
        """A reply may name pictures and files: none of them is read."""
        return None

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._markdown is not None:
            self.set_markdown(self._markdown)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        event.ignore()

    def _fit(self, size: QSizeF) -> None:
        self.setFixedHeight(math.ceil(size.height()))

    def _lay_out_blocks(self) -> None:
        """Line height for all blocks; for Markdown also space between them and headings that do not shout."""
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        block = self.document().begin()
        while block.isValid():
            form = QTextBlockFormat()
            form.setLineHeight(_LINE_HEIGHT_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
            after = block.next()
            if self._markdown is not None:
                close = block.textList() is not None and after.isValid() and after.textList() is not None
                form.setTopMargin(0)
                form.setBottomMargin(0 if not after.isValid() else SPACE_XS if close else SPACE_S + 2)
            cursor.setPosition(block.position())
            cursor.mergeBlockFormat(form)
            if level := block.blockFormat().headingLevel():
                heading = QTextCharFormat()
                heading.setProperty(QTextCharFormat.Property.FontPixelSize, _HEADING_SIZES.get(level, TYPE_HEADING_2))
                heading.setProperty(QTextCharFormat.Property.FontSizeAdjustment, 0)
                heading.setFontWeight(QFont.Weight.DemiBold)
                cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
                cursor.mergeCharFormat(heading)
            block = after
        cursor.endEditBlock()

    def _dress_words(self) -> None:
        """Code inside a line in our font on the code ground; strong words in the one weight that we have for them."""
        code = QTextCharFormat()
        code.setFontFamilies([CODE_FAMILY])
        code.setFontFixedPitch(True)
        code.setBackground(QColor(theme().tokens.code))
        strong = QTextCharFormat()
        strong.setFontWeight(QFont.Weight.DemiBold)
        block = self.document().begin()
        while block.isValid():
            parts = block.begin()
            while not parts.atEnd():
                fragment = parts.fragment()
                if fragment.charFormat().fontFixedPitch():
                    self._merge(fragment, code)
                if fragment.charFormat().fontWeight() > QFont.Weight.DemiBold:
                    self._merge(fragment, strong)
                parts += 1
            block = block.next()

    def _merge(self, fragment: QTextFragment, form: QTextCharFormat) -> None:
        cursor = QTextCursor(self.document())
        cursor.setPosition(fragment.position())
        cursor.setPosition(fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(form)


class CodeView(QFrame):
    """A block of code with its language and a button that copies it."""

    def __init__(self, text: str, language: str) -> None:
        super().__init__()
        self.setProperty("kind", "code")
        self._text = text
        layout = column(self, margins=(SPACE_M + SPACE_XS, SPACE_XS, SPACE_XS, SPACE_M), spacing=0)
        head = row()
        head.addWidget(label(language or tr("code"), "small"))
        head.addStretch()
        copy = Button(tr("Copy code"), "action", icon="copy", on_click=self._copy)
        copy.setAccessibleName(tr("Copy this code"))
        head.addWidget(copy)
        layout.addLayout(head)
        layout.addWidget(self._editor(text))

    def _editor(self, text: str) -> QPlainTextEdit:
        editor = QPlainTextEdit(text)
        editor.setReadOnly(True)
        editor.setFrameShape(QFrame.Shape.NoFrame)
        editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        editor.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        editor.setAccessibleName(tr("Code"))
        editor.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        editor.document().setDocumentMargin(0)
        editor.setProperty("kind", "mono")
        editor.ensurePolished()
        lines = editor.document().blockCount()
        longest = max((editor.fontMetrics().horizontalAdvance(line) for line in text.splitlines()), default=0)
        scroll_bar = 12 if longest > 600 else 0
        editor.setFixedHeight(lines * editor.fontMetrics().lineSpacing() + scroll_bar + 2)
        return editor

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text)
