"""Clicks and types at random: `python -m tests.faults.monkey --minutes 5 --seed N [--json]`.

The real window stands on a scripted core that now and then fails, is slow or sends replies from elsewhere, or (`--core
real`) on the real one with a practice network. Round after round it is opened in some state, gets a few hundred events,
and is closed. What counts: `crashes`, bugs that reached
the crash dialog or ended the process; `warnings`, complaints of Qt; `leaked_threads`, lanes that outlive their window.
The same seed presses the same keys, as far as the machine's speed allows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QPoint,
    QPointF,
    Qt,
    QTimer,
    QtMsgType,
    QUrl,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QContextMenuEvent, QDesktopServices, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget

from tests.faults.monkey_stages import SIZES, TEXTS, MakeStage, RealStages, scripted_stage
from ui.application import make_application
from ui.tour.stage import Stage, wait

_EVENTS_A_ROUND = 250
_KEYS = (
    Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Up, Qt.Key.Key_Down,
    Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Delete, Qt.Key.Key_Space, Qt.Key.Key_F2, Qt.Key.Key_Menu,
    Qt.Key.Key_PageUp, Qt.Key.Key_Home,
)  # fmt: skip
_SHORTCUTS = "nfzl1234567"
_HARMLESS = "This plugin does not support"  # the offscreen platform has no window manager and no keyboard to grab


@dataclass
class Tally:
    events: int = 0
    crashes: int = 0
    warnings: int = 0
    leaked_threads: int = 0
    told: list[str] = field(default_factory=list)  # what the crashes and warnings were


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.monkey", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--core", choices=("scripted", "real"), default="scripted")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        with tempfile.TemporaryDirectory() as folder:
            stages = RealStages(Path(folder)) if arguments.core == "real" else scripted_stage
            print(json.dumps(asdict(play(60 * arguments.minutes, arguments.seed, stages))))
        return 0
    tally = _in_a_process_of_its_own(arguments.minutes, arguments.seed, arguments.core)
    if arguments.json:
        print(json.dumps(tally))
    else:
        print("\n".join(f"{name:16} {value}" for name, value in tally.items()))
    return 1 if tally["crashes"] or tally["warnings"] or tally["leaked_threads"] else 0


def _in_a_process_of_its_own(minutes: float, seed: int, core: str) -> dict[str, object]:
    """What was counted; a process that dies is a crash."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.faults.monkey", "--in-process"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "HOME": folder,
            "PYTHONFAULTHANDLER": "1",
        }
        run = subprocess.run(
            [*command, "--minutes", str(minutes), "--seed", str(seed), "--core", core],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment,
        )
    if run.returncode:
        return asdict(Tally(crashes=1, told=[f"the process ended with {run.returncode}", run.stderr[-4000:]]))
    tally: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return tally


def _where(error: BaseException) -> str:
    """The error and the innermost calls that led to it."""
    return "".join(traceback.format_exception(error)[-3:])


