"""Draws every scene in both themes: `python -m ui.tour --out DIR`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
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
    parser.add_argument("--look", choices=[look.value for look in _LOOKS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.look:
        application = make_application()
        write_look(arguments.out, Appearance(arguments.look), arguments.only)
        application.quit()
        return 0
    _write_looks_side_by_side(arguments.out, arguments.only)
    files = write_index(arguments.out, arguments.only)
    print(f"{len(files)} pictures in {arguments.out}")
    return 0


def _write_looks_side_by_side(out: Path, only: str) -> None:
    """Each in a process of its own."""
    command = [sys.executable, "-m", "ui.tour", "--out", str(out), "--only", only, "--look"]
    processes = [subprocess.Popen([*command, look.value]) for look in _LOOKS]  # noqa: S603 - this program itself
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit("a scene could not be drawn")


def write_look(out: Path, look: Appearance, only: str = "") -> None:
    """Draws the scenes whose name holds `only` in one look."""
    out.mkdir(parents=True, exist_ok=True)
    for name, scene in _named(look, only):
        _draw(scene, look).save(str(out / f"{name}.png"))


def write_index(out: Path, only: str = "") -> dict[str, str]:
    """Writes DIR/tour.json, state -> file, and returns it."""
    files = {name: f"{name}.png" for look in _LOOKS for name, _ in _named(look, only)}
    (out / "tour.json").write_text(json.dumps(files, indent=2) + "\n", "utf-8")
    return files


def _named(look: Appearance, only: str) -> list[tuple[str, Scene]]:
    named = [(f"{scene.page}-{scene.state}-{look.value}", scene) for scene in scenes()]
    return [(name, scene) for name, scene in named if only in name]


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
