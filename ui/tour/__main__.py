"""Draws every scene in both themes: `python -m ui.tour --out DIR`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QDialog, QWidget

from ui.application import make_application
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scenes import scenes
from ui.tour.stage import Stage

_LOOKS = (Appearance.LIGHT, Appearance.DARK)


def main() -> int:
    """Writes one PNG per scene and theme, and DIR/tour.json: state -> file."""
    parser = argparse.ArgumentParser(prog="python -m ui.tour", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--only", metavar="TEXT", default="", help="only states with TEXT in their name")
    arguments = parser.parse_args()
    application = make_application()
    print(f"{write_tour(arguments.out, arguments.only)} pictures in {arguments.out}")
    application.quit()
    return 0


def write_tour(out: Path, only: str = "") -> int:
    """Draws the scenes whose name holds `only`, lists them in tour.json, and returns how many there are."""
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for look in _LOOKS:  # one after the other: dressing the application anew takes as long as drawing a scene
        for scene in scenes():
            name = f"{scene.page}-{scene.state}-{look.value}"
            if only in name:
                _draw(scene, look).save(str(out / f"{name}.png"))
                files[name] = f"{name}.png"
    (out / "tour.json").write_text(json.dumps(files, indent=2) + "\n", "utf-8")
    return len(files)


def _draw(scene: Scene, look: Appearance) -> QPixmap:
    with tempfile.TemporaryDirectory() as home:
        stage = Stage(scene.core(), Path(home), size=scene.size)
        scene.lead(stage, look)
        stage.draw()
        seen: QWidget = next(
            (dialog for dialog in stage.window.findChildren(QDialog) if dialog.isVisible()), stage.window
        )
        picture = seen.grab()
        stage.close()
    return picture


if __name__ == "__main__":
    sys.exit(main())
