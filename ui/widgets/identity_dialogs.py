"""What the Identities page asks: names, words, key files, and whether it is really meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QIntValidator
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from personal_ai.ic.account_identifier import AccountIdentifier
from ui.bridge import Operation
from ui.keys import Keys
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, column, label, row
from ui.widgets.dialog import Dialog
from ui.widgets.file_field import FileField
from ui.widgets.form import buttons
from ui.widgets.form_dialog import FormDialog
from ui.widgets.identity_card import address_label
from ui.widgets.qr_code import QrCode
from ui.widgets.words_grid import WordsGrid

if TYPE_CHECKING:
    from personal_ai.identities.vault import IdentityRecord

_INDEX_MAX = (1 << 31) - 1
_PHRASE_HEIGHT = 76


def create_dialog(parent: QWidget, keys: Keys) -> FormDialog:
    """A new identity of the phrase."""
    dialog = FormDialog(
        parent,
        tr("New identity"),
        tr(
            "It comes from your recovery words, so they bring it back. Nothing on a network ties it to your other "
            "identities. The name stays on this computer."
        ),
        go=tr("Create"),
    )
    name = dialog.add_line(tr("Name"))
    dialog.ready_when(lambda: bool(name.text().strip()))
    dialog.act = lambda: keys.create(name.text())
    return dialog


def rename_dialog(parent: QWidget, keys: Keys, record: IdentityRecord) -> FormDialog:
    dialog = FormDialog(parent, tr("Rename {name}").format(name=record.label), go=tr("Rename"))
    name = dialog.add_line(tr("Name"), record.label)
    name.selectAll()
    dialog.ready_when(lambda: bool(name.text().strip()))
    dialog.act = lambda: keys.rename(record.principal, name.text())
    return dialog


def remove_dialog(parent: QWidget, keys: Keys, record: IdentityRecord, used_for: Sequence[str]) -> FormDialog:
    """Says what it takes to bring the identity back, and what is out of reach until then."""
    back = (
        tr("It comes back with the key file that you exported.")
        if record.index is None
        else tr("It comes back with your recovery words and its number, {number}.").format(number=record.index)
    )
    intro = tr("{name} is taken out of this computer.").format(name=record.label) + " " + back
    if used_for:
        intro += " " + tr("Until then {names} cannot be reached: only this key opens it.").format(
            names=", ".join(used_for)
        )
    dialog = FormDialog(parent, tr("Remove {name}?").format(name=record.label), intro, go=tr("Remove"))
    dialog.act = lambda: keys.remove(record.principal)
    return dialog


def watch_dialog(parent: QWidget, keys: Keys) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("Watch somebody's identity"),
        tr(
            "You see what it has; its key is elsewhere, so nothing can be signed with it here. It is known by its "
            "principal, the public number of an identity."
        ),
        go=tr("Watch"),
    )
    name, principal = dialog.add_line(tr("Name")), dialog.add_line(tr("Principal"))
    dialog.ready_when(lambda: _filled(name, principal))
    dialog.act = lambda: keys.watch(name.text(), principal.text())
    return dialog


def contact_dialog(parent: QWidget, keys: Keys) -> FormDialog:
    dialog = FormDialog(
        parent,
        tr("New contact"),
        tr("An address is a principal or an account id. It is checked for slips, and kept encrypted."),
        go=tr("Add"),
    )
    name, address = dialog.add_line(tr("Name")), dialog.add_line(tr("Address"))
    dialog.ready_when(lambda: _filled(name, address))
    dialog.act = lambda: keys.add_contact(name.text(), address.text())
    return dialog


def verify_dialog(parent: QWidget, keys: Keys, places: Sequence[int]) -> FormDialog:
    """Asks for the words at these places again."""
    dialog = FormDialog(
        parent,
        tr("Are your words written down?"),
        tr("Take the paper and type the words that stand at these places. Wrong ones are named."),
        go=tr("Check"),
    )
    lines = {place: dialog.add_line(tr("Word {number}").format(number=place)) for place in places}
    dialog.ready_when(lambda: _filled(*lines.values()))
    dialog.act = lambda: keys.confirm_phrase({place: line.text() for place, line in lines.items()})
    return dialog


def reveal_dialog(parent: QWidget, keys: Keys, *, with_password: bool) -> FormDialog:
    """Before the words are shown again; `done_with` carries them."""
    dialog = FormDialog(
        parent,
        tr("Show your recovery words"),
        tr("Whoever sees them can take everything you have here. Make sure that nobody and no camera looks on."),
        go=tr("Show the words"),
    )
    password = dialog.add_line(tr("Password"), secret=True) if with_password else None
    dialog.ready_when(lambda: password is None or bool(password.text()))
    dialog.act = lambda: keys.reveal_phrase(password.text() if password else None)
    return dialog


class PhraseDialog(Dialog):
    """The words, to be written down."""

    def __init__(self, parent: QWidget, phrase: str) -> None:
        super().__init__(parent, tr("Your recovery words"))
        words = WordsGrid()
        words.set_phrase(phrase)
        layout = self.column
        layout.addWidget(label(tr("Write them on paper, in this order."), wrap=True))
        layout.addWidget(words)
        layout.addLayout(buttons(Button(tr("Done"), "primary", on_click=self.accept)))


class CodeDialog(Dialog):
    """The public numbers of an identity, as codes to scan and texts to copy."""

    def __init__(self, parent: QWidget, record: IdentityRecord) -> None:
        super().__init__(parent, record.label)
        layout = self.column
        layout.addLayout(
            _code(
                tr("Principal"),
                tr("Who this identity is on the network. Cycles and messages go here."),
                str(record.principal),
            )
        )
        layout.addLayout(
            _code(
                tr("Account id"),
                tr("The same identity's account on the ICP ledger. Exchanges send ICP here."),
                str(AccountIdentifier.of(record.principal)),
            )
        )
        layout.addLayout(buttons(Button(tr("Close"), "primary", on_click=self.accept)))


def _code(name: str, about: str, text: str) -> QHBoxLayout:
    words = column(spacing=SPACE_S)
    words.addWidget(label(name, "heading2"))
    words.addWidget(label(about, "small", wrap=True))
    words.addWidget(address_label(text))
    copy = Button(tr("Copy"), icon="copy", on_click=lambda: QGuiApplication.clipboard().setText(text))
    copy.setAccessibleName(tr("Copy the {name}").format(name=name))
    words.addWidget(copy, 0, Qt.AlignmentFlag.AlignLeft)
    words.addStretch()
    both = row(spacing=SPACE_L)
    both.addWidget(QrCode(text, tr("{name} as a QR code").format(name=name)), 0, Qt.AlignmentFlag.AlignTop)
    both.addLayout(words, 1)
    return both


def export_dialog(parent: QWidget, keys: Keys, record: IdentityRecord) -> FormDialog:
    """Whoever has the file is the identity: its name has to be typed, and a password is suggested."""
    dialog = FormDialog(
        parent,
        tr("Export the key of {name}").format(name=record.label),
        tr(
            "Whoever has this file (and its password, if you give it one) acts as {name} everywhere. It is read back "
            "after writing, and counts as a backup of this identity."
        ).format(name=record.label),
        go=tr("Export"),
    )
    file = dialog.add_file(str(Path.home() / f"{record.label}.pem"), to_write=True)
    password = dialog.add_line(tr("Password for the file (without one it is not encrypted)"), secret=True)
    again = dialog.add_line(tr("The same password again"), secret=True)
    typed = dialog.add_line(tr("Type {name} to confirm").format(name=record.label))
    dialog.ready_when(
        lambda: _filled(file.line) and password.text() == again.text() and typed.text().strip() == record.label
    )
    dialog.act = lambda: keys.export(record.principal, file.path, password.text() or None)
    return dialog


class ImportDialog(FormDialog):
    """A key file, or an identity of another phrase."""

    def __init__(self, parent: QWidget, keys: Keys) -> None:
        super().__init__(
            parent,
            tr("Import an identity"),
            tr(
                "From dfx, quill, icp-cli or openssl. Your own recovery words do not bring it back: keep its file or "
                "its words, or make a backup."
            ),
            go=tr("Import"),
        )
        self._keys = keys
        self.name = self.add_line(tr("Name"))
        self.kind = QComboBox()
        self.kind.addItems([tr("A key file (PEM)"), tr("Other recovery words")])
        self.add(tr("From"), self.kind)
        self.file = FileField(to_write=False)
        self.file.line.textChanged.connect(self.refresh)
        self.password = QLineEdit(echoMode=QLineEdit.EchoMode.Password)
        self.password.setPlaceholderText(tr("Password of the file, if it has one"))
        self.password.setAccessibleName(self.password.placeholderText())
        self.phrase = QPlainTextEdit()
        self.phrase.setProperty("kind", "field")
        self.phrase.setAccessibleName(tr("Recovery words"))
        self.phrase.setPlaceholderText(tr("12 or 24 words with spaces between them"))
        self.phrase.setTabChangesFocus(True)
        self.phrase.setFixedHeight(_PHRASE_HEIGHT)
        self.phrase.textChanged.connect(self.refresh)
        self.index = QLineEdit()
        self.index.setValidator(QIntValidator(0, _INDEX_MAX, self))
        self.index.setPlaceholderText(tr("Number under these words; dfx and quill use 0"))
        self.index.setAccessibleName(self.index.placeholderText())
        for widget in (self.file, self.password, self.phrase, self.index):
            self.fields.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._show_kind)
        self.ready_when(self._complete)
        self.act = self._import
        self._show_kind()

    @property
    def _from_file(self) -> bool:
        return self.kind.currentIndex() == 0

    def _show_kind(self) -> None:
        for widget, shown in (
            (self.file, self._from_file),
            (self.password, self._from_file),
            (self.phrase, not self._from_file),
            (self.index, not self._from_file),
        ):
            widget.setVisible(shown)
        self.refresh()

    def _complete(self) -> bool:
        source = self.file.line.text() if self._from_file else self.phrase.toPlainText()
        return bool(source.strip()) and _filled(self.name)

    def _import(self) -> Operation[IdentityRecord]:
        if self._from_file:
            return self._keys.import_file(self.name.text(), self.file.path, self.password.text() or None)
        return self._keys.import_phrase(self.name.text(), self.phrase.toPlainText(), int(self.index.text() or 0))


def _filled(*lines: QLineEdit) -> bool:
    return all(line.text().strip() for line in lines)
