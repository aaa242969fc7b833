"""Text as high as its words: plain while it streams, Markdown once it is whole."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFragment,
    QTextFrameFormat,
    QTextOption,
    QTextTable,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser

from ui.theme import theme
from ui.theme.tokens import CODE_FAMILY, SPACE_S, SPACE_XS, TYPE_HEADING_1, TYPE_HEADING_2

_LINE_HEIGHT_PERCENT = 130
_INDENT = 22
_BETWEEN = SPACE_S + 2  # paragraphs
_HEADING_SIZES = {1: TYPE_HEADING_1, 2: TYPE_HEADING_2 + 2}
_MARKDOWN = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML


class ProseView(QTextBrowser):
    """Selectable text without scroll bars; its parent scrolls. Fetches nothing, opens nothing by itself."""

    def __init__(self, on_link: Callable[[QUrl], object] | None = None) -> None:
        super().__init__()
        self._markdown: str | None = None
        self._shown = 0  # characters of what grows
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

    def show_text(self, text: str) -> None:
        """Shows what the text has gained; what was shown before is its beginning. The reader's selection stays."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text[self._shown :])
        self._shown = len(text)

    def set_markdown(self, text: str) -> None:
        self._markdown = text
        self.document().setMarkdown(text, _MARKDOWN)
        self._lay_out_blocks()
        self._dress_words()
        self._dress_tables()

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
                form.setBottomMargin(0 if not after.isValid() else SPACE_XS if close else _BETWEEN)
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

    def _dress_tables(self) -> None:
        """Thin lines in our colour, and cells as high as their words."""
        for table in self.document().rootFrame().childFrames():
            if isinstance(table, QTextTable):
                form = table.format().toTableFormat()
                form.setBorderBrush(QColor(theme().tokens.line))
                form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                form.setBorderCollapse(True)
                form.setCellPadding(SPACE_S)
                form.setBottomMargin(_BETWEEN)
                table.setFormat(form)
                cursor = table.firstCursorPosition()
                cursor.setPosition(table.lastPosition(), QTextCursor.MoveMode.KeepAnchor)
                flat = QTextBlockFormat()
                flat.setBottomMargin(0)
                cursor.mergeBlockFormat(flat)

    def _merge(self, fragment: QTextFragment, form: QTextCharFormat) -> None:
        cursor = QTextCursor(self.document())
        cursor.setPosition(fragment.position())
        cursor.setPosition(fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(form)
