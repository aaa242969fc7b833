"""What we rely on in the Qt bindings."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

from PySide6.QtWidgets import QLabel, QWidget

import ui
from ui.widgets.question import Question

_TAKEN_FOR_CHILDREN = re.compile(r"\.(nextInFocusChain|previousInFocusChain|focusProxy|topLevelWidget)\(")


def test_a_call_takes_no_reference_from_none(qapp: object) -> None:
    """PySide6 6.12.0 does under Python 3.11, where None can die of it: the window lives for minutes only."""
    label = QLabel()
    before = sys.getrefcount(None)
    for _ in range(1000):
        label.setText("words")
    assert abs(sys.getrefcount(None) - before) < 500


def test_nothing_asks_for_widgets_that_the_bindings_would_take_for_children() -> None:
    """A window that is taken for the child of its own field is garbage, and vanishes when Python next looks."""
    sources = Path(ui.__path__[0]).rglob("*.py")
    assert [source for source in sources if _TAKEN_FOR_CHILDREN.search(source.read_text("utf-8"))] == []


def test_an_open_dialog_is_no_garbage(qapp: object) -> None:
    parent = QWidget()
    Question(parent, "A question", ("What it means",), go="Go on")
    for dialog in parent.findChildren(Question):
        dialog.open()
    del dialog
    gc.collect()
    assert len(parent.findChildren(Question)) == 1
