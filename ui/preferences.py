"""The window's own settings, a few lines of JSON among those of the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ui.theme import Appearance

_KEY = "appearance"


def load_appearance(path: Path) -> Appearance:
    """The user's choice; the system's look if none was made or the file cannot be read."""
    try:
        return Appearance(_load(path).get(_KEY, Appearance.SYSTEM))
    except ValueError:
        return Appearance.SYSTEM


def save_appearance(path: Path, appearance: Appearance) -> None:
    """Keeps whatever else the file holds. Raises StorageError."""
    from personal_ai.common.files import write_atomically  # noqa: PLC0415 - the window's start is counted in milliseconds

    write_atomically(path, json.dumps({**_load(path), _KEY: appearance.value}, indent=2).encode())


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
