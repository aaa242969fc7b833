"""The tour draws every state in both looks, each a picture of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from ui.theme import Appearance
from ui.tour.__main__ import write_index, write_look

WANTED = {"chat-empty", "ais-deploying", "chat-streaming", "chat-offline", "chat-error", "welcome-start", "chat-narrow"}


@pytest.mark.parametrize("look", [Appearance.LIGHT, Appearance.DARK])
def test_the_tour_draws_all_its_pictures(qapp: object, tmp_path: Path, look: Appearance) -> None:
    write_look(tmp_path, look)
    files = [file for name, file in write_index(tmp_path).items() if name.endswith(look.value)]
    pictures = [QImage(str(tmp_path / file)) for file in files]
    assert not any(picture.isNull() for picture in pictures)
    assert len({bytes(picture.constBits()) for picture in pictures}) == len(pictures)


def test_the_index_names_every_state_in_both_looks(tmp_path: Path) -> None:
    files = write_index(tmp_path)
    assert {f"{state}-{look}" for state in WANTED for look in ("light", "dark")} <= set(files)
    assert len(files) >= 2 * 40
