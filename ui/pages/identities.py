"""Identities: one's own keys, whether they would come back, and whom one knows."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from personal_ai.common.errors import UserFacingError
from personal_ai.ic.principal import Principal
from personal_ai.identities.vault import IdentityRecord
from personal_ai.identities.vault_notes import Notes
from ui.bridge import Operation
from ui.keys import Keys, Listed
from ui.profile import Profile
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets import identity_dialogs as dialogs
from ui.widgets.basic import Button, clear, column, frame, label, row
from ui.widgets.form_dialog import FormDialog
from ui.widgets.identity_card import AddressRow, IdentityCard
from ui.widgets.notice import Problem
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast

_CARD_MARGINS = (SPACE_XL, SPACE_L, SPACE_XL, SPACE_L)


class IdentitiesPage(ScrollPage):
    """Lists anew whenever it is shown and after every change."""

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self._profile = profile
        self._toast = toast
        self.keys = Keys(profile.core, profile.bridge, self)
        self.keys.listed.connect(self._show_listed)
        self.create_button = Button(tr("New identity"), "primary", icon="plus", on_click=self.new_identity)
        self._content = column(spacing=SPACE_L)
        self._arrange()

    def _arrange(self) -> None:
        layout = self.column
        layout.addLayout(self._header())
        layout.addWidget(
            label(
                tr(
                    "An identity is a key that signs for you on a network, and its public number there is called a "
                    "principal. Nobody can see that two of yours belong together, until you use them together."
                ),
                "muted",
                wrap=True,
            )
        )
        layout.addLayout(self._content)
        self._content.addWidget(label(tr("Reading…"), "muted"))

    def _header(self) -> QHBoxLayout:
        header = row(spacing=SPACE_S)
        header.addWidget(label(tr("Identities"), "heading1"))
        header.addStretch()
        header.addWidget(Button(tr("Import…"), on_click=self.import_identity))
        header.addWidget(self.create_button)
        return header

    # Showing

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        self.keys.refresh().on_failure(self._show_problem)

    def _show_problem(self, error: UserFacingError) -> None:
        clear(self._content)
        self._content.addWidget(Problem(error))
        again = Button(tr("Try again"), on_click=self.refresh)
        self._content.addWidget(again, 0, Qt.AlignmentFlag.AlignLeft)

    def _show_listed(self, listed: Listed) -> None:
        clear(self._content)
        if not listed.phrase_confirmed:
            self._content.addWidget(self._backup_card())
        for record in listed.identities:
            self._content.addWidget(self._card(record))
        if not listed.identities:
            self._content.addWidget(_empty_card())
        self._content.addWidget(self._watched(listed.notes))
        self._content.addWidget(self._contacts(listed.notes))

    def _backup_card(self) -> QFrame:
        card, layout = frame("card", margins=_CARD_MARGINS, spacing=SPACE_M)
        layout.addWidget(label(tr("Are your recovery words on paper?"), "heading2"))
        layout.addWidget(
            label(
                tr(
                    "Only these words bring your identities back when this computer is lost. Type three of them again, "
                    "and you know that the paper is right. It takes a minute."
                ),
                wrap=True,
            )
        )
        acts = row(spacing=SPACE_S)
        acts.addWidget(Button(tr("Check my words…"), on_click=self.verify))
        acts.addWidget(Button(tr("Show my words…"), "quiet", on_click=self.reveal))
        acts.addStretch()
        layout.addLayout(acts)
        return card

    def _card(self, record: IdentityRecord) -> IdentityCard:
        used_for = self._used_for(record)
        card = IdentityCard(record, used_for)
        card.code_wanted.connect(lambda: dialogs.CodeDialog(self, record).open())
        card.rename_wanted.connect(lambda: self._open(dialogs.rename_dialog(self, self.keys, record)))
        card.export_wanted.connect(lambda: self.export(record))
        card.remove_wanted.connect(lambda: self._open(dialogs.remove_dialog(self, self.keys, record, used_for)))
        return card

    def _used_for(self, record: IdentityRecord) -> list[str]:
        return [one.name for one in self._profile.overview.deployments if one.principal == str(record.principal)]

    def _watched(self, notes: Notes) -> QFrame:
        card, layout = _section(
            tr("Watched"),
            tr("Identities whose key is elsewhere."),
            Button(tr("Watch…"), "quiet", icon="plus", on_click=self.watch),
        )
        for one in notes.watched:
            forget = self._forget(self.keys.unwatch, one.principal)
            layout.addWidget(AddressRow(one.name, str(one.principal), tr("Watch no more"), forget))
        return card

    def _contacts(self, notes: Notes) -> QFrame:
        card, layout = _section(
            tr("Address book"),
            tr("Whom you send to. It is encrypted, and stays on this computer."),
            Button(tr("Add…"), "quiet", icon="plus", on_click=self.add_contact),
        )
        for one in notes.contacts:
            forget = self._forget(self.keys.remove_contact, one.name)
            layout.addWidget(AddressRow(one.name, one.address, tr("Forget"), forget))
        return card

    def _forget(self, act: Callable[..., Operation[None]], which: Principal | str) -> Callable[[], object]:
        return lambda: act(which).on_end(self.refresh)

    # Acting

    def new_identity(self) -> None:
        self._open(dialogs.create_dialog(self, self.keys))

    def import_identity(self) -> None:
        self._open(dialogs.ImportDialog(self, self.keys))

    def export(self, record: IdentityRecord) -> None:
        dialog = dialogs.export_dialog(self, self.keys, record)
        dialog.accepted.connect(lambda: self._toast.tell(tr("The key was written and read back.")))
        self._open(dialog)

    def watch(self) -> None:
        self._open(dialogs.watch_dialog(self, self.keys))

    def add_contact(self) -> None:
        self._open(dialogs.contact_dialog(self, self.keys))

    def verify(self) -> None:
        """Asks for words at random places."""

        def ask(places: tuple[int, ...]) -> None:
            dialog = dialogs.verify_dialog(self, self.keys, places)
            dialog.accepted.connect(lambda: self._toast.tell(tr("Right. Your words are on paper.")))
            self._open(dialog)

        self.keys.places_to_verify().on_success(ask)

    def reveal(self) -> None:
        """Shows the words again, to whoever has the password."""

        def ask(with_password: bool) -> None:
            dialog = dialogs.reveal_dialog(self, self.keys, with_password=with_password)
            dialog.done_with.connect(lambda phrase: dialogs.PhraseDialog(self, phrase).open())
            dialog.open()

        self.keys.wants_password().on_success(ask)

    def _open(self, dialog: FormDialog) -> None:
        dialog.accepted.connect(self.refresh)
        dialog.open()


def _section(title: str, about: str, button: Button) -> tuple[QFrame, QVBoxLayout]:
    card, layout = frame("card", margins=_CARD_MARGINS, spacing=SPACE_M)
    words = column()
    words.addWidget(label(title, "heading2"))
    words.addWidget(label(about, "small", wrap=True))
    head = row(spacing=SPACE_S)
    head.addLayout(words, 1)
    head.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
    layout.addLayout(head)
    return card, layout


def _empty_card() -> QFrame:
    card, layout = frame("card", margins=_CARD_MARGINS, spacing=SPACE_S)
    layout.addWidget(label(tr("No identity yet"), "heading2"))
    layout.addWidget(
        label(tr("Each AI that you deploy gets one of its own. You can also make one here beforehand."), wrap=True)
    )
    return card
