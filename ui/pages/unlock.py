"""Opening the vault with its password."""

from __future__ import annotations

from PySide6.QtCore import Signal

from personal_ai.common.errors import UserFacingError
from ui.text import tr
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.form import FormPage, Mark, PasswordField, buttons
from ui.widgets.notice import Problem


class UnlockPage(FormPage):
    """`chosen` carries the password; `keyring_chosen` follows where the system's keyring opens the vault."""

    chosen = Signal(str)
    keyring_chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._busy = False
        self._by_keyring = False
        self.column.addWidget(Mark())
        self.column.addWidget(label(tr("Personal AI is locked"), "heading1"))
        self.column.addWidget(
            label(tr("Your keys and conversations are encrypted on this computer."), "muted", wrap=True)
        )
        self._password = PasswordField(tr("Password"))
        self._password.field.returnPressed.connect(self._choose)
        self._password.field.textChanged.connect(self._refresh)
        self._problem = column()
        self.go = Button(tr("Unlock"), "primary", on_click=self._choose)
        self.column.addWidget(self._password)
        self.column.addLayout(self._problem)
        self.column.addLayout(buttons(self.go))
        self.first = self._password.field
        self._refresh()

    def use_keyring(self) -> None:
        """No password is asked for: whoever is logged in on this computer opens the vault."""
        self._by_keyring = True
        self._password.hide()
        self._refresh()
        self.go.setFocus()

    def set_busy(self, busy: bool) -> None:
        self._busy = busy
        if busy:
            clear(self._problem)
        self._password.field.setReadOnly(busy)
        self._refresh()

    def show_problem(self, error: UserFacingError) -> None:
        """What went wrong, and the field ready for another try."""
        clear(self._problem)
        self._problem.addWidget(Problem(error))
        self._password.field.selectAll()
        self._password.field.setFocus()

    def forget(self) -> None:
        self._password.field.clear()

    def _choose(self) -> None:
        if not self.go.isEnabled():
            return
        if self._by_keyring:
            self.keyring_chosen.emit()
        else:
            self.chosen.emit(self._password.text)

    def _refresh(self) -> None:
        self.go.setText(tr("Unlocking…") if self._busy else tr("Unlock"))
        self.go.setEnabled((self._by_keyring or bool(self._password.text)) and not self._busy)
