"""All pages at 200 % on a full-HD screen, and as small as the window goes: what is cut off at the side, if anything.

Run by `test_window` with QT_SCALE_FACTOR=2.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QScrollArea, QWidget

from ui.application import make_application
from ui.tour.scenes import talked
from ui.tour.stage import Stage
from ui.widgets.basic import Button
from ui.widgets.rail import Page

_SIZES = ((960, 540), (580, 480))


def main() -> None:
    application = make_application()
    with tempfile.TemporaryDirectory() as home:
        stage = Stage(talked(), Path(home)).enter()
        stage.chat.list.selected.emit(stage.core.conversations.list()[0].id)
        stage.settle()
        found = [fault for size in _SIZES for page in Page for fault in _faults(stage, page, size)]
        stage.close()
    print("\n".join(found) or "every page fits")
    application.quit()


def _faults(stage: Stage, page: Page, size: tuple[int, int]) -> list[str]:
    stage.window.resize(*size)
    stage.shell.show_page(page)
    stage.settle()
    name = f"{page.value} at {size}"
    picture = stage.window.grab()
    areas = [area for area in stage.shell.findChildren(QScrollArea) if area.isVisible()]
    sideways = {type(area).__name__: area.horizontalScrollBar().maximum() for area in areas}
    cut = [one for one in stage.shell.findChildren(Button) if one.isVisible() and _cut_off(one, stage.window)]
    return [
        *([] if picture.width() == 2 * size[0] else [f"{name}: {picture.width()} pixels wide"]),
        *(f"{name}: {area} scrolls {points} points sideways" for area, points in sideways.items() if points),
        *(f"{name}: {button.text() or button.accessibleName()} is cut off" for button in cut),
    ]


def _cut_off(widget: QWidget, window: QWidget) -> bool:
    at = widget.mapTo(window, QPoint(0, 0))
    return at.x() < 0 or at.x() + widget.width() > window.width() or widget.width() < widget.minimumSizeHint().width()


if __name__ == "__main__":
    main()
