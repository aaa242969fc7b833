"""What keeps a model from running in a canister."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from personal_ai.common.errors import UnsupportedModelError

_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason: the ONNX operator, the node's name ("" for the model as a whole) and why it cannot be carried."""

    operator: str
    node: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.operator} ({self.node})" if self.node else self.operator
        return f"{place}: {self.reason}"


class ModelObstaclesError(UnsupportedModelError):
    """The model cannot run in a canister; `obstacles` has every reason that was found."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        shown = tuple(str(obstacle) for obstacle in obstacles[:_SHOWN_MAX])
        if len(obstacles) > _SHOWN_MAX:
            shown += (f"and {len(obstacles) - _SHOWN_MAX} more",)
        super().__init__(
            "This model cannot run in a canister.",
            shown,
            next_step="Import it again from its original checkpoint, or choose another model.",
        )
        self.obstacles = tuple(obstacles)


class NodeRefused(Exception):
    """Raised by whatever cannot carry the node at hand; never leaves the compiler, where it becomes an Obstacle."""
