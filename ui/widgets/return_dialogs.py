"""Bringing a profile back on a new computer: from a backup, or from the recovery words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from ui.bridge import Operation
from ui.text import tr
from ui.widgets.form_dialog import FormDialog

_PHRASE_HEIGHT = 76


def backup_dialog(parent: QWidget, restore: Callable[[Path, str, str], Operation[Any]]) -> FormDialog:
    """`restore` is given the file, its password, and the password that this computer asks for from then on."""
    dialog = FormDialog(
        parent,
        tr("Bring a backup back"),
        tr("The whole file is read and checked before anything is written."),
        go=tr("Bring it back"),
    )
    file = dialog.add_file()
    password = dialog.add_line(tr("Password of the backup"), secret=True)
    new, again = _new_password(dialog)
    dialog.ready_when(lambda: bool(file.line.text() and password.text() and new.text()) and new.text() == again.text())
    dialog.act = lambda: restore(file.path, password.text(), new.text())
    return dialog


def words_dialog(parent: QWidget, restore: Callable[[str, Sequence[str], str], Operation[Any]]) -> FormDialog:
    """`restore` is given the words, the canisters' numbers as typed, and the new password."""
    dialog = FormDialog(
        parent,
        tr("Go on with your recovery words"),
        tr("They stand on the paper from the first day. The canister's number stands on the recovery sheet."),
        go=tr("Go on"),
    )
    phrase = QPlainTextEdit()
    phrase.setProperty("kind", "field")
    phrase.setTabChangesFocus(True)
    phrase.setFixedHeight(_PHRASE_HEIGHT)
    phrase.textChanged.connect(dialog.refresh)
    dialog.add(tr("Recovery words"), phrase)
    canisters = dialog.add_line(tr("Canisters, if there are any (numbers with spaces between them)"))
    new, again = _new_password(dialog)
    dialog.ready_when(lambda: bool(phrase.toPlainText().strip()) and bool(new.text()) and new.text() == again.text())
    dialog.act = lambda: restore(phrase.toPlainText(), canisters.text().replace(",", " ").split(), new.text())
    return dialog


def _new_password(dialog: FormDialog) -> tuple[QLineEdit, QLineEdit]:
    new = dialog.add_line(tr("A password for this computer"), secret=True)
    return new, dialog.add_line(tr("The same password again"), secret=True)
