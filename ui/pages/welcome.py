"""The first run: what this is, the twelve words, the password, the words once more. What is left is asked later."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QStackedWidget, QWidget

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.form import FormPage, Mark, PasswordField, buttons
from ui.widgets.notice import Problem
from ui.widgets.words_grid import WordsGrid


class WelcomePage(QStackedWidget):
    """`started` asks for a phrase, `chosen` carries phrase and password to the core.

    `backup_wanted` and `words_wanted` lead back to a profile that there was before. Once there is a vault, `typed`
    carries words of the phrase by place, and `left` puts that off.
    """

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
        self._words = _WordsStep()
        self._password = _PasswordStep()
        self._check = _CheckStep()
        self._return = _ReturnStep()
        for step in (self._start, self._words, self._password, self._check, self._return):
            self.addWidget(step)
        self._start.before.clicked.connect(lambda: self._show(self._return))
        self._return.back.clicked.connect(lambda: self._show(self._start))
        self._return.backup.clicked.connect(self.backup_wanted)
        self._return.words.clicked.connect(self.words_wanted)
        self._check.typed.connect(self.typed)
        self._check.later.clicked.connect(self.left)
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
        self._start.go.setEnabled(not busy)
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
        self.before = Button(tr("I was here before"), "quiet")
        self.go = Button(tr("Set up"), "primary")
        self.column.addLayout(buttons(self.before, self.go))
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


class _CheckStep(_Step):
    """Three words of the paper, to see that it is right."""

    typed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[int, QLineEdit] = {}
        self._busy = False
        self.column.addWidget(label(tr("Is the paper right?"), "heading1"))
        self.column.addWidget(
            label(tr("Take the paper and type the words that stand at these places. Wrong ones are named."), wrap=True)
        )
        self._fields = column(spacing=SPACE_S)
        self.column.addLayout(self._fields)
        self._problem = column()
        self.column.addLayout(self._problem)
        self.later = Button(tr("Later"))
        self.later.setToolTip(tr("The Identities page asks for it"))
        self.go = Button(tr("Check"), "primary", on_click=self._choose)
        self.column.addLayout(buttons(self.later, self.go))

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(self._lines)

    def ask(self, places: Sequence[int]) -> None:
        clear(self._fields)
        self._lines = {place: self._line(place) for place in places}
        self.first = next(iter(self._lines.values()))
        self._refresh()

    def _line(self, place: int) -> QLineEdit:
        name = tr("Word {number}").format(number=place)
        line = QLineEdit()
        line.setAccessibleName(name)
        title = label(name, "strong")
        title.setBuddy(line)
        line.textChanged.connect(self._refresh)
        line.returnPressed.connect(self._choose)
        self._fields.addWidget(title)
        self._fields.addWidget(line)
        return line

    def set_busy(self, busy: bool) -> None:
        self._busy = busy
        if busy:
            clear(self._problem)
        self._refresh()

    def show_problem(self, error: UserFacingError) -> None:
        clear(self._problem)
        self._problem.addWidget(Problem(error))

    def _choose(self) -> None:
        if self.go.isEnabled():
            self.typed.emit({place: line.text() for place, line in self._lines.items()})
        else:
            self.focusNextChild()

    def _refresh(self) -> None:
        self.go.setEnabled(not self._busy and all(line.text().strip() for line in self._lines.values()))


class _ReturnStep(_Step):
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
