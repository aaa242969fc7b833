"""The activity page in its states."""

from __future__ import annotations

from dataclasses import replace

from personal_ai.common.errors import DamagedFileError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.journal import DeploymentState
from personal_ai.deployments.replacement import REPLACE
from personal_ai.deployments.upgrade import CHECK, ROLL_BACK, SNAPSHOT, UPGRADE
from personal_ai.deployments.upgrade import INSTALL as UPGRADE_INSTALL
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.scripted_activity import record
from ui.tour.scripted_wallet import filled_money
from ui.tour.stage import Stage
from ui.widgets.activity_card import ActivityCard
from ui.widgets.rail import Page

_NARROW = (640, 760)


def activity_scenes() -> list[Scene]:
    return [
        Scene("activity", "empty", _open),
        Scene("activity", "busy", _busy, core=_much),
        Scene("activity", "under-way", _under_way, core=_paid),
        Scene("activity", "error", _error, core=_much),
        Scene("activity", "filled", _open, core=_much),
        Scene("activity", "details", _details, core=_much),
        Scene("activity", "changes", _changes, core=_much),
        Scene("activity", "narrow", _details, _NARROW, _much),
    ]


def _paid() -> ScriptedCore:
    core = ScriptedCore()
    core.practice_network.running = True
    core.money = filled_money()
    return core


def _much() -> ScriptedCore:
    core = _paid()
    failed = replace(
        deployment("Hazel", state=DeploymentState.FAILED),
        failure="Could not write the deployment journal: the disk is full.",
    )
    core.all_deployments += [
        deployment("Birch", "smollm2-135m", DeploymentState.RUNNING),
        failed,
        deployment("Rowan"),
    ]
    rowan = core.all_deployments[-1]
    began_ns = rowan.created_at_ns - 3600 * 10**9
    core.activity.later[rowan.id] = {
        UPGRADE: record(UPGRADE, began_ns, result="It does not get on with loading the model."),
        **{name: record(name, began_ns) for name in (SNAPSHOT, UPGRADE_INSTALL, CHECK, ROLL_BACK)},
        REPLACE: record(REPLACE, rowan.created_at_ns + 60 * 10**9, done=False, result="smollm2-135m"),
    }
    return core


def _open(stage: Stage, look: Appearance) -> None:
    stage.enter(look).shell.show_page(Page.ACTIVITY)
    stage.settle()


def _busy(stage: Stage, look: Appearance) -> None:
    stage.core.activity.before = lambda: stage.hold(Cancel())
    stage.enter(look).shell.show_page(Page.ACTIVITY)
    stage.draw()


def _under_way(stage: Stage, look: Appearance) -> None:
    stage.hold_step("Uploading the weights")
    stage.enter(look).shell.ais.deploy()
    stage.until(lambda: stage.shell.ais.step == "Uploading the weights")
    stage.shell.show_page(Page.ACTIVITY)
    log = stage.shell.activity.log
    stage.until(lambda: log.entries is not None)
    stage.draw()


def _error(stage: Stage, look: Appearance) -> None:
    def fail() -> None:
        raise DamagedFileError(
            "The journal of payments is damaged.",
            not_lost="Your money is on the network, untouched.",
            next_step="Restore it from a backup.",
        )

    stage.core.activity.before = fail
    _open(stage, look)


def _details(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    for card in stage.shell.activity.findChildren(ActivityCard)[:3]:
        card.fold.click()
    stage.draw()


def _changes(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    for card in stage.shell.activity.findChildren(ActivityCard):
        if "Put" in card.accessibleName() or "Upgrade" in card.accessibleName():
            card.fold.click()
            stage.shell.activity.ensureWidgetVisible(card)
    stage.draw()
