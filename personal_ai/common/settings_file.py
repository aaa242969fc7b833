"""What is set outside the vault: a JSON object of a few entries, each somebody's own, with nothing private in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_settings(path: Path) -> dict[str, Any]:
    """Empty where there is no such file, or it says nothing to this program."""
    try:
        text = path.read_text("utf-8")
        import json  # noqa: PLC0415 - the window's start is counted in milliseconds

        content = json.loads(text)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def save_setting(path: Path, key: str, value: object) -> None:
    """Keeps whatever else the file holds; None takes the entry out. Raises StorageError."""
    import json  # noqa: PLC0415 - as above

    from personal_ai.common.files import write_atomically  # noqa: PLC0415

    others = {name: other for name, other in load_settings(path).items() if name != key}
    entry = {} if value is None else {key: value}
    write_atomically(path, json.dumps({**others, **entry}, indent=2).encode())
