"""The first run: what this is, the twelve words, the password. Each step can be gone back from."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QStackedWidget, QWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.form import FormPage, Mark, PasswordField, buttons
from ui.widgets.notice import Problem
from ui.widgets.words_grid import WordsGrid


class WelcomePage(QStackedWidget):
    """`started` asks for a phrase, `chosen` carries phrase and password to the core."""

    started = Signal()
    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._phrase = ""
        self._start = _StartStep()
        self._words = _WordsStep()
        self._password = _PasswordStep()
        for step in (self._start, self._words, self._password):
            self.addWidget(step)
        self._start.go.clicked.connect(self.started)
        self._words.back.clicked.connect(lambda: self._show(self._start))
        self._words.go.clicked.connect(self.ask_password)
        self._password.back.clicked.connect(lambda: self._show(self._words))
        self._password.chosen.connect(lambda password: self.chosen.emit(self._phrase, password))

    @property
    def phrase_shown(self) -> str:
        return self._phrase

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

    def set_busy(self, busy: bool) -> None:
        self._start.go.setEnabled(not busy)
        self._password.set_busy(busy)

    def show_problem(self, error: UserFacingError) -> None:
        self._password.show_problem(error)

    def forget(self) -> None:
        """Lets go of the phrase and the password once the vault holds them."""
        self._phrase = ""
        self._words.set_phrase("")
        self._password.empty()

    def _show(self, step: _Step) -> None:
        self.setCurrentWidget(step)
        step.first.setFocus()


class _Step(FormPage):
    """One step; `first` takes the focus when the step is shown."""

    first: QWidget


class _StartStep(_Step):
    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(Mark())
        self.column.addWidget(label(tr("An AI that is yours"), "heading1"))
        for text in (
            tr(
                "Personal AI puts a language model into a canister: a small program with its own storage on a public "
                "network, which nobody but you can change. The same model also answers on this computer, so it is "
                "there when the network is not."
            ),
            tr(
                "You begin on a practice network that runs on this computer. It behaves like the real one and costs "
                "nothing. No account is needed, and nothing is sent anywhere."
            ),
        ):
            self.column.addWidget(label(text, wrap=True))
        self.go = Button(tr("Set up"), "primary")
        self.column.addLayout(buttons(self.go))
        self.first = self.go


class _WordsStep(_Step):
    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(label(tr("Your twelve words"), "heading1"))
        self.column.addWidget(
            label(
                tr(
                    "These words are the key to everything you will own here. Write them on paper, in this order, and "
                    "keep the paper safe. Whoever has the words has your AIs; a photo or a cloud note is not safe."
                ),
                wrap=True,
            )
        )
        self._words = WordsGrid()
        self.column.addWidget(self._words)
        self._written = QCheckBox(tr("I have written the words down"))
        self.column.addWidget(self._written)
        self.back = Button(tr("Back"))
        self.go = Button(tr("Continue"), "primary")
        self.go.setEnabled(False)
        self._written.toggled.connect(self.go.setEnabled)
        self.column.addLayout(buttons(self.back, self.go))
        self.first = self._written

    def set_phrase(self, phrase: str) -> None:
        self._written.setChecked(False)
        self._words.set_phrase(phrase)


class _PasswordStep(_Step):
    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.column.addWidget(label(tr("A password for this computer"), "heading1"))
        self.column.addWidget(
            label(
                tr(
                    "The password locks your keys and your conversations on this computer. If you forget it, the "
                    "twelve words bring your keys back. If you lose both, nobody can bring anything back: not we, "
                    "not the network."
                ),
                wrap=True,
            )
        )
        self._once = PasswordField(tr("Password"))
        self._again = PasswordField(tr("The same password again"))
        self._hint = label("", "small", wrap=True)
        self._problem = column()
        self.back = Button(tr("Back"))
        self.go = Button(tr("Create"), "primary", on_click=self._choose)
        for widget in (self._once, self._again, self._hint):
            self.column.addWidget(widget)
        self.column.addLayout(self._problem)
        self.column.addLayout(buttons(self.back, self.go))
        for field in (self._once.field, self._again.field):
            field.textChanged.connect(self._refresh)
            field.returnPressed.connect(self._choose)
        self.first = self._once.field
        self._busy = False
        self._refresh()

    def set_busy(self, busy: bool) -> None:
        self._busy = busy
        if busy:
            clear(self._problem)
        for password in (self._once, self._again):
            password.field.setReadOnly(busy)
        self.back.setEnabled(not busy)
        self._refresh()

    def show_problem(self, error: UserFacingError) -> None:
        clear(self._problem)
        self._problem.addWidget(Problem(error))

    def empty(self) -> None:
        self._once.field.clear()
        self._again.field.clear()

    def _choose(self) -> None:
        if self.go.isEnabled():
            self.chosen.emit(self._once.text)
        elif not self._again.text:
            self._again.field.setFocus(Qt.FocusReason.TabFocusReason)

    def _refresh(self) -> None:
        once, again = self._once.text, self._again.text
        self.go.setText(tr("Creating…") if self._busy else tr("Create"))
        self.go.setEnabled(bool(once) and once == again and not self._busy)
        if again and not once.startswith(again):
            self._hint.setText(tr("The two are not the same."))
        else:
            self._hint.setText(tr("A few words in a row are easy to keep and hard to guess."))
