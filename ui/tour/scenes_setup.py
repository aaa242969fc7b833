"""Setting an AI up, as the tour draws it."""

from __future__ import annotations

from personal_ai.app.setup import Choices
from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore, ScriptedModel
from ui.tour.scripted_wallet import LINKED
from ui.tour.stage import Stage

_NARROW = (640, 760)
_TRILLION = 10**12


def setup_scenes() -> list[Scene]:
    """Every step, and what can stand in the way."""
    return [
        Scene("setup", "model", _open, core=lambda: _core(Choices())),
        Scene("setup", "where", _open, core=lambda: _core(Choices("starter"))),
        Scene("setup", "cost-practice", _open, core=lambda: _core(Choices("starter", "practice"))),
        Scene("setup", "cost-asking", _asking, core=lambda: _core(Choices("starter", "ic"))),
        Scene("setup", "cost-lacking", _open, core=lambda: _core(Choices("starter", "ic"))),
        Scene("setup", "cost-payable", _open, core=_rich),
        Scene("setup", "error", _open, core=_unreachable),
        Scene("setup", "narrow", _open, _NARROW, core=lambda: _core(Choices("starter", "ic"))),
    ]


def _core(choices: Choices) -> ScriptedCore:
    core = ScriptedCore()
    core.all_models.append(ScriptedModel("smollm2-135m", "SmolLM2 135M", 148_000_000, 2048, "int8"))
    core.setup.choose(choices)
    return core


def _rich() -> ScriptedCore:
    core = _core(Choices("starter", "ic"))
    core.setup.available = 9 * _TRILLION
    core.setup.warnings = (LINKED,)
    return core


def _unreachable() -> ScriptedCore:
    def fail(_: str, __: Cancel) -> None:
        raise NetworkUnreachableError(
            "The Internet Computer does not answer.",
            not_lost="Nothing was paid, and what you chose is kept.",
            next_step="Check the connection, then look again.",
        )

    core = _core(Choices("starter", "ic"))
    core.setup.before = fail
    return core


def _open(stage: Stage, look: Appearance) -> None:
    """The first run goes on where it was left."""
    stage.enter(look)
    stage.settle()


def _asking(stage: Stage, look: Appearance) -> None:
    stage.core.setup.before = lambda _, cancel: stage.hold(cancel)
    stage.show(look)
    stage.core.has_vault = True
    stage.window.opening.opened.emit()
    stage.until(lambda: stage.window.shell is not None and stage.shell.setup.desk.choices.network == "ic")
    stage.draw()
