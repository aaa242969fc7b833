"""Which version of a message is shown, of how many, and the way to the others."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from ui.text import tr
from ui.widgets.basic import Button, label, row


class VersionSwitch(QWidget):
    """Hidden where there is one version only. `chosen` carries the id of the version that is wanted."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._ids: Sequence[str] = ()
        self._at = 0
        self._number = label("", "small")
        self._back = self._arrow("left", tr("Earlier version"), -1)
        self._on = self._arrow("right", tr("Later version"), 1)
        layout = row(self)
        for widget in (self._back, self._number, self._on):
            layout.addWidget(widget)
        self.hide()

    def show_versions(self, ids: Sequence[str], shown: str) -> None:
        """The versions in order, and which of them is shown."""
        self._ids, self._at = ids, list(ids).index(shown)
        self._number.setText(f"{self._at + 1}/{len(ids)}")
        self._number.setAccessibleName(tr("Version {number} of {count}").format(number=self._at + 1, count=len(ids)))
        self._back.setEnabled(self._at > 0)
        self._on.setEnabled(self._at + 1 < len(ids))
        self.setVisible(len(ids) > 1)

    @property
    def neighbours(self) -> list[tuple[str, str]]:
        """The words for the versions before and after the one that is shown, and their ids."""
        found = []
        for words, step in ((tr("Earlier version"), -1), (tr("Later version"), 1)):
            if 0 <= self._at + step < len(self._ids):
                found.append((words, self._ids[self._at + step]))
        return found

    def _arrow(self, icon: str, words: str, step: int) -> Button:
        button = Button("", "action", icon=icon, on_click=lambda: self.chosen.emit(self._ids[self._at + step]))
        button.setAccessibleName(words)
        button.setToolTip(words)
        button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the message's menu is the keyboard's way
        return button
