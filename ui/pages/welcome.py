"""The first run: try it, or set it up with twelve words and a password. What is left is asked later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.theme.tokens import SPACE_XS
from ui.widgets.basic import Button, column, label, row
from ui.widgets.form import Mark, Step
from ui.widgets.notice import Notice

if TYPE_CHECKING:
    from ui.widgets.new_vault import NewVault


class WelcomePage(QStackedWidget):
    """`trial_wanted` begins without a word; `started` asks for a phrase, `chosen` carries phrase and password.

    `backup_wanted` and `words_wanted` lead back to a profile that there was before. Once there is a vault, `typed`
    carries words of the phrase by place, and `left` puts that off. What follows the choice is made once it is chosen.
    """

    trial_wanted = Signal()
    started = Signal()
    chosen = Signal(str, str)
    backup_wanted = Signal()
    words_wanted = Signal()
    typed = Signal(object)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._start = _StartStep()
        self._return: _ReturnStep | None = None
        self._vault: NewVault | None = None
        self.addWidget(self._start)
        self._start.before.clicked.connect(self.ask_what_there_was)
        self._start.try_it.clicked.connect(self.trial_wanted)
        self._start.go.clicked.connect(self.started)

    @property
    def phrase_shown(self) -> str:
        return self._vault.phrase if self._vault else ""

    @property
    def places_asked(self) -> tuple[int, ...]:
        """Of the words that are to be typed again."""
        return self._vault.places_asked if self._vault else ()

    def tell(self, news: str) -> None:
        """A sentence above the choice."""
        self._start.tell(news)

    def take_focus(self) -> None:
        self._start.first.setFocus()

    def show_phrase(self, phrase: str) -> None:
        """The second step, with a fresh phrase."""
        self._show_vault().show_phrase(phrase)

    def ask_password(self) -> None:
        """The third step."""
        self._show_vault().ask_password()

    def ask_words(self, places: Sequence[int]) -> None:
        """The fourth step: the words at these places once more."""
        self._show_vault().ask_words(places)

    def ask_what_there_was(self) -> None:
        """The other way in: a backup or the words."""
        if self._return is None:
            self._return = _ReturnStep()
            self._return.back.clicked.connect(self._go_back)
            self._return.backup.clicked.connect(self.backup_wanted)
            self._return.words.clicked.connect(self.words_wanted)
            self.addWidget(self._return)
        self.setCurrentWidget(self._return)
        self._return.first.setFocus()

    def set_busy(self, busy: bool) -> None:
        self._start.setEnabled(not busy)
        if self._vault:
            self._vault.set_busy(busy)

    def show_problem(self, error: UserFacingError) -> None:
        """At the step that is shown, where it has a place for one."""
        self._show_vault().show_problem(error)

    def forget(self) -> None:
        """Lets go of the phrase and the password once the vault holds them."""
        if self._vault:
            self._vault.forget()

    def _show_vault(self) -> NewVault:
        if self._vault is None:
            from ui.widgets.new_vault import NewVault  # noqa: PLC0415 - the first page does without it

            self._vault = NewVault()
            self._vault.left.connect(self._go_back)
            self._vault.chosen.connect(self.chosen)
            self._vault.typed.connect(self.typed)
            self._vault.put_off.connect(self.left)
            self.addWidget(self._vault)
        self.setCurrentWidget(self._vault)
        return self._vault

    def _go_back(self) -> None:
        self.setCurrentWidget(self._start)
        self.take_focus()


class _StartStep(Step):
    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(Mark())
        self.column.addWidget(label(tr("An AI that is yours"), "heading1"))
        self.column.addWidget(
            label(
                tr(
                    "Personal AI puts a language model into a canister: a small program with its own storage on a "
                    "public network, which nobody but you can change. The same model also answers on this computer, "
                    "so it is there when the network is not. No account is needed."
                ),
                wrap=True,
            )
        )
        self._news = column()
        self.column.addLayout(self._news)
        self.try_it = Button(tr("Just try it"), "primary")
        self.go = Button(tr("Set it up"))
        self.before = Button(tr("I was here before"), "quiet")
        self._add_choice(
            self.try_it,
            tr(
                "A small model that knows this program, on a practice network on this computer. It costs nothing, "
                "nothing is sent anywhere, and there is nothing to type. You can keep it afterwards."
            ),
        )
        self._add_choice(self.go, tr("With recovery words and a password of your own, and a model of your choice."))
        back = row()
        back.addWidget(self.before)
        back.addStretch()
        self.column.addLayout(back)
        self.first = self.try_it

    def tell(self, news: str) -> None:
        self._news.addWidget(Notice(news))

    def _add_choice(self, button: Button, meaning: str) -> None:
        choice = column(spacing=SPACE_XS)
        choice.addWidget(button)
        choice.addWidget(label(meaning, "small", wrap=True))
        button.setAccessibleDescription(meaning)
        self.column.addLayout(choice)


class _ReturnStep(Step):
    """For those who have a backup, or the words, of before."""

    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(label(tr("Welcome back"), "heading1"))
        self.column.addWidget(
            label(
                tr(
                    "A backup brings back everything. Your recovery words bring back your identities, and with the "
                    "number of a canister also the AI in it; conversations come back with a backup only."
                ),
                wrap=True,
            )
        )
        self.backup = Button(tr("I have a backup file…"), "suggestion")
        self.words = Button(tr("I have my recovery words…"), "suggestion")
        self.column.addWidget(self.backup)
        self.column.addWidget(self.words)
        self.back = Button(tr("Back"))
        row_of_buttons = row()
        row_of_buttons.addWidget(self.back)
        row_of_buttons.addStretch()
        self.column.addLayout(row_of_buttons)
        self.first = self.backup
