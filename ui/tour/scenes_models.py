"""The states of the models page."""

from __future__ import annotations

from personal_ai.common.errors import DamagedFileError, StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models.hub.errors import HubAccessError
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore
from ui.tour.scripted_models import EMBEDDER, SMOL, SMOL_ID, STARTER, ScriptedModels
from ui.tour.stage import Stage
from ui.widgets.rail import Page


def model_scenes() -> list[Scene]:
    return [
        Scene("models", "empty", _open),
        Scene("models", "filled", _filled, core=_several),
        Scene("models", "catalogue", _catalogue),
        Scene("models", "offer", _offer),
        Scene("models", "fetching", _fetching, core=_several),
        Scene("models", "error", _error),
        Scene("models", "fetch-error", _fetch_error),
        Scene("models", "drive-away", _open, core=_away),
        Scene("models", "removed", _removed, core=_several),
        Scene("models", "narrow", _open, (640, 760), _several),
    ]


def _several() -> ScriptedCore:
    damaged = DamagedFileError("The file model.onnx.data of the model qwen2.5-0.5b is damaged or missing.")
    return ScriptedCore(
        model_room=ScriptedModels(
            listed=[STARTER, SMOL, EMBEDDER], damaged={"qwen2.5-0.5b": damaged}, unfinished=["google/gemma-3-270m-it"]
        )
    )


def _away() -> ScriptedCore:
    away = StorageError(
        "Your models were moved to /media/rowan/models, and they are not there now.",
        not_lost="The models on that drive are not touched. The starter model is on this computer.",
        next_step="Connect the drive, then try again.",
    )
    return ScriptedCore(model_room=ScriptedModels(away=away))


def _open(stage: Stage, look: Appearance) -> None:
    stage.enter(look).shell.show_page(Page.MODELS)
    stage.settle()


def _filled(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.models.card(SMOL.name).fit_wanted.emit()
    stage.settle()
    stage.shell.models.ensureWidgetVisible(stage.shell.models.card(SMOL.name))


def _catalogue(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.models.bring.catalogue_wanted.emit()
    stage.shell.models.bring.ask_for_token()
    stage.settle()


def _offer(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.models.look_up(SMOL_ID)
    stage.settle()


def _fetching(stage: Stage, look: Appearance) -> None:
    stage.core.model_room.before_step = lambda _, cancel: stage.hold(cancel)
    _open(stage, look)
    stage.shell.models.fetch(SMOL_ID, "int8")
    stage.until(lambda: stage.shell.models.work is not None and bool(stage.shell.models.work.step))


def _error(stage: Stage, look: Appearance) -> None:
    def refuse(_: str, __: Cancel) -> None:
        raise HubAccessError(
            "The model is gated: its makers want you to accept their terms first.",
            next_step="Accept them on its page at huggingface.co, then give an access token that may read it.",
        )

    stage.core.model_room.before_look_up = refuse
    _open(stage, look)
    stage.shell.models.look_up("google/gemma-3-270m-it")
    stage.settle()


def _fetch_error(stage: Stage, look: Appearance) -> None:
    def fail(_: Progress, __: Cancel) -> None:
        raise StorageError(
            "Could not save model.safetensors: the disk is full.",
            not_lost="What was fetched is kept.",
            next_step="Make room, then try again to go on.",
        )

    stage.core.model_room.before_step = fail
    _open(stage, look)
    stage.shell.models.fetch(SMOL_ID, "int4")
    stage.settle()


def _removed(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.models.remove(SMOL.name)
    stage.settle()
