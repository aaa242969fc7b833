"""The end of a trial: it becomes a profile with a password and words on paper, or it is thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QStackedWidget, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, column, label, row
from ui.widgets.dialog import Dialog
from ui.widgets.focus_ring import FocusRing
from ui.widgets.vault_steps import CheckStep, PasswordStep, WordsStep

if TYPE_CHECKING:
    from ui.keys import Keys

_KEEP_SIZE = (560, 560)


class KeepDialog(QDialog):
    """A password first: with it everything is kept. Then the words, which can be put off. `kept` follows the password.

    While it is open, nothing of the vault is shown but what is asked for here.
    """

    kept = Signal()

    def __init__(self, keys: Keys, parent: QWidget) -> None:
        super().__init__(parent)
        self._keys = keys
        self.setWindowTitle(tr("Keep it"))
        self.resize(*_KEEP_SIZE)
        self._steps = QStackedWidget()
        self._password = PasswordStep(
            tr(
                "With it, everything you tried out stays: it locks your keys and your conversations on this computer. "
                "Then you see twelve words to write down. They bring your keys back if you forget the password."
            ),
            tr("Keep it"),
            tr("Keeping it…"),
        )
        self._words = WordsStep()
        self._check = CheckStep()
        for step in (self._password, self._words, self._check):
            self._steps.addWidget(step)
        column(self).addWidget(self._steps)
        FocusRing(self)
        self._password.back.setText(tr("Not now"))
        self._password.back.clicked.connect(self.reject)
        self._password.chosen.connect(self._keep)
        self._words.back.setText(tr("Later"))
        self._words.back.clicked.connect(self.accept)
        self._words.go.clicked.connect(self._ask_words)
        self._check.later.clicked.connect(self.accept)
        self._check.typed.connect(self._confirm)
        self.finished.connect(self._forget)
        self._show(self._password)

    def _keep(self, password: str) -> None:
        step = self._password
        step.set_busy(True)
        keeping = self._keys.keep(password).on_success(self._show_words)
        keeping.on_failure(step.show_problem).on_end(lambda: step.set_busy(False))

    def _show_words(self, phrase: str) -> None:
        self.kept.emit()
        self._password.empty()
        self._words.set_phrase(phrase)
        self._show(self._words)

    def _ask_words(self) -> None:
        def ask(places: tuple[int, ...]) -> None:
            self._words.set_phrase("")
            self._check.ask(places)
            self._show(self._check)

        self._keys.places_to_verify().on_success(ask)

    def _confirm(self, typed: dict[int, str]) -> None:
        step = self._check
        step.set_busy(True)
        confirming = self._keys.confirm_phrase(typed).on_success(lambda _: self.accept())
        confirming.on_failure(step.show_problem).on_end(lambda: step.set_busy(False))

    def _show(self, step: PasswordStep | WordsStep | CheckStep) -> None:
        self._steps.setCurrentWidget(step)
        step.go.setDefault(True)
        step.first.setFocus()

    def _forget(self) -> None:
        self._password.empty()
        self._words.set_phrase("")
        self.deleteLater()


class EndDialog(Dialog):
    """Asked when the window is closed on a trial: accepted it is thrown away, `keep_wanted` keeps it."""

    keep_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, tr("Keep what you tried out?"))
        layout = self.column
        layout.addWidget(
            label(
                tr(
                    "Your conversations and your AI are locked with a key that nobody has but this program, for as "
                    "long as it runs. With a password of yours they stay. Thrown away, they are gone for good; "
                    "imported models stay."
                ),
                wrap=True,
            )
        )
        self.throw_away = Button(tr("Throw it away"), on_click=self.accept)
        self.keep = Button(tr("Keep it…"), "primary", on_click=self._keep)
        foot = row(spacing=SPACE_S)
        foot.addWidget(Button(tr("Go on trying"), "quiet", on_click=self.reject))
        foot.addStretch()
        foot.addWidget(self.throw_away)
        foot.addWidget(self.keep)
        layout.addLayout(foot)

    def _keep(self) -> None:
        self.reject()
        self.keep_wanted.emit()
