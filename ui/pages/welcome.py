"""The first run: try it, or set it up with twelve words and a password. What is left is asked later."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.theme.tokens import SPACE_XS
from ui.widgets.basic import Button, column, label, row
from ui.widgets.form import Mark
from ui.widgets.notice import Notice
from ui.widgets.vault_steps import CheckStep, PasswordStep, Step, WordsStep


class WelcomePage(QStackedWidget):
    """`trial_wanted` begins without a word; `started` asks for a phrase, `chosen` carries phrase and password.

    `backup_wanted` and `words_wanted` lead back to a profile that there was before. Once there is a vault, `typed`
    carries words of the phrase by place, and `left` puts that off.
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
        self._phrase = ""
        self._start = _StartStep()
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
        self._return = _ReturnStep()
        for step in (self._start, self._words, self._password, self._check, self._return):
            self.addWidget(step)
        self._start.before.clicked.connect(lambda: self._show(self._return))
        self._return.back.clicked.connect(lambda: self._show(self._start))
        self._return.backup.clicked.connect(self.backup_wanted)
        self._return.words.clicked.connect(self.words_wanted)
        self._check.typed.connect(self.typed)
        self._check.later.clicked.connect(self.left)
        self._start.try_it.clicked.connect(self.trial_wanted)
        self._start.go.clicked.connect(self.started)
        self._words.back.clicked.connect(lambda: self._show(self._start))
        self._words.go.clicked.connect(self.ask_password)
        self._password.back.clicked.connect(lambda: self._show(self._words))
        self._password.chosen.connect(lambda password: self.chosen.emit(self._phrase, password))

    @property
    def phrase_shown(self) -> str:
        return self._phrase

    @property
    def places_asked(self) -> tuple[int, ...]:
        """Of the words that are to be typed again."""
        return self._check.places

    def tell(self, news: str) -> None:
        """A sentence above the choice."""
        self._start.tell(news)

    def take_focus(self) -> None:
        self._start.first.setFocus()

    def show_phrase(self, phrase: str) -> None:
        """The second step, with a fresh phrase."""
        self._phrase = phrase
        self._words.set_phrase(phrase)
        self._show(self._words)

    def ask_password(self) -> None:
        """The third step."""
        self._show(self._password)

    def ask_words(self, places: Sequence[int]) -> None:
        """The fourth step: the words at these places once more."""
        self._check.ask(places)
        self._show(self._check)

    def ask_what_there_was(self) -> None:
        """The other way in: a backup or the words."""
        self._show(self._return)

    def set_busy(self, busy: bool) -> None:
        self._start.setEnabled(not busy)
        self._password.set_busy(busy)
        self._check.set_busy(busy)

    def show_problem(self, error: UserFacingError) -> None:
        """At the step that is shown, where it has a place for one."""
        step = self._check if self.currentWidget() is self._check else self._password
        step.show_problem(error)

    def forget(self) -> None:
        """Lets go of the phrase and the password once the vault holds them."""
        self._phrase = ""
        self._words.set_phrase("")
        self._password.empty()

    def _show(self, step: Step) -> None:
        self.setCurrentWidget(step)
        step.first.setFocus()


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
