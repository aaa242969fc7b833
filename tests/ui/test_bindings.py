"""What we rely on in the Qt bindings."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QLabel


def test_a_call_takes_no_reference_from_none(qapp: object) -> None:
    """PySide6 6.12.0 does under Python 3.11, where None can die of it: the window lives for minutes only."""
    label = QLabel()
    before = sys.getrefcount(None)
    for _ in range(1000):
        label.setText("words")
    assert abs(sys.getrefcount(None) - before) < 500
