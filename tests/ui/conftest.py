"""Tests of the window: each opens the real one on a scripted core, and none may leave a warning of Qt behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject

from ui.garbage import look_between_events
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage

StageMaker = Callable[..., Stage]

# The offscreen platform has no window manager to tell about sizes.
_HARMLESS = ("This plugin does not support propagateSizeHints()",)


@pytest.fixture(autouse=True, scope="session")
def garbage_between_events(qapp: QObject) -> None:
    """As in the program."""
    look_between_events(qapp)


@pytest.fixture(autouse=True)
def no_qt_warnings(qtlog: Any) -> Iterator[None]:
    """Fails a test in which Qt complained."""
    yield
    told = [record.message.strip() for record in qtlog.records]
    assert not [message for message in told if message not in _HARMLESS]


@pytest.fixture
def make_stage(qapp: object, own_home: Path) -> Iterator[StageMaker]:
    """Opens windows; closes them afterwards and fails if one broke."""
    stages: list[Stage] = []

    def make(core: ScriptedCore | None = None, **options: tuple[int, int]) -> Stage:
        stage = Stage(core or ScriptedCore(), own_home, **options)
        stages.append(stage)
        return stage

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(make_stage: StageMaker) -> Stage:
    """A window whose chat page is open, with nothing deployed."""
    return make_stage().enter()


@pytest.fixture
def deployed() -> ScriptedCore:
    """One deployment, whose practice network runs."""
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    return core


@pytest.fixture
def answering(make_stage: StageMaker) -> Stage:
    """A reply stands still after its first words, "Only you. "."""
    stage = make_stage()
    stage.hold_word(2)
    stage.enter().chat.send("Who controls it?")
    stage.until(lambda: stage.chat.heard == "Only you. ")
    return stage


@pytest.fixture
def deploying(make_stage: StageMaker) -> Stage:
    """A deployment stands still while it uploads."""
    stage = make_stage()
    stage.hold_step("Uploading the weights")
    stage.enter().shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == "Uploading the weights")
    return stage
