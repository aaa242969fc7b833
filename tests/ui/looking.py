"""Widgets that must be there: found by their kind, or by having the keyboard."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

T = TypeVar("T", bound=QObject)


def child(parent: QObject, kind: type[T]) -> T:
    """The first of this kind below `parent`."""
    found = parent.findChild(kind)
    assert isinstance(found, kind), f"no {kind.__name__}"
    return found


def focused() -> QWidget:
    """What gets what is typed."""
    widget = QApplication.focusWidget()
    assert widget is not None, "nothing has the focus"
    return widget


def focused_text() -> str:
    """What the button says that a key would press."""
    button = focused()
    assert isinstance(button, QAbstractButton)
    return button.text()
