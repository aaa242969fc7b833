"""The keys that work on every page of an opened profile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence, QShortcut

from ui.widgets.rail import Page

if TYPE_CHECKING:
    from ui.shell import Shell


def add_shortcuts(shell: Shell) -> None:
    """They go with the shell. The dialog that F1 opens tells of them."""
    acts: dict[str, Callable[[], object]] = {
        "Ctrl+N": shell.new_chat,
        "Ctrl+F": shell.find_words,
        "F3": partial(shell.find_on, 1),
        "Shift+F3": partial(shell.find_on, -1),
        "Ctrl+Shift+F": shell.find_chat,
        "Ctrl+Z": shell.undo,
        "F1": shell.show_shortcuts,
        "Ctrl+/": shell.show_shortcuts,
        "Ctrl+L": shell.lock_wanted.emit,
    }
    for number, page in enumerate(Page, 1):
        acts[f"Ctrl+{number}"] = partial(shell.show_page, page)
    for keys, act in acts.items():
        QShortcut(QKeySequence(keys), shell, act)