def play(seconds: float, seed: int, stages: MakeStage) -> Tally:
    """Opens and closes windows for so long."""
    tally = Tally()
    chance = random.Random(seed)

    def note(kind: QtMsgType, _: QMessageLogContext, message: str) -> None:
        if kind is not QtMsgType.QtDebugMsg and _HARMLESS not in message:
            tally.warnings += 1
            tally.told.append(message)

    def note_crash(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        tally.crashes += 1
        tally.told.append(_where(error))

    sys.excepthook = note_crash  # where a slot breaks, Qt goes on
    qInstallMessageHandler(note)
    application = make_application()
    stranger = _Stranger()
    for scheme in ("http", "https"):
        QDesktopServices.setUrlHandler(scheme, stranger, "open")  # type: ignore[arg-type]  # what it takes in truth
    threads = set(threading.enumerate())
    until_s = time.monotonic() + seconds
    try:
        while time.monotonic() < until_s:
            _Round(chance, tally, stages).play(until_s)
            left = {thread for thread in threading.enumerate() if thread.is_alive()} - threads
            tally.leaked_threads += len(left)
            threads |= left
    finally:  # what breaks the monkey itself is told in full
        qInstallMessageHandler(None)
        sys.excepthook = sys.__excepthook__
    application.quit()
    return tally


class _Stranger(QObject):
    """Takes the place of the user's browser."""

    @Slot(QUrl)
    def open(self, _: QUrl) -> None:
        return


class _Round:
    """One window from opening to closing."""

    def __init__(self, chance: random.Random, tally: Tally, stages: MakeStage) -> None:
        self._chance = chance
        self._tally = tally
        self._stages = stages
        self._left = _EVENTS_A_ROUND
        self._stage: Stage | None = None

    def play(self, until_s: float) -> None:
        with tempfile.TemporaryDirectory() as home:
            stage = self._stage = self._stages(self._chance, Path(home))
            if self._chance.random() < 0.8:
                stage.enter()
            else:
                stage.show()
            self._step()
            while self._left > 0 and time.monotonic() < until_s:
                wait(20)
            self._left = 0
            self._leave_dialogs()
            self._tally.crashes += len(stage.crashes)
            self._tally.told += map(_where, stage.crashes)
            stage.crashes.clear()
            stage.close()

    def _step(self) -> None:
        """One event; the next is due before it is over, since a dialog may keep it in a loop of its own."""
        if self._left <= 0:
            self._leave_dialogs()  # the last event may have opened one that nobody else would close
            return
        QTimer.singleShot(1, self._step)
        self._left -= 1
        self._tally.events += 1
        popup, modal = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        if isinstance(modal, QFileDialog):
            modal.reject()
        elif isinstance(popup, QMenu):
            self._in_menu(popup)
        else:
            assert self._stage is not None
            self._in_window(modal or self._stage.window)

    def _in_menu(self, menu: QMenu) -> None:
        actions = [action for action in menu.actions() if action.isEnabled() and not action.isSeparator()]
        if actions and self._chance.random() < 0.7:
            chosen = self._chance.choice(actions)
            menu.close()
            chosen.trigger()
        else:
            menu.close()

    def _in_window(self, window: QWidget) -> None:
        act = self._chance.choices(
            (self._click, self._type, self._key, self._shortcut, self._wheel, self._context_menu, self._resize),
            (30, 20, 25, 5, 8, 6, 1),
        )[0]
        act(window)

    def _click(self, window: QWidget) -> None:
        widgets = [one for one in window.findChildren(QWidget) if one.isVisible() and one.isEnabled() and one.width()]
        if widgets:
            target = self._chance.choice(widgets)
            QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=self._place_in(target))

    def _place_in(self, widget: QWidget) -> QPoint:
        return QPoint(self._chance.randrange(widget.width()), self._chance.randrange(max(1, widget.height())))

    def _type(self, window: QWidget) -> None:
        QTest.keyClicks(QApplication.focusWidget() or window, self._chance.choice(TEXTS[:2]))
        focused = QApplication.focusWidget()
        if focused is not None and hasattr(focused, "insertPlainText"):
            QApplication.clipboard().setText(self._chance.choice(TEXTS))
            QTest.keyClick(focused, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)

    def _key(self, window: QWidget) -> None:
        QTest.keyClick(QApplication.focusWidget() or window, self._chance.choice(_KEYS))

    def _shortcut(self, window: QWidget) -> None:
        QTest.keyClicks(window, self._chance.choice(_SHORTCUTS), Qt.KeyboardModifier.ControlModifier)

    def _wheel(self, window: QWidget) -> None:
        at = self._place_in(window)
        event = QWheelEvent(
            QPointF(at), QPointF(window.mapToGlobal(at)), QPoint(), QPoint(0, self._chance.choice((-240, 240))),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(window.childAt(at) or window, event)

    def _context_menu(self, window: QWidget) -> None:
        at = self._place_in(window)
        target = window.childAt(at) or window
        inside = target.mapFrom(window, at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, inside, target.mapToGlobal(inside))
        QApplication.sendEvent(target, event)

    def _resize(self, window: QWidget) -> None:
        window.resize(*self._chance.choice(SIZES))

    def _leave_dialogs(self) -> None:
        """Closes what is open on top, so that the window itself can be closed."""
        for _ in range(20):
            on_top = QApplication.activePopupWidget() or QApplication.activeModalWidget()
            if on_top is None:
                return
            on_top.close()
            wait(5)


if __name__ == "__main__":
    sys.exit(main())
