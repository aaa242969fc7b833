"""The states of the page of the AIs."""

from __future__ import annotations

from dataclasses import replace

from personal_ai.app.canisters import Engine
from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import DeploymentState
from ui.pages.ai_detail import AiDetail
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import CANISTER_ID, ScriptedCore, ScriptedModel, deployment
from ui.tour.scripted_ais import UNREACHED, ScriptedCanister, burned
from ui.tour.stage import Stage
from ui.widgets.rail import Page

_NARROW = (640, 760)
_T = 10**12
_UPLOADING = "Uploading the weights"


def ai_scenes() -> list[Scene]:
    return [
        Scene("ais", "empty", _open),
        Scene("ais", "deploying", _deploying),
        Scene("ais", "error", _deploy_error),
        Scene("ais", "filled", _open, core=_several),
        Scene("ais", "looking", _looking, core=_several),
        Scene("ais", "unreached", _unreached, core=_several),
        Scene("ais", "narrow", _open, _NARROW, _several),
        Scene("ai", "well", _open_rowan, core=_several),
        Scene("ai", "why", _why, core=_several),
        Scene("ai", "frozen", _frozen, core=_several),
        Scene("ai", "unreached", _open_unreached, core=_several),
        Scene("ai", "narrow", _open_rowan, _NARROW, _several),
        Scene("ai", "top-up", _top_up, core=_several),
        Scene("ai", "top-up-too-poor", _too_poor, core=_on_the_real_network),
    ]


# Cores


def _several() -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment("Rowan", "smollm2-135m"), deployment("Hazel")])
    core.practice_network.running = True
    core.all_models.append(ScriptedModel("smollm2-135m", "SmolLM2 135M", 148_000_000, 2048, "int8"))
    core.all_deployments.append(deployment("Birch", "smollm2-135m", DeploymentState.RUNNING))
    core.ais.by_id["rowan-1"] = ScriptedCanister(budget=Budget(2 * _T, 120))
    core.ais.by_id["hazel-1"] = ScriptedCanister(
        cycles=1_180_000_000_000, readings=burned(1_180_000_000_000), engine=Engine.OTHER, identity_safe=False
    )
    return core


def _on_the_real_network() -> ScriptedCore:
    core = _several()
    core.all_deployments[0] = replace(core.all_deployments[0], network="ic", canister_id=CANISTER_ID)
    core.ais.account = 200_000_000_000
    return core


# Leading


def _open(stage: Stage, look: Appearance) -> None:
    stage.enter(look).shell.show_page(Page.AIS)
    stage.settle()


def _deploying(stage: Stage, look: Appearance) -> None:
    stage.hold_step(_UPLOADING)
    _open(stage, look)
    stage.shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == _UPLOADING)


def _deploy_error(stage: Stage, look: Appearance) -> None:
    def fail(progress: Progress, _: Cancel) -> None:
        if progress.step == _UPLOADING:
            raise StorageError(
                "Could not write the deployment journal: the disk is full.",
                not_lost="What is uploaded stays uploaded, and nothing is paid for twice.",
                next_step="Make room on the disk, then try again.",
            )

    stage.core.script.before_step = fail
    _open(stage, look)
    stage.shell.ais.deploy()
    stage.settle()


def _looking(stage: Stage, look: Appearance) -> None:
    stage.core.ais.before = lambda name, cancel: stage.hold(cancel) if name == "look" else None
    stage.enter(look).shell.show_page(Page.AIS)
    stage.until(lambda: "look" in stage.core.ais.asked)
    stage.draw()


def _fail_to_look(name: str, _: Cancel) -> None:
    if name == "look":
        raise UNREACHED


def _unreached(stage: Stage, look: Appearance) -> None:
    stage.core.practice_network.running = False
    stage.core.ais.before = _fail_to_look
    _open(stage, look)


def _open_rowan(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.ais.open_ai(stage.core.all_deployments[0])
    stage.settle()


def _why(stage: Stage, look: Appearance) -> None:
    _open_rowan(stage, look)
    _detail(stage).cycles.why.click()
    stage.draw()


def _frozen(stage: Stage, look: Appearance) -> None:
    stage.core.ais.by_id["rowan-1"] = ScriptedCanister(
        cycles=700_000_000_000, readings=burned(700_000_000_000), health=Health.FROZEN
    )
    _open_rowan(stage, look)


def _open_unreached(stage: Stage, look: Appearance) -> None:
    _open_rowan(stage, look)
    stage.core.ais.before = _fail_to_look
    _detail(stage).again.click()
    stage.settle()


def _top_up(stage: Stage, look: Appearance) -> None:
    _open_rowan(stage, look)
    _detail(stage).top_up()
    stage.settle()


_too_poor = _top_up


def _detail(stage: Stage) -> AiDetail:
    detail = stage.shell.ais.detail
    assert detail is not None
    return detail
