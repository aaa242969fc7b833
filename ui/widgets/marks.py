"""Words that are looked for, marked where they stand in texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from ui.theme import theme

TextView = QTextEdit | QPlainTextEdit


def mark(views: Sequence[TextView], words: str, current: int | None) -> tuple[TextView, QTextCursor] | None:
    """Marks all places in the views' texts; "" takes every mark away.

    current: which place of them, from the first on, is marked as the one to look at; the last where there are fewer,
    as Markdown is found in a text that is not seen in it. Returns that place, if there is one.
    """
    found = [(view, place) for view in views for place in _places(view.document(), words)]
    chosen = found[min(current, len(found) - 1)] if found and current is not None else None
    for view in views:
        view.setExtraSelections(
            [_selection(place, strong=chosen is not None and place is chosen[1]) for at, place in found if at is view]
        )
    return chosen


def _places(document: QTextDocument, words: str) -> Iterator[QTextCursor]:
    place = document.find(words) if words else QTextCursor()
    while not place.isNull():
        yield place
        place = document.find(words, place)


def _selection(place: QTextCursor, *, strong: bool) -> QTextEdit.ExtraSelection:
    tokens = theme().tokens
    form = QTextCharFormat()
    form.setBackground(QColor(tokens.accent if strong else tokens.mark))
    form.setForeground(QColor(tokens.on_accent if strong else tokens.text))
    made = QTextEdit.ExtraSelection()
    made.cursor, made.format = place, form
    return made
