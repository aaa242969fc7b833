"""Text as high as its words: plain while it streams, Markdown once it is whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from PySide6.QtCore import QEvent, QRectF, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QPainter,
    QPaintEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFragment,
    QTextFrameFormat,
    QTextOption,
    QTextTable,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser

from ui.text import tr
from ui.theme import theme
from ui.theme.tokens import CODE_FAMILY, SPACE_S, SPACE_XS

_LINE_HEIGHT_PERCENT = 130
_INDENT = 22
_BETWEEN = SPACE_S + 2  # paragraphs
_HEADING_STEPS = {1: 2, 2: 1}  # larger than the text, as in HTML's sizes of fonts: 1.5 and 1.2 times
_QUOTE_BAR = 3
_MARKDOWN = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML


class ProseView(QTextBrowser):
    """Selectable text without scroll bars; its parent scrolls. Fetches nothing, opens nothing by itself."""

    def __init__(self, on_link: Callable[[QUrl], object] | None = None) -> None:
        super().__init__()
        self._markdown: str | None = None
        self._quotes = False
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
        self._quotes = any(map(_quote_level, _blocks(self.document())))
        self._say_pictures()
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
            self._dress_anew(self._markdown)

    def _dress_anew(self, markdown: str) -> None:
        """In other colours; what was marked in the text stays marked."""
        marks = self.extraSelections()
        places = [(one.cursor.selectionStart(), one.cursor.selectionEnd()) for one in marks]
        self.set_markdown(markdown)
        for one, (start, end) in zip(marks, places, strict=True):
            one.cursor.setPosition(start)
            one.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self.setExtraSelections(marks)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """With a bar beside what is quoted, one for each level."""
        super().paintEvent(event)
        if not self._quotes:
            return
        layout, painter = self.document().documentLayout(), QPainter(self.viewport())
        for block in _blocks(self.document()):
            rect = layout.blockBoundingRect(block)
            for level in range(_quote_level(block)):
                bar = QRectF(level * _INDENT + SPACE_XS, rect.top(), _QUOTE_BAR, rect.height())
                painter.fillRect(bar, QColor(theme().tokens.edge))
        painter.end()

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
                if quoted := _quote_level(block):
                    form.setLeftMargin(quoted * _INDENT)
                    form.setRightMargin(0)
                if block.blockFormat().hasProperty(QTextFormat.Property.BlockTrailingHorizontalRulerWidth):
                    form.setBackground(QColor(theme().tokens.line))
            cursor.setPosition(block.position())
            cursor.mergeBlockFormat(form)
            if level := block.blockFormat().headingLevel():
                heading = QTextCharFormat()
                heading.setProperty(QTextCharFormat.Property.FontSizeAdjustment, _HEADING_STEPS.get(level, 0))
                heading.setFontWeight(QFont.Weight.DemiBold)
                cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
                cursor.mergeCharFormat(heading)
            block = after
        cursor.endEditBlock()

    def _say_pictures(self) -> None:
        """What a picture would show, in words: none is fetched. Qt has a picture for each run of formatted words."""
        pictures = [
            (fragment.position(), fragment.length(), form)
            for fragment in _fragments(self.document())
            if (form := fragment.charFormat().toImageFormat()).isValid()
        ]
        words, cursor = "", QTextCursor(self.document())
        for at, (position, length, form) in reversed(list(enumerate(pictures))):
            words = form.stringProperty(QTextFormat.Property.ImageAltText) + words
            goes_on = at > 0 and sum(pictures[at - 1][:2]) == position and pictures[at - 1][2].name() == form.name()
            cursor.setPosition(position)
            cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.insertText("" if goes_on else tr("[Picture: {words}]").format(words=words), QTextCharFormat())
            words = words if goes_on else ""

    def _dress_words(self) -> None:
        """Code inside a line in our font on the code ground; strong words in the one weight that we have for them."""
        code = QTextCharFormat()
        code.setFontFamilies([CODE_FAMILY])
        code.setFontFixedPitch(True)
        code.setBackground(QColor(theme().tokens.code))
        strong = QTextCharFormat()
        strong.setFontWeight(QFont.Weight.DemiBold)
        for fragment in _fragments(self.document()):
            if fragment.charFormat().fontFixedPitch():
                self._merge(fragment, code)
            if fragment.charFormat().fontWeight() > QFont.Weight.DemiBold:
                self._merge(fragment, strong)

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


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _fragments(document: QTextDocument) -> Iterator[QTextFragment]:
    """Runs of one format. What is merged into a format leaves them valid."""
    for block in _blocks(document):
        parts = block.begin()
        while not parts.atEnd():
            yield parts.fragment()
            parts += 1


def _quote_level(block: QTextBlock) -> int:
    return int(block.blockFormat().property(QTextFormat.Property.BlockQuoteLevel) or 0)
