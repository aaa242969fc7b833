"""Trying it out, as the tour draws it."""

from __future__ import annotations

from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Progress
from ui.pages.trial import TrialPage
from ui.pages.welcome import WelcomePage
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import PASSWORD, ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.trial_dialogs import KeepDialog
from ui.widgets.vault_steps import PasswordStep

_NETWORK_STEP = "Starting the practice network"


def trial_scenes() -> list[Scene]:
    """From the click to the end."""
    return [
        Scene("trial", "under-way", _under_way),
        Scene("trial", "error", _error),
        Scene("trial", "answered", _answered),
        Scene("trial", "keep", _keep),
        Scene("trial", "words", _words),
        Scene("trial", "closing", _closing),
        Scene("trial", "left-behind", _see_what_was_left, core=_left_behind),
    ]


def _left_behind() -> ScriptedCore:
    core = ScriptedCore()
    core.begin_trial()
    core.door.lock()
    return core


def _click(stage: Stage, look: Appearance) -> None:
    stage.show(look).find(WelcomePage).trial_wanted.emit()


def _under_way(stage: Stage, look: Appearance) -> None:
    stage.hold_step("Uploading the weights")
    _click(stage, look)
    stage.until(lambda: stage.find(TrialPage).step == "Uploading the weights")


def _error(stage: Stage, look: Appearance) -> None:
    def fail(progress: Progress, _: Cancel) -> None:
        if progress.step == _NETWORK_STEP:
            raise NetworkUnreachableError(
                "The practice network did not start: no port is free.",
                not_lost="Its state on disk is unchanged.",
                next_step="Close other programs that listen for connections, then try again.",
            )

    stage.core.script.before_step = fail
    _click(stage, look)
    stage.settle()


def _answered(stage: Stage, look: Appearance) -> None:
    _click(stage, look)
    stage.until(lambda: stage.window.shell is not None)
    stage.settle()


def _keep(stage: Stage, look: Appearance) -> None:
    _answered(stage, look)
    stage.shell.keep_trial()
    stage.draw()


def _closing(stage: Stage, look: Appearance) -> None:
    _answered(stage, look)
    stage.window.close()


def _see_what_was_left(stage: Stage, look: Appearance) -> None:
    stage.show(look)
    stage.until(lambda: stage.window.findChild(WelcomePage) is not None)


def _words(stage: Stage, look: Appearance) -> None:
    _keep(stage, look)
    (step,) = stage.find(KeepDialog).findChildren(PasswordStep)
    step.chosen.emit(PASSWORD)
    stage.settle()
