"""Draws every scene in both themes: `python -m ui.tour --out DIR`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
        write_look(arguments.out, Appearance(arguments.look), _chosen(arguments.only))
        application.quit()
        return 0
    _write_looks_side_by_side(arguments.out, arguments.only)
    files = write_index(arguments.out, _chosen(arguments.only))
    print(f"{len(files)} pictures in {arguments.out}")
    return 0


def _write_looks_side_by_side(out: Path, only: str) -> None:
    """Each in a process of its own."""
    command = [sys.executable, "-m", "ui.tour", "--out", str(out), "--only", only, "--look"]
    processes = [subprocess.Popen([*command, look.value]) for look in _LOOKS]  # noqa: S603 - this program itself
    codes = [process.wait() for process in processes]
    if any(codes):
        raise SystemExit("a scene could not be drawn")


def write_look(out: Path, look: Appearance, chosen: Sequence[Scene]) -> list[Path]:
    """Draws scenes in one look; returns the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    pictures = [out / f"{_name(scene, look)}.png" for scene in chosen]
    for scene, picture in zip(chosen, pictures, strict=True):
        _draw(scene, look).save(str(picture))
    return pictures


def write_index(out: Path, chosen: Sequence[Scene]) -> dict[str, str]:
    """Writes DIR/tour.json, state -> file, and returns it."""
    names = [_name(scene, look) for look in _LOOKS for scene in chosen]
    files = {name: f"{name}.png" for name in names}
    (out / "tour.json").write_text(json.dumps(files, indent=2) + "\n", "utf-8")
    return files


def _chosen(only: str) -> list[Scene]:
    return [scene for scene in scenes() if only in f"{scene.page}-{scene.state}"]


def _name(scene: Scene, look: Appearance) -> str:
    return f"{scene.page}-{scene.state}-{look.value}"


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
