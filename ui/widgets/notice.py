"""What stands between messages, or above a page: a plain sentence, or an error in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6 import QtCore
from PySide6.QtWidgets import QFrame, QWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, column, label

if TYPE_CHECKING:
    from personal_ai.identities.linking import LinkWarning


class Notice(QFrame):
    """A plain sentence inside the conversation."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M))
        self._words = label(text, wrap=True)
        layout.addWidget(self._words)
        self.setAccessibleName(text)

    @property
    def text(self) -> str:
        return self._words.text()


class Problem(QFrame):
    """An error in words: what happened, what is safe, what to do."""

    def __init__(self, error: UserFacingError, *, closable: bool = False) -> None:
        super().__init__()
        self.error = error
        self.setProperty("kind", "notice")
        self.setProperty("tone", "bad")
        self.setAccessibleName(str(error))
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
        layout.addWidget(_selectable(error.what, "strong"))
        for text in (error.not_lost, error.next_step):
            if text:
                layout.addWidget(_selectable(text, ""))
        if closable:
            close = Button(tr("Close"), "action", icon="cross", on_click=self._close)
            layout.addWidget(close, 0, QtCore.Qt.AlignmentFlag.AlignRight)

    def _close(self) -> None:
        self.hide()
        self.deleteLater()


class LinkNotice(QFrame):
    """What would tie two identities together in public, before it is done."""

    def __init__(self, warning: LinkWarning) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        self.setProperty("tone", "bad")
        self.setAccessibleName(str(warning))
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
        layout.addWidget(label(warning.what, "strong", wrap=True))
        for text in (warning.where, warning.instead):
            layout.addWidget(label(text, wrap=True))


def _selectable(text: str, kind: str) -> QWidget:
    made = label(text, kind, wrap=True)
    made.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
