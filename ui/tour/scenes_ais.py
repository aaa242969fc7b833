"""The states of the page of the AIs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from personal_ai.app.canisters import Engine
from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import DeploymentState
from personal_ai.deployments.upgrade import UpgradeFailedError
from personal_ai.ic.management import LogLine
from ui.pages.ai_detail import AiDetail
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import CANISTER_ID, ScriptedCore, ScriptedModel, deployment
from ui.tour.scripted_ais import UNREACHED, ScriptedCanister, burned, snapshot
from ui.tour.scripted_wallet import FRIEND, LINKED
from ui.tour.stage import Stage
from ui.widgets.add_controller_dialog import AddControllerDialog
from ui.widgets.question import Question
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
        Scene("ai", "frozen", _frozen, core=_several),
        Scene("ai", "unreached", _open_unreached, core=_several),
        Scene("ai", "narrow", _open_rowan, _NARROW, _several),
        Scene("ai", "sections", _lower, core=_several),
        Scene("ai", "sections-end", _lowest, core=_several),
        Scene("ai", "upgrading", _upgrading, core=_several),
        Scene("ai", "upgrade-failed", _upgrade_failed, core=_several),
        Scene("ai", "top-up", _top_up, core=_several),
        Scene("ai", "top-up-too-poor", _top_up, core=_on_the_real_network),
        Scene("ai", "budget", _press("cycles", "budget"), core=_several),
        Scene("ai", "replace", _press("engine", "replace"), core=_several),
        Scene("ai", "backup-controller", _backup_controller, core=_several),
        Scene("ai", "settings", _press("settings", "change"), core=_several),
        Scene("ai", "delete", _press("life", "delete"), core=_several),
        Scene("ais", "adopt", _adopt, core=_several),
    ]


# Cores


def _several() -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment("Rowan", "smollm2-135m"), deployment("Hazel")])
    core.practice_network.running = True
    core.all_models.append(ScriptedModel("smollm2-135m", "SmolLM2 135M", 148_000_000, 2048, "int8"))
    core.all_deployments.append(deployment("Birch", "smollm2-135m", DeploymentState.RUNNING))
    core.ais.by_id["rowan-1"] = ScriptedCanister(
        budget=Budget(2 * _T, 120),
        snapshots=[snapshot(1, days_ago=3), snapshot(0, days_ago=40)],
        added=[FRIEND],
        lines=[
            LogLine(0, time.time_ns() - 7200 * 10**9, b"a message was too long and was refused"),
            LogLine(1, time.time_ns() - 60 * 10**9, b"the model was loaded again after an upgrade"),
        ],
    )
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
    stage.draw()  # it looks once it is seen
    stage.settle()


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


def _lower(stage: Stage, look: Appearance) -> None:
    _open_rowan(stage, look)
    stage.shell.ais.ensureWidgetVisible(_detail(stage).controllers)
    stage.draw()


def _lowest(stage: Stage, look: Appearance) -> None:
    _open_rowan(stage, look)
    _detail(stage).log.read.click()
    stage.settle()
    bar = stage.shell.ais.verticalScrollBar()
    bar.setValue(bar.maximum())
    stage.draw()


def _upgrading(stage: Stage, look: Appearance) -> None:
    _open_old(stage, look)
    stage.core.ais.before = lambda name, cancel: stage.hold(cancel) if name == _UPLOADING else None
    _detail(stage).engine.upgrade.click()
    stage.find(Question).accept()
    stage.window.activateWindow()  # which a desktop does by itself
    stage.until(lambda: _detail(stage).step == _UPLOADING)


def _upgrade_failed(stage: Stage, look: Appearance) -> None:
    def fail(name: str, _: Cancel) -> None:
        if name == _UPLOADING:
            raise UpgradeFailedError("the model does not answer.")

    _open_old(stage, look)
    stage.core.ais.before = fail
    _detail(stage).engine.upgrade.click()
    stage.find(Question).accept()
    stage.window.activateWindow()  # which a desktop does by itself
    stage.settle()


def _open_old(stage: Stage, look: Appearance) -> None:
    """Hazel, whose engine is another one."""
    _open(stage, look)
    stage.shell.ais.open_ai(stage.core.all_deployments[1])
    stage.draw()  # it looks once it is seen
    stage.settle()


def _backup_controller(stage: Stage, look: Appearance) -> None:
    stage.core.ais.warning = LINKED
    _open_rowan(stage, look)
    stage.core.vault.new_identity("Walnut")
    _detail(stage).controllers.add.click()
    stage.settle()
    stage.find(AddControllerDialog).who.setCurrentIndex(1)
    stage.settle()


def _press(section: str, button: str) -> Callable[[Stage, Appearance], None]:
    """Opens the dialog of one button."""

    def lead(stage: Stage, look: Appearance) -> None:
        _open_rowan(stage, look)
        getattr(getattr(_detail(stage), section), button).click()
        stage.settle()

    return lead


def _adopt(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.ais.adopt.click()
    stage.settle()


def _detail(stage: Stage) -> AiDetail:
    detail = stage.shell.ais.detail
    assert detail is not None
    return detail
