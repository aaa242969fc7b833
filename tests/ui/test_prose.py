"""Markdown as it is dressed: headings that differ, quotations with a bar, pictures in words."""

from __future__ import annotations

from PySide6.QtGui import QColor, QFontInfo, QImage
from PySide6.QtWidgets import QApplication

from ui.theme import theme
from ui.widgets.prose import ProseView


def dressed(markdown: str) -> ProseView:
    view = ProseView()
    view.resize(400, 300)
    view.set_markdown(markdown)
    return view


def test_headings_are_as_large_as_their_level(qapp: QApplication) -> None:
    view = dressed("# One\n\n## Two\n\n### Three\n\nwords")
    blocks = [view.document().findBlockByNumber(at) for at in range(4)]
    sizes = [QFontInfo(block.begin().fragment().charFormat().font()).pixelSize() for block in blocks]
    assert sizes[0] > sizes[1] > sizes[2] == sizes[3]


def test_what_is_quoted_has_a_bar_for_each_level(qapp: QApplication) -> None:
    def bars(markdown: str) -> set[int]:
        """Where across there is something of the bars' colour."""
        image = dressed(markdown).grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
        colour = QColor(theme().tokens.edge).rgb()
        return {x for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) == colour}

    assert bars("words") == set()
    once, twice = bars("> words"), bars("> words\n>\n> > more")
    assert once and once < twice


def test_a_picture_is_told_in_words(qapp: QApplication) -> None:
    told = dressed("Look: ![a **red** house](https://example.org/house.png) and ![more](b.png).").toPlainText()
    assert told == "Look: [Picture: a red house] and [Picture: more]."
