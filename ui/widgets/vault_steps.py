"""The steps that make a vault one's own: the words, a password, the words once more. The first run and keeping a
trial put them in their own order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QLineEdit

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, clear, column, is_enter, label
from ui.widgets.form import PasswordField, Step, buttons
from ui.widgets.notice import Problem
from ui.widgets.words_grid import WordsGrid


class WordsStep(Step):
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

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter goes on once the tick is set: it has the focus, and takes no Enter itself."""
        if is_enter(event) and self.go.isEnabled():
            self.go.click()
        else:
            super().keyPressEvent(event)

    def set_phrase(self, phrase: str) -> None:
        self._written.setChecked(False)
        self._words.set_phrase(phrase)


class PasswordStep(Step):
    chosen = Signal(str)

    def __init__(self, meaning: str, go: str, busy: str) -> None:
        """meaning: what the password is for; the words of the button, and while it is done."""
        super().__init__()
        self._words = (go, busy)
        self.column.addWidget(label(tr("A password for this computer"), "heading1"))
        self.column.addWidget(label(meaning, wrap=True))
        self._once = PasswordField(tr("Password"))
        self._again = PasswordField(tr("The same password again"))
        self._hint = label("", "small", wrap=True)
        self._problem = column()
        self.back = Button(tr("Back"))
        self.go = Button(go, "primary", on_click=self._choose)
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
        self.go.setText(self._words[self._busy])
        self.go.setEnabled(bool(once) and once == again and not self._busy)
        if again and not once.startswith(again):
            self._hint.setText(tr("The two are not the same."))
        else:
            self._hint.setText(tr("A few words in a row are easy to keep and hard to guess."))


class CheckStep(Step):
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
        lines = tuple(self._lines.values())
        self.first = lines[0]
        for before, after in pairwise((*lines, self.later, self.go)):  # the buttons were there first
            self.setTabOrder(before, after)
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
