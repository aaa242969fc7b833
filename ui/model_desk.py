"""What the models page does, off the window's thread: each thing is an operation of the bridge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from ui.bridge import Lane, Operation, Task
from ui.core_models import ModelRoom
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.app.model_room import Listing, Offer
    from personal_ai.app.workspace import ModelSummary
    from personal_ai.deployments.fit import Fit
    from personal_ai.models.catalogue import Entry
    from personal_ai.models.quantisation import Quantisation

T = TypeVar("T")


class ModelDesk(QObject):
    """`listed` carries the listing to show, whenever it may have changed. One import at a time is under way."""

    listed = Signal(object)

    def __init__(self, profile: Profile, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile

    def refresh(self) -> Operation[Listing]:
        return self._profile.bridge.run(lambda _: self._room.listing()).on_success(self.listed.emit)

    def catalogue(self) -> Operation[Sequence[Entry]]:
        return self._profile.bridge.run(lambda _: self._room.catalogue())

    # Bringing models in

    def look_up(self, wanted: str) -> Operation[Offer]:
        return self._advise(lambda task: self._room.look_up(wanted, on_progress=task.tell, cancel=task.cancel))

    def fetch(self, wanted: str, quantisation: Quantisation) -> Operation[ModelSummary]:
        return self._bring(
            lambda task: self._room.fetch(wanted, quantisation, on_progress=task.tell, cancel=task.cancel)
        )

    def take(self, source: Path, quantisation: Quantisation) -> Operation[ModelSummary]:
        return self._bring(
            lambda task: self._room.take(source, quantisation, on_progress=task.tell, cancel=task.cancel)
        )

    def discard(self, model_id: str) -> Operation[None]:
        return self._change(lambda: self._room.discard(model_id))

    def keep_token(self, token: str | None) -> Operation[None]:
        return self._change(lambda: self._room.keep_token(token))

    # The models that there are

    def fit(self, name: str) -> Operation[Sequence[Fit]]:
        return self._advise(lambda task: self._room.fit(name, on_progress=task.tell, cancel=task.cancel))

    def perplexity(self, name: str) -> Operation[float]:
        return self._advise(lambda task: self._room.perplexity(name, on_progress=task.tell, cancel=task.cancel))

    def verify(self, name: str) -> Operation[None]:
        return self._advise(lambda task: self._room.verify(name, on_progress=task.tell, cancel=task.cancel))

    def remove(self, name: str) -> Operation[None]:
        return self._change(lambda: self._room.remove(name))

    def restore(self, name: str) -> Operation[None]:
        return self._change(lambda: self._room.restore(name))

    @property
    def _room(self) -> ModelRoom:
        return self._profile.core.model_room

    def _advise(self, work: Callable[[Task], T]) -> Operation[T]:
        return self._profile.bridge.run(work, lane=Lane.ADVICE)

    def _bring(self, work: Callable[[Task], T]) -> Operation[T]:
        return self._profile.bridge.run(work, lane=Lane.IMPORT)

    def _change(self, work: Callable[[], T]) -> Operation[T]:
        operation = self._profile.bridge.run(lambda _: work())
        self.refresh()
        self._profile.refresh()
        return operation
