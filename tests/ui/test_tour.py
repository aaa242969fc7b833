"""The tour draws every state in both looks, each a picture of its own."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtGui import QImage

from ui.tour.__main__ import write_tour
from ui.tour.scenes import scenes

WANTED = {"chat-empty", "ais-deploying", "chat-streaming", "chat-offline", "chat-error", "welcome-start", "chat-narrow"}


def test_the_tour_writes_all_its_pictures(qapp: object, tmp_path: Path) -> None:
    write_tour(tmp_path)
    files = json.loads((tmp_path / "tour.json").read_text("utf-8"))
    assert {f"{state}-{look}" for state in WANTED for look in ("light", "dark")} <= set(files)
    assert len(files) == 2 * len(scenes())
    pictures = [QImage(str(tmp_path / file)) for file in files.values()]
    assert not any(picture.isNull() for picture in pictures)
    assert len({bytes(picture.constBits()) for picture in pictures}) == len(pictures)
