"""Settings: the look, the locks, the way into networks, backups, where the data lies, and help."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from personal_ai.common.errors import UserFacingError
from personal_ai.common.paths import Paths
from ui.preferences import load_notifications, save_notifications
from ui.profile import Profile
from ui.text import count, duration, tr
from ui.theme import Appearance
from ui.theme.tokens import READING_WIDTH_MAX, SPACE_L, SPACE_S, SPACE_XL
from ui.upkeep import Settings, Upkeep
from ui.widgets import settings_dialogs as dialogs
from ui.widgets.basic import Button, clear, column, frame, label, row
from ui.widgets.form_dialog import FormDialog
from ui.widgets.networks_card import NetworksCard
from ui.widgets.notice import Notice, Problem
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.backup.backup import Restored

_IDLE_LOCKS_S = (60, 300, 900, 3600, 0)
_MARGINS = (SPACE_XL, SPACE_L, SPACE_XL, SPACE_L)


class SettingsPage(ScrollPage):
    """`appearance_chosen` carries the new look. What is set is read whenever the page is shown."""

    appearance_chosen = Signal(Appearance)

    def __init__(self, profile: Profile, paths: Paths, appearance: Appearance, toast: Toast) -> None:
        super().__init__(width_max=READING_WIDTH_MAX)
        self._profile = profile
        self._paths = paths
        self._toast = toast
        self._upkeep = Upkeep(profile.core, profile.bridge, paths, self)
        self._settings: Settings | None = None
        self._networks = NetworksCard(profile, toast)
        self._news = column()
        self.column.addWidget(label(tr("Settings"), "heading1"))
        self.column.addLayout(self._news)
        for card in (
            self._appearance(appearance),
            self._notifications(),
            self._locks(),
            self._way(),
            self._networks,
            self._backups(),
            self._data(),
            self._help(),
        ):
            self.column.addWidget(card)

    # Cards

    def _appearance(self, current: Appearance) -> QFrame:
        card, layout = _card(tr("Look"))
        self._choices = QButtonGroup(self)
        names = {
            Appearance.SYSTEM: tr("Like the system"),
            Appearance.LIGHT: tr("Light"),
            Appearance.DARK: tr("Dark"),
        }
        for appearance, name in names.items():
            choice = QRadioButton(name)
            choice.setChecked(appearance is current)
            choice.toggled.connect(
                lambda on, appearance=appearance: self.appearance_chosen.emit(appearance) if on else None
            )
            self._choices.addButton(choice)
            layout.addWidget(choice)
        return card

    def _notifications(self) -> QFrame:
        card, layout = _card(tr("Notifications"))
        self.notifications = QCheckBox(tr("Tell me when an AI needs cycles, and when an upload is finished"))
        self.notifications.setChecked(load_notifications(self._paths.settings))
        self.notifications.toggled.connect(self._set_notifications)
        layout.addWidget(self.notifications)
        layout.addWidget(
            label(
                tr("What the system shows of it names no AI and holds none of your words."),
                "small",
                wrap=True,
            )
        )
        return card

    def _set_notifications(self, wanted: bool) -> None:
        self._profile.bridge.run(lambda _: save_notifications(self._paths.settings, wanted=wanted))

    def _locks(self) -> QFrame:
        card, layout = _card(tr("Locking"))
        self.idle_lock = QComboBox()
        self.idle_lock.setAccessibleName(tr("Lock when nobody was here for"))
        for seconds in _IDLE_LOCKS_S:
            self.idle_lock.addItem(_idle_words(seconds), seconds)
        self.idle_lock.activated.connect(lambda _: self._set_idle_lock())
        line = row(spacing=SPACE_S)
        line.addWidget(label(tr("Lock when nobody was here for")), 1)
        line.addWidget(self.idle_lock)
        layout.addLayout(line)
        self._opens = label("", wrap=True)
        layout.addWidget(self._opens)
        self._keyring = Button(tr("Open without a password…"), on_click=self._move_to_keyring)
        self._password = Button(tr("Change the password…"), on_click=self._change_password)
        layout.addLayout(_line(self._password, self._keyring))
        return card

    def _way(self) -> QFrame:
        card, layout = _card(tr("The way into networks"))
        self._proxy = label("", wrap=True)
        layout.addWidget(self._proxy)
        layout.addLayout(_line(Button(tr("Use a proxy…"), on_click=self._change_proxy)))
        self._hub = label("", wrap=True)
        layout.addWidget(self._hub)
        layout.addLayout(_line(Button(tr("Use another hub…"), on_click=self._change_hub)))
        return card

    def _backups(self) -> QFrame:
        card, layout = _card(tr("Backups"))
        layout.addWidget(
            label(
                tr(
                    "A backup brings everything back, your conversations too. The recovery sheet brings back your "
                    "canisters with your recovery words alone."
                ),
                wrap=True,
            )
        )
        layout.addLayout(
            _line(
                Button(tr("Make a backup…"), on_click=self._make_backup),
                Button(tr("Bring one back…"), on_click=self._restore),
                Button(tr("Recovery sheet…"), on_click=self._save_sheet),
            )
        )
        return card

    def _data(self) -> QFrame:
        card, layout = _card(tr("Your data"))
        layout.addWidget(
            label(
                tr(
                    "Keys and conversations are encrypted in this folder. Nothing is sent to us, and nobody is counted."
                ),
                wrap=True,
            )
        )
        home = str(self._paths.home)
        folder = label(home, "small", wrap=True)
        folder.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        folder.setAccessibleName(tr("Folder of your data: {folder}").format(folder=home))
        layout.addWidget(folder)
        opener = Button(tr("Open the folder"), on_click=lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(home)))
        layout.addLayout(_line(opener))
        return card

    def _help(self) -> QFrame:
        card, layout = _card(tr("Help"))
        layout.addWidget(label(tr("Personal AI {version}").format(version=version("personal-ai")), "small"))
        layout.addLayout(
            _line(
                Button(tr("Keyboard shortcuts"), on_click=lambda: dialogs.ShortcutsDialog(self).open()),
                Button(tr("Diagnostics…"), on_click=self._diagnose),
            )
        )
        return card

    # Showing

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        self._networks.refresh()
        self._upkeep.read().on_success(self._show_settings).on_failure(self._show_problem)

    def _show_settings(self, settings: Settings) -> None:
        self._settings = settings
        at = self.idle_lock.findData(settings.notes.idle_lock_s)
        if at < 0:  # set on the command line
            self.idle_lock.addItem(_idle_words(settings.notes.idle_lock_s), settings.notes.idle_lock_s)
            at = self.idle_lock.count() - 1
        self.idle_lock.setCurrentIndex(at)
        self._opens.setText(
            tr("A password opens it.")
            if settings.wants_password
            else tr("This computer's keyring opens it for whoever is logged in as you; no password is asked for.")
        )
        self._password.setText(tr("Change the password…") if settings.wants_password else tr("Use a password…"))
        self._keyring.setVisible(settings.wants_password)
        proxy = settings.notes.proxy
        self._proxy.setText(
            tr("Through {proxy}, each identity on a way of its own.").format(proxy=proxy)
            if proxy
            else tr("Networks are reached directly: they see this computer's address.")
        )

        self._hub.setText(tr("Models come from {hub}.").format(hub=settings.hub_address))

    def _show_problem(self, error: UserFacingError) -> None:
        clear(self._news)
        self._news.addWidget(Problem(error, closable=True))
        self.ensureVisible(0, 0)

    # Acting

    def _set_idle_lock(self) -> None:
        changed = self._upkeep.set_idle_lock(self.idle_lock.currentData())
        changed.on_failure(self._show_problem).on_end(self.refresh)

    def _change_password(self) -> None:
        if self._settings is not None:
            dialog = dialogs.password_dialog(self, self._upkeep, wants_password=self._settings.wants_password)
            self._open(dialog, tr("The new password is in force."))

    def _move_to_keyring(self) -> None:
        def ask(available: bool) -> None:
            if available:
                self._open(dialogs.keyring_dialog(self, self._upkeep), tr("The keyring opens it from now on."))
            else:
                self._toast.tell(tr("This computer has no keyring that keeps secrets, so the password stays."))

        self._upkeep.keyring_available().on_success(ask)

    def _change_proxy(self) -> None:
        if self._settings is not None:
            self._open(
                dialogs.proxy_dialog(self, self._upkeep, self._settings.notes.proxy), tr("It is used from now on.")
            )

    def _change_hub(self) -> None:
        if self._settings is not None:
            dialog = dialogs.hub_dialog(self, self._upkeep, self._settings.hub_address)
            self._open(dialog, tr("Models come from there from now on."))

    def _make_backup(self) -> None:
        dialog = dialogs.backup_dialog(self, self._upkeep, Path.home() / "personal-ai.backup")
        self._open(dialog, tr("The backup was written and read back."))

    def _restore(self) -> None:
        dialog = dialogs.restore_dialog(self, self._upkeep)
        dialog.done_with.connect(self._tell_restored)
        self._open(dialog)

    def _tell_restored(self, restored: Restored) -> None:
        clear(self._news)
        self._news.addWidget(Notice(restored_words(restored)))
        self.ensureVisible(0, 0)
        self._profile.refresh()

    def _save_sheet(self) -> None:
        if self._settings is not None:
            dialog = dialogs.sheet_dialog(
                self,
                self._upkeep,
                Path.home() / "recovery-sheet.html",
                wants_password=self._settings.wants_password,
            )
            self._open(dialog, tr("Print the sheet, then delete the file."))

    def _diagnose(self) -> None:
        def show(text: str) -> None:
            target = Path.home() / "personal-ai-diagnostics.txt"
            self._open(dialogs.diagnostics_dialog(self, self._upkeep, text, target), tr("Saved."))

        self._upkeep.diagnose().on_success(show).on_failure(self._show_problem)

    def _open(self, dialog: FormDialog, done: str = "") -> None:
        dialog.accepted.connect(self.refresh)
        if done:
            dialog.accepted.connect(lambda: self._toast.tell(done))
        dialog.open()


def restored_words(restored: Restored) -> str:
    """What a backup brought, and what has still to be fetched."""
    said = tr("Brought back: {conversations} and {deployments}.").format(
        conversations=count(restored.conversations, tr("conversation"), tr("conversations")),
        deployments=count(restored.deployments, tr("new deployment"), tr("new deployments")),
    )
    missing = ", ".join(one.label or one.name for one in restored.missing_models)
    return said + (" " + tr("Still to be fetched: {models}.").format(models=missing) if missing else "")


def _idle_words(seconds: int) -> str:
    return duration(seconds) if seconds else tr("never")


def _card(title: str) -> tuple[QFrame, QVBoxLayout]:
    card, layout = frame("card", margins=_MARGINS, spacing=SPACE_S)
    layout.addWidget(label(title, "heading2"))
    return card, layout


def _line(*widgets: QWidget) -> QHBoxLayout:
    """Buttons from the left."""
    line = row(spacing=SPACE_S)
    for widget in widgets:
        line.addWidget(widget)
    line.addStretch()
    return line
