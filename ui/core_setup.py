"""What setting an AI up asks of the core: the part of `personal_ai.app.setup.Setup` that the window uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from personal_ai.common.jobs import Cancel
from personal_ai.deployments.journal import Deployment

if TYPE_CHECKING:
    from personal_ai.app.setup import Bill, Choices


class Setup(Protocol):
    """Step by step; each is kept."""

    def choices(self) -> Choices | None: ...
    def choose(self, choices: Choices) -> Choices: ...
    def words_due(self) -> tuple[int, ...]: ...
    def bill(self, cancel: Cancel) -> Bill: ...
    def agree(self, bill: Bill, cancel: Cancel) -> Deployment: ...
    def drop(self) -> None: ...
