"""A trial that plays a script: the deployment's steps, and a vault that is one only until it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments.journal import Deployment

if TYPE_CHECKING:
    from ui.tour.scripted import ScriptedCore


class ScriptedTrial:
    def __init__(self, core: ScriptedCore) -> None:
        self._core = core
        self._begun = False
        self.thrown_away = False

    @property
    def under_way(self) -> bool:
        return self._begun and self._core.door.on_trial

    def begin(self, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        if not self._begun:
            self._core.begin_trial()
            self._begun = True
        begun = next(iter(self._core.all_deployments), None)
        return self._core.deploy("starter", resume=begun.id if begun else None, on_progress=on_progress, cancel=cancel)

    def throw_away(self) -> None:
        self._core.end_trial()
        self._begun = False
        self.thrown_away = True
