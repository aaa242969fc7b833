"""A vault of one's own in three steps: the words, a password, some of the words once more."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.widgets.form import Step
from ui.widgets.vault_steps import CheckStep, PasswordStep, WordsStep


class NewVault(QStackedWidget):
    """`left` goes back from the first step; `chosen` carries phrase and password.

    Once there is a vault, `typed` carries words of the phrase by place, and `put_off` leaves that for later.
    """

    left = Signal()
    chosen = Signal(str, str)
    typed = Signal(object)
    put_off = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.phrase = ""
        self._words = WordsStep()
        self._password = PasswordStep(
            tr(
                "The password locks your keys and your conversations on this computer. If you forget it, the twelve "
                "words bring your keys back. If you lose both, nobody can bring anything back: not we, not the network."
            ),
            tr("Create"),
            tr("Creating…"),
        )
        self._check = CheckStep()
        for step in (self._words, self._password, self._check):
            self.addWidget(step)
        self._words.back.clicked.connect(self.left)
        self._words.go.clicked.connect(self.ask_password)
        self._password.back.clicked.connect(lambda: self._show(self._words))
        self._password.chosen.connect(lambda password: self.chosen.emit(self.phrase, password))
        self._check.typed.connect(self.typed)
        self._check.later.clicked.connect(self.put_off)

    @property
    def places_asked(self) -> tuple[int, ...]:
        """Of the words that are to be typed again."""
        return self._check.places

    def show_phrase(self, phrase: str) -> None:
        """The first step, with a fresh phrase."""
        self.phrase = phrase
        self._words.set_phrase(phrase)
        self._show(self._words)

    def ask_password(self) -> None:
        """The second step."""
        self._show(self._password)

    def ask_words(self, places: Sequence[int]) -> None:
        """The third step: the words at these places once more."""
        self._check.ask(places)
        self._show(self._check)

    def set_busy(self, busy: bool) -> None:
        self._password.set_busy(busy)
        self._check.set_busy(busy)

    def show_problem(self, error: UserFacingError) -> None:
        """At the step that is shown, where it has a place for one."""
        step = self._check if self.currentWidget() is self._check else self._password
        step.show_problem(error)

    def forget(self) -> None:
        """Lets go of the phrase and the password once the vault holds them."""
        self.phrase = ""
        self._words.set_phrase("")
        self._password.empty()

    def _show(self, step: Step) -> None:
        self.setCurrentWidget(step)
        step.first.setFocus()
