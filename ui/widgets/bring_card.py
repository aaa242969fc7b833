"""Ways to bring a model in: by its id on the hub, from a folder or a file, from the list of those that fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QWidget

from ui.model_words import packing
from ui.text import DOT, big_number, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.form import PasswordField

if TYPE_CHECKING:
    from personal_ai.models.catalogue import Entry

QUANTISATIONS = ("int8", "int4")

_CHOICE_WIDTH_MIN = 140


class BringCard(QFrame):
    """look_up_wanted: an id. token_kept: the hub's access token, to be kept in the vault; "" to forget it."""

    look_up_wanted = Signal(str)
    folder_wanted = Signal()
    file_wanted = Signal()
    catalogue_wanted = Signal()
    token_kept = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("maker/model, as on huggingface.co"))
        self.field.setAccessibleName(tr("Id of a model on the hub"))
        self.field.returnPressed.connect(self._look_up)
        self.look_up = Button(tr("Look up"), on_click=self._look_up)
        self.quantisation = QComboBox()
        self.quantisation.setAccessibleName(tr("How a folder's or file's weights are kept"))
        self.quantisation.setMinimumWidth(_CHOICE_WIDTH_MIN)  # the longest choice is wider than a narrow window
        for quantisation in QUANTISATIONS:
            self.quantisation.addItem(packing(quantisation), quantisation)
        self._token = TokenRow()
        self._token.kept.connect(self.token_kept)
        self._token.kept.connect(lambda _: self._token.hide())
        self._token.hide()
        self._catalogue = column(spacing=SPACE_S)
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(tr("Bring a model"), "heading2"))
        layout.addWidget(
            label(
                tr(
                    "Look one up by its name, and see its size, its licence and how it would run before anything large "
                    "is fetched. Or take one that you have: a folder with safetensors, a GGUF or an ONNX file."
                ),
                wrap=True,
            )
        )
        by_name = row(spacing=SPACE_S)
        by_name.addWidget(self.field, 1)
        by_name.addWidget(self.look_up)
        layout.addLayout(by_name)
        layout.addLayout(self._from_here())
        layout.addLayout(self._helps())
        layout.addWidget(self._token)
        layout.addLayout(self._catalogue)

    def _from_here(self) -> QHBoxLayout:
        ways = row(spacing=SPACE_S)
        ways.addWidget(Button(tr("From a folder…"), on_click=self.folder_wanted.emit))
        ways.addWidget(Button(tr("From a file…"), on_click=self.file_wanted.emit))
        ways.addWidget(self.quantisation)
        ways.addStretch()
        return ways

    def _helps(self) -> QHBoxLayout:
        helps = row(spacing=SPACE_S)
        helps.addWidget(Button(tr("Models that fit"), "quiet", icon="list", on_click=self.catalogue_wanted.emit))
        helps.addWidget(Button(tr("Access token…"), "quiet", icon="key", on_click=self.ask_for_token))
        helps.addStretch()
        return helps

    def _look_up(self) -> None:
        if wanted := self.field.text().strip():
            self.look_up_wanted.emit(wanted)

    def ask_for_token(self) -> None:
        """Opens the row for the access token."""
        self._token.show()
        self._token.field.field.setFocus()

    def show_token(self, *, kept: bool) -> None:
        self._token.show_kept(kept=kept)

    def show_catalogue(self, entries: Sequence[Entry]) -> None:
        """The list of those that fit; once more closes it."""
        if self._catalogue.count():
            clear(self._catalogue)
            return
        for entry in entries:
            self._catalogue.addWidget(self._entry(entry))

    def _entry(self, entry: Entry) -> QWidget:
        line = QWidget()
        inside = row(line, spacing=SPACE_S)
        words = column(spacing=2)
        words.addWidget(label(entry.label, "strong"))
        parts = [
            tr("{count} weights").format(count=big_number(entry.parameters)),
            tr("licence {licence}").format(licence=entry.licence),
            tr("languages: {languages}").format(languages=", ".join(entry.languages)),
        ]
        if entry.gated:
            parts.append(tr("terms to accept first"))
        words.addWidget(label(DOT.join(parts), "small", wrap=True))
        inside.addLayout(words, 1)
        button = Button(tr("Look up"), on_click=partial(self._look_up_entry, entry.id))
        button.setAccessibleName(tr("Look up {name}").format(name=entry.label))
        inside.addWidget(button)
        return line

    def _look_up_entry(self, wanted: str) -> None:
        self.field.setText(wanted)
        self.look_up_wanted.emit(wanted)


class TokenRow(QWidget):
    """The hub's access token: typed once, kept in the vault, never shown again."""

    kept = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.field = PasswordField(tr("Access token of the hub, for models with terms and private ones"))
        self.field.field.returnPressed.connect(self._keep)
        self._state = label("", "small", wrap=True)
        self._forget = Button(tr("Forget the token"), "quiet", on_click=lambda: self.kept.emit(""))
        layout = column(self, spacing=SPACE_S)
        layout.addWidget(self.field)
        foot = row(spacing=SPACE_S)
        foot.addWidget(self._state, 1)
        foot.addWidget(self._forget)
        foot.addWidget(Button(tr("Keep it in the vault"), on_click=self._keep))
        layout.addLayout(foot)
        self.show_kept(kept=False)

    def show_kept(self, *, kept: bool) -> None:
        self._state.setText(
            tr("The vault keeps an access token.") if kept else tr("It is encrypted in your vault and shown to nobody.")
        )
        self._forget.setVisible(kept)

    def _keep(self) -> None:
        if token := self.field.text.strip():
            self.field.field.clear()
            self.kept.emit(token)
