"""The window as a whole: names for those who do not see it, folding, closing, and what must not be imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAccessible, QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)

from personal_ai.common.paths import Paths
from tests.ui.looking import focused
from tests.ui.talks import only_talk
from ui.preferences import load_appearance, save_appearance
from ui.system_signals import SystemSignals
from ui.theme import Appearance, theme
from ui.theme.tokens import READING_WIDTH_MAX
from ui.tour.scene import Scene
from ui.tour.scenes import scenes
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage, until
from ui.widgets.basic import Button
from ui.widgets.focus_ring import FocusRing
from ui.widgets.form_dialog import FormDialog
from ui.widgets.prose import ProseView
from ui.widgets.rail import Page
from ui.window import size_within

MakeStage = Callable[..., Stage]
ROOT = Path(__file__).resolve().parents[2]
_NO_ROLES = (QAccessible.Role.NoRole, QAccessible.Role.Client)
_PICTURES = (QAccessible.Role.Graphic, QAccessible.Role.Chart, QAccessible.Role.ProgressBar)


def interactive(window: QWidget) -> list[QWidget]:
    return [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisible()
        and widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not isinstance(widget.parent(), (QAbstractSpinBox, QComboBox))
    ]


def spoken_name(widget: QObject) -> str:
    found = QAccessible.queryAccessibleInterface(widget)
    return found.text(QAccessible.Text.Name).strip() if found else ""


def role(widget: QObject) -> QAccessible.Role:
    found = QAccessible.queryAccessibleInterface(widget)
    return found.role() if found else QAccessible.Role.NoRole


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: f"{scene.page}-{scene.state}")
def test_every_control_has_a_name_and_a_role_and_is_reached_by_tab(make_stage: MakeStage, scene: Scene) -> None:
    stage = make_stage(scene.core(), **({"size": scene.size} if scene.size else {}))
    scene.lead(stage, Appearance.LIGHT)
    stage.draw()
    on_top = QApplication.activeModalWidget() or stage.window
    controls = interactive(on_top)
    assert controls
    assert not [widget for widget in controls if not spoken_name(widget)]
    assert not [widget for widget in controls if role(widget) in _NO_ROLES]
    pictures = [widget for widget in on_top.findChildren(QWidget) if widget.isVisible() and role(widget) in _PICTURES]
    assert not [widget for widget in pictures if not spoken_name(widget)]
    if isinstance(on_top, QDialog):
        _check_keys(on_top)
    by_tab = {widget for widget in controls if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isEnabled()}
    reached: set[QObject] = set()
    one_is_enough = _one_of_a_group(by_tab)
    on_top.activateWindow()  # where a dialog was closed, nobody else does it here
    until(on_top.isActiveWindow)
    next(one for one in controls if one in by_tab - one_is_enough).setFocus()  # Tab never begins at one of these
    for _ in range(3 * len(controls)):
        focused = QApplication.focusWidget()
        if focused is None or focused in reached:
            break
        reached.add(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    assert by_tab - reached <= one_is_enough


_FIELDS = (QLineEdit, QPlainTextEdit, QComboBox, QAbstractSpinBox, QCheckBox)


def _check_keys(dialog: QDialog) -> None:
    """It begins in a field, a form in its first, or on the button that Enter presses, which is the primary one."""
    usable = [one for one in interactive(dialog) if one.isEnabled() and one.focusPolicy() & Qt.FocusPolicy.TabFocus]
    fields = [one for one in usable if isinstance(one, _FIELDS) and not one.property("readOnly")]
    primary = [one for one in dialog.findChildren(QPushButton) if one.property("kind") == "primary" and one.isVisible()]
    if not primary:
        return  # a payment that has failed: it is not tried twice
    assert [one.isDefault() for one in primary] == [True]
    if isinstance(dialog, FormDialog):
        from_above = sorted(fields, key=lambda one: one.mapTo(dialog, QPoint()).y())
        assert dialog.focusWidget() is (from_above or primary)[0]
    else:
        assert dialog.focusWidget() in (*fields, *primary)


def _one_of_a_group(controls: set[QWidget]) -> set[QWidget]:
    """Of radio buttons Tab reaches the chosen one; arrow keys lead to the others."""
    return {
        one
        for one in controls
        if one.metaObject().className() == "QRadioButton" and not one.isChecked()  # type: ignore[attr-defined]
    }


def test_the_side_columns_fold_away_in_a_narrow_window(stage: Stage) -> None:
    rail, chats = stage.shell.rail, stage.chat.list
    assert rail.isVisible()
    assert chats.isVisible()
    stage.window.resize(640, 700)
    stage.draw()
    assert not rail.isVisible()
    assert not chats.isVisible()
    for name, side in (("Menu", rail), ("Chats", chats)):
        (button,) = [one for one in stage.shell.findChildren(Button) if one.text() == name and one.isVisible()]
        button.click()
        stage.draw()
        assert side.isVisible()
    assert not rail.isVisible()  # one at a time
    stage.window.resize(1180, 760)
    stage.draw()
    assert rail.isVisible()
    assert chats.isVisible()


@pytest.mark.parametrize("scene", [scene for scene in scenes() if scene.state == "narrow"], ids=lambda one: one.page)
def test_a_narrow_window_cuts_nothing_off(make_stage: MakeStage, scene: Scene) -> None:
    assert scene.size is not None
    stage = make_stage(scene.core(), size=scene.size)
    scene.lead(stage, Appearance.LIGHT)
    stage.draw()
    areas = [area for area in stage.window.findChildren(QScrollArea) if area.isVisible()]
    assert areas
    for area in areas:
        content = area.widget()
        assert content is not None and content.width() <= area.viewport().width()


def test_every_page_fits_at_double_scale() -> None:
    """Qt takes the scale at its start only, so this is a process of its own."""
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.ui.double_scale"], capture_output=True, text=True, check=False, env=environment
    )
    assert run.stdout.split("\n") == ["every page fits", ""], run.stdout + run.stderr


def test_no_message_is_wider_than_the_reading_width(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.script.words = ["word " * 200]
    stage = make_stage(core, size=(1900, 800)).enter()
    stage.chat.send("Tell me much")
    stage.settle()
    words = stage.chat.transcript.findChildren(ProseView)
    assert max(view.width() for view in words) == READING_WIDTH_MAX


def test_pages_are_reached_by_shortcut(stage: Stage) -> None:
    for key, page in ((Qt.Key.Key_2, stage.shell.ais), (Qt.Key.Key_1, stage.chat)):
        QTest.keyClick(stage.window, key, Qt.KeyboardModifier.ControlModifier)
        stage.settle()
        assert page.isVisible()


def test_a_dialog_has_a_focus_ring_of_its_own(stage: Stage) -> None:
    dialog = FormDialog(stage.window, "A question", go="Go on")
    line = dialog.add_line("Name")
    dialog.open()
    stage.draw()
    QTest.keyClick(line, Qt.Key.Key_Tab)
    stage.draw()
    ring = dialog.findChild(FocusRing)
    assert ring is not None and ring.isVisible()
    assert ring.geometry().contains(dialog.leave.geometry())
    dialog.reject()


def test_the_focus_ring_shows_for_tab_only(stage: Stage) -> None:
    ring = stage.find(FocusRing)
    assert not ring.isVisible()
    QTest.keyClick(focused(), Qt.Key.Key_Tab)
    stage.draw()
    target = focused()
    assert ring.isVisible()
    assert ring.geometry().contains(QRect(target.mapTo(stage.window, QPoint()), target.size()))
    stage.shell.show_page(Page.AIS)  # the target goes away: the focus moves, but nobody pressed a key
    stage.settle()
    assert not ring.isVisible()


def test_closing_while_a_reply_streams_keeps_what_was_said(answering: Stage) -> None:
    answering.window.close()
    assert not answering.window.isVisible()
    answering.until(lambda: answering.core.closed)
    assert only_talk(answering.core).turns[-1].text == "Only you. "


def test_closing_while_a_deployment_runs_pauses_it(deploying: Stage) -> None:
    deploying.window.close()
    deploying.until(lambda: deploying.core.closed)
    assert deploying.core.all_deployments[0].state == "running"


def test_the_look_is_chosen_and_kept(stage: Stage, own_home: Path) -> None:
    stage.shell.appearance_chosen.emit(Appearance.DARK)
    stage.settle()
    assert stage.window.grab().toImage().pixelColor(600, 100) == QColor(theme().tokens.ground)
    assert theme().tokens.dark
    assert load_appearance(Paths(own_home).settings) is Appearance.DARK


def test_settings_of_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"proxy": "none", "appearance": "purple"}')
    assert load_appearance(path) is Appearance.SYSTEM
    save_appearance(path, Appearance.LIGHT)
    assert '"proxy": "none"' in path.read_text()
    path.write_text("damaged")
    assert load_appearance(path) is Appearance.SYSTEM


def test_one_crash_dialog_at_a_time(stage: Stage) -> None:
    stage.window.show_crash(ValueError("first"))
    stage.window.show_crash(KeyError("second"))
    assert "ValueError" in stage.window.crash_report


@pytest.mark.parametrize(
    ("module", "banned"),
    [("personal_ai.app.workspace", "PySide6"), ("personal_ai.cli.main", "PySide6"), ("ui.__main__", "PySide6")],
)
def test_the_core_and_the_command_line_never_load_qt(module: str, banned: str) -> None:
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] == {banned!r} for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_window_is_there_before_the_core_is_loaded() -> None:
    code = "import sys, ui.window; sys.exit(any(name in sys.modules for name in ('onnxruntime', 'onnx', 'wasmtime')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("screen", "size"), [((3840, 2160), (1180, 760)), ((960, 540), (864, 486))])
def test_the_window_is_no_larger_than_the_screen(screen: tuple[int, int], size: tuple[int, int]) -> None:
    assert size_within(QSize(*screen)) == QSize(*size)


_FIRST_PAGES = """
import sys
from pathlib import Path
from PySide6 import QtCore
from personal_ai.common.paths import Paths
from ui.__main__ import make_window
application, window = make_window(Paths(Path(sys.argv[1])))
window.opening.load = lambda: None
for show_page in (window.show, window.opening.unlock):
    show_page()
    application.processEvents()
    assert "Qt" not in vars(QtCore), "PySide has made all enums of the namespace Qt"
    slow = {"hashlib", "json", "importlib.metadata", "numpy", "httpx", "onnx", "PySide6.QtNetwork"}
    assert not slow & set(sys.modules), slow & set(sys.modules)
"""


def test_the_first_pages_load_nothing_that_takes_long(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _FIRST_PAGES, str(tmp_path)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr


def test_arguments_go_to_the_command_line() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "ui", "--help"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert shown.returncode == 0
    assert "usage: personal-ai" in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_systems_wish_to_end_closes_the_window(qapp: object, number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    closed: list[bool] = []
    signals = SystemSignals(lambda: closed.append(True))
    try:
        os.kill(os.getpid(), number)
        until(lambda: bool(closed))
    finally:
        signals.stop()
        for one, handler in before.items():
            signal.signal(one, handler)
