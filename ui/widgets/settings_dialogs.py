"""What the Settings page asks: passwords, a proxy, files of backups, and what diagnostics hold."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QGridLayout, QPlainTextEdit, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_M, SPACE_S, SPACE_XL
from ui.upkeep import Upkeep
from ui.widgets.basic import Button, frame, label
from ui.widgets.dialog import Dialog
from ui.widgets.form import buttons
from ui.widgets.form_dialog import FormDialog
from ui.widgets.rail import Page

_DIAGNOSTICS_HEIGHT = 260


def password_dialog(parent: QWidget, upkeep: Upkeep, *, wants_password: bool) -> FormDialog:
    """A new password; the old one is asked for where there is one."""
    dialog = FormDialog(
        parent,
        tr("Change the password") if wants_password else tr("Use a password"),
        tr("The new password alone opens your keys and conversations on this computer."),
        go=tr("Change"),
    )
    old = dialog.add_line(tr("Password until now"), secret=True) if wants_password else None
    new = dialog.add_line(tr("New password"), secret=True)
    again = dialog.add_line(tr("The new password again"), secret=True)
    dialog.ready_when(lambda: bool(new.text()) and new.text() == again.text() and (old is None or bool(old.text())))
    dialog.act = lambda: upkeep.change_password(old.text() if old else None, new.text())
    return dialog


def keyring_dialog(parent: QWidget, upkeep: Upkeep) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("Open without a password?"),
        tr(
            "The key goes into this computer's own keyring. From then on whoever is logged in as you opens everything "
            "here, and the password is not asked for any more. Your recovery words stay as they are."
        ),
        go=tr("Use the keyring"),
    )
    dialog.act = upkeep.move_to_keyring
    return dialog


def proxy_dialog(parent: QWidget, upkeep: Upkeep, proxy: str | None) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("The way into networks"),
        tr(
            "Through Tor, a network does not learn where you are, and each identity takes a way of its own. Tor "
            "listens at socks5h://127.0.0.1:9050, the Tor Browser at port 9150. Leave it empty to go directly. My AIs "
            "looks at all your AIs at about the same time: who sees all those ways could guess that they are yours."
        ),
        go=tr("Use"),
    )
    address = dialog.add_line(tr("Address of the proxy"), proxy or "")
    dialog.act = lambda: upkeep.set_proxy(address.text())
    return dialog


def hub_dialog(parent: QWidget, upkeep: Upkeep, address: str) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("Where models come from"),
        tr(
            "Models are looked up and fetched at a hub: Hugging Face, or a mirror of it, such as your company's. It "
            "sees what you look for, and each file is checked against its own list. Leave it empty for the usual hub."
        ),
        go=tr("Use"),
    )
    line = dialog.add_line(tr("Address of the hub"), address)
    dialog.act = lambda: upkeep.use_hub(line.text())
    return dialog


def backup_dialog(parent: QWidget, upkeep: Upkeep, suggestion: Path) -> FormDialog:
    """Everything into one file with a password of its own."""
    dialog = FormDialog(
        parent,
        tr("Make a backup"),
        tr(
            "Identities, conversations, deployments and payments go into one encrypted file, which is read back. "
            "Models are named in it, not copied. Keep it on another disk, and its password elsewhere."
        ),
        go=tr("Make the backup"),
    )
    file = dialog.add_file(str(suggestion), to_write=True)
    password = dialog.add_line(tr("Password of the backup"), secret=True)
    again = dialog.add_line(tr("The same password again"), secret=True)
    dialog.ready_when(lambda: bool(file.line.text()) and bool(password.text()) and password.text() == again.text())
    dialog.act = lambda: upkeep.create_backup(file.path, password.text())
    return dialog


def restore_dialog(parent: QWidget, upkeep: Upkeep) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("Bring a backup back"),
        tr("What is in the backup and not here is added. Nothing that is here is lost."),
        go=tr("Bring it back"),
    )
    file = dialog.add_file()
    password = dialog.add_line(tr("Password of the backup"), secret=True)
    dialog.ready_when(lambda: bool(file.line.text()) and bool(password.text()))
    dialog.act = lambda: upkeep.restore_backup(file.path, password.text())
    return dialog


def sheet_dialog(parent: QWidget, upkeep: Upkeep, suggestion: Path, *, wants_password: bool) -> FormDialog:
    """A page to print; the phrase goes on it on request, for the password."""
    dialog = FormDialog(
        parent,
        tr("Recovery sheet"),
        tr(
            "A page to print and put away: your canisters and identities, and what to do on a new computer. With your "
            "recovery words on it, it is all that one needs: delete the file once it is printed."
        ),
        go=tr("Save the sheet"),
    )
    file = dialog.add_file(str(suggestion), to_write=True)
    phrase = QCheckBox(tr("With my recovery words"))
    dialog.fields.addWidget(phrase)
    password = dialog.add_line(tr("Password, for the words"), secret=True)
    password.setEnabled(False)
    phrase.toggled.connect(lambda on: password.setEnabled(on and wants_password))
    phrase.toggled.connect(dialog.refresh)
    dialog.ready_when(lambda: bool(file.line.text()) and (not password.isEnabled() or bool(password.text())))
    dialog.act = lambda: upkeep.save_sheet(file.path, password.text() or None, with_phrase=phrase.isChecked())
    return dialog


def diagnostics_dialog(parent: QWidget, upkeep: Upkeep, text: str, suggestion: Path) -> FormDialog:
    """Shows exactly what would be saved."""
    dialog = FormDialog(
        parent,
        tr("Diagnostics"),
        tr("This is all that is saved. It has no name, no word and no key in it, and it is sent to nobody."),
        go=tr("Save"),
    )
    shown = QPlainTextEdit(text)
    shown.setReadOnly(True)
    shown.setProperty("kind", "mono")
    shown.setAccessibleName(tr("What is saved"))
    shown.setTabChangesFocus(True)
    shown.setFixedHeight(_DIAGNOSTICS_HEIGHT)
    box, inside = frame("code", margins=(SPACE_M, SPACE_S, SPACE_M, SPACE_S), spacing=0)
    inside.addWidget(shown)
    dialog.fields.addWidget(box)
    file = dialog.add_file(str(suggestion), to_write=True)
    dialog.ready_when(lambda: bool(file.line.text()))
    dialog.act = lambda: upkeep.save_text(file.path, text)
    return dialog


class ShortcutsDialog(Dialog):
    """All keys that do something everywhere in the window."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, tr("Keyboard shortcuts"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_XL)
        grid.setVerticalSpacing(SPACE_M)
        for at, (keys, words) in enumerate(_shortcuts()):
            grid.addWidget(label(keys, "mono"), at, 0)
            grid.addWidget(label(words), at, 1)
        self.column.addLayout(grid)
        self.column.addLayout(buttons(Button(tr("Close"), "primary", on_click=self.accept)))


def _shortcuts() -> tuple[tuple[str, str], ...]:
    return (
        ("Ctrl+N", tr("New chat")),
        ("Ctrl+F", tr("Find words in this chat")),
        ("F3, Shift+F3", tr("The next place found, or the one before")),
        ("Ctrl+Shift+F", tr("Find a chat")),
        ("Ctrl+Z", tr("Undo what was deleted")),
        ("\N{UPWARDS ARROW}", tr("In an empty message: what you asked before")),
        (f"Ctrl+1 … {len(Page)}", tr("The pages, from the top")),
        ("Ctrl+L", tr("Lock")),
        ("F1, Ctrl+/", tr("This list")),
        ("Esc", tr("Leave a dialog; stop a reply")),
    )
