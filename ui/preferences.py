"""The window's own settings, a few lines of JSON among those of the core. Nothing private is in them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NamedTuple

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
        return Appearance(_load(path).get(_APPEARANCE, Appearance.SYSTEM))
    except ValueError:
        return Appearance.SYSTEM


def save_appearance(path: Path, appearance: Appearance) -> None:
    """Raises StorageError."""
    _save(path, _APPEARANCE, appearance.value)


def load_notifications(path: Path) -> bool:
    """Whether the program may tell things unasked: yes, unless the user has said no."""
    return _load(path).get(_NOTIFICATIONS) is not False


def save_notifications(path: Path, *, wanted: bool) -> None:
    """Raises StorageError."""
    _save(path, _NOTIFICATIONS, wanted)


def load_window(path: Path) -> WindowState:
    """How the window was left; empty where that is not known."""
    match _load(path).get(_WINDOW):
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
    _save(path, _WINDOW, {**state._asdict(), "geometry": base64.b64encode(state.geometry).decode()})


def _save(path: Path, key: str, value: object) -> None:
    """Keeps whatever else the file holds."""
    import json  # noqa: PLC0415 - the window's start is counted in milliseconds

    from personal_ai.common.files import write_atomically  # noqa: PLC0415

    write_atomically(path, json.dumps({**_load(path), key: value}, indent=2).encode())


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        import json  # noqa: PLC0415 - not where there is nothing to read

        content = json.loads(text)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
