"""One state of the window that the tour draws; its file is named page-state-theme."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ui.theme import Appearance
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage


@dataclass(frozen=True, slots=True)
class Scene:
    """`lead` brings a fresh stage to the state."""

    page: str
    state: str
    lead: Callable[[Stage, Appearance], object]
    size: tuple[int, int] | None = None
    core: Callable[[], ScriptedCore] = ScriptedCore
