"""Which hub models come from: the user's own choice, else the one that HF_ENDPOINT names, else Hugging Face."""

from __future__ import annotations

import os
from pathlib import Path

from personal_ai.common.settings_file import load_settings, save_setting
from personal_ai.models.hub.connection import PUBLIC_ENDPOINT, checked_endpoint

VARIABLE = "HF_ENDPOINT"
_HUB = "hub"


def endpoint(settings: Path) -> str:
    """The address in force. settings: the file that a choice is kept in."""
    chosen = load_settings(settings).get(_HUB)
    return chosen if isinstance(chosen, str) else os.environ.get(VARIABLE) or PUBLIC_ENDPOINT


def choose_endpoint(settings: Path, address: str | None) -> None:
    """Keeps a choice; None takes it back. Raises BadInputError, StorageError."""
    save_setting(settings, _HUB, None if address is None else str(checked_endpoint(address)))
