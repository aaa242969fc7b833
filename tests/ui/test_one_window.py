"""A second start finds the first window, also after one that was killed; and a window comes back as it was left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from personal_ai.common.paths import Paths
from ui.one_window import FrontDoor, knock
from ui.preferences import WindowState, load_window, save_window
from ui.tour.stage import Stage, until
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]


@pytest.fixture
def parent(qapp: object) -> Iterator[QObject]:
    made = QObject()
    yield made
    made.deleteLater()


def test_whoever_knocks_is_heard(parent: QObject, own_home: Path) -> None:
    assert not knock(own_home)
    door = FrontDoor(own_home, parent)
    heard: list[bool] = []
    door.knocked.connect(lambda: heard.append(True))
    door.open()
    assert knock(own_home)
    until(lambda: heard == [True])
    door.close()
    assert not knock(own_home)
    door.open()
    assert not knock(own_home.parent / "another home")


@pytest.fixture
def start(qapp: object) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the program in its own process."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one() -> subprocess.Popen[bytes]:
        environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
        started.append(subprocess.Popen([sys.executable, "-m", "ui"], env=environment))
        return started[-1]

    yield start_one
    for one in started:
        one.kill()
        one.wait()


def test_a_second_start_ends_at_once_and_a_killed_one_is_no_obstacle(
    start: Callable[[], subprocess.Popen[bytes]], own_home: Path
) -> None:
    first = start()
    until(lambda: knock(own_home))
    assert start().wait(60) == 0
    assert first.poll() is None
    first.kill()
    first.wait()
    third = start()
    until(lambda: knock(own_home))
    third.terminate()
    fourth = start()  # waits for the one that ends
    assert third.wait(60) == 0
    until(lambda: knock(own_home))
    assert fourth.poll() is None


def test_the_window_comes_back_as_it_was_left(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    stage.shell.show_page(Page.WALLET)
    stage.window.resize(700, 620)
    stage.draw()
    again = make_stage(stage.core)
    stage.close()
    again.enter()
    assert again.shell.page is Page.WALLET
    assert (again.window.width(), again.window.height()) == (700, 620)


def test_a_window_that_was_on_a_screen_of_before_comes_to_one_that_is_there(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    stage.window.move(9_000, 7_000)
    stage.draw()
    again = make_stage(stage.core)
    stage.close()
    again.enter()
    assert QGuiApplication.primaryScreen().availableGeometry().intersects(again.window.frameGeometry())


@pytest.mark.parametrize(
    "content", ["[]", '{"window": 3}', '{"window": {"geometry": "%%", "page": "cellar"}}', '{"window": {}}']
)
def test_settings_that_somebody_broke_do_no_harm(make_stage: MakeStage, own_home: Path, content: str) -> None:
    own_home.mkdir(parents=True)
    Paths(own_home).settings.write_text(content)
    assert load_window(Paths(own_home).settings).geometry == b""
    assert make_stage().enter().shell.page is Page.CHAT


def test_what_else_is_in_the_settings_stays(own_home: Path) -> None:
    path = Paths(own_home).settings
    own_home.mkdir(parents=True)
    path.write_text('{"appearance": "dark"}')
    save_window(path, WindowState(b"\x01", "models"))
    assert load_window(path) == WindowState(b"\x01", "models")
    assert '"dark"' in path.read_text()
