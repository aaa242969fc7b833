"""Questions that were asked before, brought back with the arrow keys to be asked again or changed."""

from __future__ import annotations

from PySide6.QtCore import QObject

from ui.chat.talk import Talk
from ui.widgets.composer import Composer


class Recall(QObject):
    """Goes up from the newest question of the conversation at hand, and down again to an empty message."""

    def __init__(self, talk: Talk, composer: Composer) -> None:
        super().__init__(talk)
        self._talk = talk
        self._composer = composer
        self._back = 0  # how many questions
        composer.recall_wanted.connect(self._step)

    def _step(self, step: int) -> None:
        """-1: an earlier question. 1: a later one."""
        asked = [turn.text for turn in self._talk.shown.turns if turn.role == "user"]
        begun = self._back if self._composer.text else 0
        self._back = min(len(asked), max(0, begun - step))
        self._composer.show_recalled(asked[-self._back] if self._back else "")
