"""What a front end should tell its owner unasked, as data: how long canisters last, and what was done by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.runway import Level, Runway
from personal_ai.wallet.journal import Payment


class NoticeKind(StrEnum):
    """What happened."""

    RUNWAY_LOW = "runway-low"
    RUNWAY_URGENT = "runway-urgent"
    FROZEN = "frozen"
    TOPPED_UP = "topped-up"
    BUDGET_SPENT = "budget-spent"
    BUDGET_PAUSED = "budget-paused"
    TOP_UP_FAILED = "top-up-failed"
    DEPLOYED = "deployed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. What is not None follows from the kind."""

    kind: NoticeKind
    deployment: Deployment
    days_left: float | None = None
    payment: Payment | None = None
    error: UserFacingError | None = None


_WARNINGS = {
    Level.LOW: NoticeKind.RUNWAY_LOW,
    Level.URGENT: NoticeKind.RUNWAY_URGENT,
    Level.FROZEN: NoticeKind.FROZEN,
}


def deployed(deployment: Deployment) -> Notice:
    """A model was taken into its canister."""
    return Notice(NoticeKind.DEPLOYED, deployment)


class Told:
    """Remembers what was told, so that everything is told once, and a warning again only when it has become worse."""

    def __init__(self) -> None:
        self._levels: dict[str, Level] = {}
        self._troubles: dict[str, str] = {}

    def runway(self, deployment: Deployment, runway: Runway) -> list[Notice]:
        """The warning that is due."""
        level, before = runway.level, self._levels.get(deployment.id, Level.FINE)
        self._levels[deployment.id] = level
        if level.severity <= before.severity:
            return []
        return [Notice(_WARNINGS[level], deployment, days_left=runway.days_left)]

    def trouble(self, kind: NoticeKind, deployment: Deployment, error: UserFacingError) -> list[Notice]:
        """What went wrong in topping it up, unless that is known."""
        before = self._troubles.get(deployment.id)
        self._troubles[deployment.id] = error.what
        return [] if before == error.what else [Notice(kind, deployment, error=error)]

    def well(self, deployment: Deployment, payment: Payment | None) -> list[Notice]:
        """Nothing went wrong; what was paid is told."""
        self._troubles.pop(deployment.id, None)
        return [] if payment is None else [Notice(NoticeKind.TOPPED_UP, deployment, payment=payment)]
