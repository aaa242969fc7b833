"""The Settings page and its dialogs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QPushButton

from personal_ai.app.own_networks import Described
from personal_ai.common.errors import NetworkUnreachableError, StorageError
from personal_ai.common.jobs import Cancel
from ui.pages.settings import SettingsPage
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scenes_identities import Unreadable
from ui.tour.scripted import deployment
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
        Scene("settings", "hub", _dialog("Use another hub…")),
        Scene("settings", "networks", _networks, _TALL),
        Scene("settings", "network-new", _dialog("Add a network…")),
        Scene("settings", "network-refused", _network_refused),
        Scene("settings", "network-removal", _network_removal),
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


def _with_own_network(stage: Stage, look: Appearance) -> None:
    stage.core.own_networks.add(Described("pocketic", "http://127.0.0.1:4943"))
    stage.core.all_deployments.append(replace(deployment("Rowan"), network="pocketic"))
    settings_page(stage, look)


def _networks(stage: Stage, look: Appearance) -> None:
    """One was checked and answers, the other does not."""

    def fail(_: str) -> None:
        raise NetworkUnreachableError("The network pocketic does not answer.", next_step="Start it on this computer.")

    _with_own_network(stage, look)
    first, second = [
        one for one in stage.shell.settings.findChildren(QPushButton) if one.text() == "Check the connection"
    ]
    first.click()
    stage.settle()
    stage.core.own_networks.before = fail
    second.click()
    stage.settle()
    stage.core.own_networks.before = lambda _: None


def _network_refused(stage: Stage, look: Appearance) -> None:
    _dialog("Add a network…")(stage, look)
    fill(stage, "", "elsewhere", "https://example.org", "")


def _network_removal(stage: Stage, look: Appearance) -> None:
    _with_own_network(stage, look)
    press(stage, "Remove…")
    stage.draw()


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
