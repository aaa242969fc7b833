"""The tour draws every state, each a picture of its own; here each in one of the two looks, in turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from ui.theme import Appearance
from ui.tour.__main__ import write_index, write_look
from ui.tour.scenes import scenes

WANTED = {"chat-empty", "ais-deploying", "chat-streaming", "chat-offline", "chat-error", "welcome-start", "chat-narrow"}


@pytest.mark.parametrize(("look", "first"), [(Appearance.LIGHT, 0), (Appearance.DARK, 1)])
def test_the_tour_draws_all_its_pictures(qapp: object, tmp_path: Path, look: Appearance, first: int) -> None:
    files = write_look(tmp_path, look, scenes()[first::2])
    pictures = [QImage(str(file)) for file in files]
    assert len(pictures) >= 40 and not any(picture.isNull() for picture in pictures)
    assert len({bytes(picture.constBits()) for picture in pictures}) == len(pictures)


def test_the_index_names_every_state_in_both_looks(tmp_path: Path) -> None:
    files = write_index(tmp_path, scenes())
    assert {f"{state}-{look}" for state in WANTED for look in ("light", "dark")} <= set(files)
    assert len(files) >= 2 * 40
