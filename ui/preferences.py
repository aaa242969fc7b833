"""The window's own settings, a few lines of JSON among those of the core. Nothing private is in them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import NamedTuple

from personal_ai.common.settings_file import load_settings, save_setting
from ui.theme import Appearance

_APPEARANCE = "appearance"
_WINDOW = "window"
_NOTIFICATIONS = "notifications"


class WindowState(NamedTuple):
    """geometry: as `QWidget.saveGeometry` gives it. page: the name of the page that was shown; empty if none was.

    chat: the id of the conversation that was looked at, a random number; empty if none was.
    """

    geometry: bytes = b""
    page: str = ""
    chat: str = ""


def load_appearance(path: Path) -> Appearance:
    """The user's choice; the system's look if none was made or the file cannot be read."""
    try:
        return Appearance(load_settings(path).get(_APPEARANCE, Appearance.SYSTEM))
    except ValueError:
        return Appearance.SYSTEM


def save_appearance(path: Path, appearance: Appearance) -> None:
    """Raises StorageError."""
    save_setting(path, _APPEARANCE, appearance.value)


def load_notifications(path: Path) -> bool:
    """Whether the program may tell things unasked: yes, unless the user has said no."""
    return load_settings(path).get(_NOTIFICATIONS) is not False


def save_notifications(path: Path, *, wanted: bool) -> None:
    """Raises StorageError."""
    save_setting(path, _NOTIFICATIONS, wanted)


def load_window(path: Path) -> WindowState:
    """How the window was left; empty where that is not known."""
    match load_settings(path).get(_WINDOW):
        case {"geometry": str(geometry), "page": str(page), **others}:
            chat = others.get("chat")
            left = WindowState(page=page, chat=chat if isinstance(chat, str) else "")
            try:
                return left._replace(geometry=base64.b64decode(geometry, validate=True))
            except ValueError:
                return left
    return WindowState()


def save_window(path: Path, state: WindowState) -> None:
    """Raises StorageError."""
    save_setting(path, _WINDOW, {**state._asdict(), "geometry": base64.b64encode(state.geometry).decode()})
