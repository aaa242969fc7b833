"""The Settings page and its dialogs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QPushButton

from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel
from ui.pages.settings import SettingsPage
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scenes_identities import Unreadable
from ui.tour.stage import Stage
from ui.widgets.form_dialog import FormDialog
from ui.widgets.rail import Page

_TALL = (1180, 1500)


def settings_scenes() -> list[Scene]:
    return [
        Scene("settings", "all", settings_page, _TALL),
        Scene("settings", "narrow", settings_page, (640, 1500)),
        Scene("settings", "error", settings_page, core=Unreadable),
        Scene("settings", "password", _dialog("Change the password…")),
        Scene("settings", "proxy", _dialog("Use a proxy…")),
        Scene("settings", "backup", _dialog("Make a backup…")),
        Scene("settings", "backup-failed", _backup_failed),
        Scene("settings", "restored", _restored),
        Scene("settings", "sheet", _dialog("Recovery sheet…")),
        Scene("settings", "diagnostics", _dialog("Diagnostics…")),
        Scene("settings", "shortcuts", _dialog("Keyboard shortcuts")),
    ]


def settings_page(stage: Stage, look: Appearance = Appearance.LIGHT) -> SettingsPage:
    """The page, with everything read."""
    stage.enter(look).shell.show_page(Page.SETTINGS)
    stage.settle()
    return stage.shell.settings


def press(stage: Stage, words: str) -> None:
    """Presses the page's button with these words."""
    (button,) = [one for one in stage.shell.settings.findChildren(QPushButton) if one.text() == words]
    button.click()
    stage.settle()


def fill(stage: Stage, file: str, *texts: str) -> None:
    """Types into the open dialog, a file's name first, and presses its button."""
    dialog = stage.find(FormDialog)
    for field in dialog.files:
        field.line.setText(file)
    for line, text in zip(dialog.lines, texts, strict=True):
        line.setText(text)
    dialog.go.click()
    stage.settle()


def _dialog(words: str) -> Callable[[Stage, Appearance], object]:
    def lead(stage: Stage, look: Appearance) -> None:
        settings_page(stage, look)
        press(stage, words)

    return lead


def _backup_failed(stage: Stage, look: Appearance) -> None:
    def fail(_: Cancel) -> None:
        raise StorageError("Could not save the backup: the disk is full.", next_step="Make room, then try again.")

    stage.core.safekeeping.before_end = fail
    _dialog("Make a backup…")(stage, look)
    fill(stage, "/media/stick/personal-ai.backup", "a", "a")


def _restored(stage: Stage, look: Appearance) -> None:
    _dialog("Bring one back…")(stage, look)
    fill(stage, "/media/stick/personal-ai.backup", "a")
    stage.window.activateWindow()  # the offscreen platform does not when a dialog closes
    stage.draw()
