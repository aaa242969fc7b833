"""Journals of a scripted core: what it deployed and paid, with the steps that its real journals would hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from personal_ai.app.activity import Entry, deployment_entries, payment_entry
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.deployer import ACTIVATE, CREATE, INSTALL, UPLOAD
from personal_ai.deployments.journal import Deployment, DeploymentState, StepRecord
from personal_ai.wallet.journal import Payment

if TYPE_CHECKING:
    from ui.tour.scripted_wallet import ScriptedMoney

_STEP_NS = 4 * 10**9
_PUT_IN_CYCLES = 1_640_000_000_000


@dataclass
class ScriptedActivity:
    """`before` is called before the journals are read: it may raise or wait.

    later: steps that were taken after a deployment was done, by its id and their names.
    """

    deployments: Callable[[], Sequence[Deployment]]
    money: Callable[[], ScriptedMoney]
    before: Callable[[], None] = lambda: None
    later: dict[str, dict[str, StepRecord]] = field(default_factory=dict)

    def entries(self) -> tuple[Entry, ...]:
        self.before()
        found = [
            entry
            for one in self.deployments()
            for entry in deployment_entries(one, {**_records(one), **self.later.get(one.id, {})})
        ]
        found += [payment_entry(one) for one in self.money().payments]
        return tuple(sorted(found, key=lambda entry: entry.begun_at_ns, reverse=True))

    def go_on(self, payment: Payment, cancel: Cancel) -> Payment:
        money = self.money()
        return money.go_on(money.purses(payment.network)[0], payment, cancel)


def record(
    name: str, at_ns: int, *, done: bool = True, result: str | None = None, amount_cycles: int | None = None
) -> StepRecord:
    """A step as the journal gives it."""
    return StepRecord(name, at_ns, None, amount_cycles, None, None, result, done)


def _records(deployment: Deployment) -> dict[str, StepRecord]:
    """All steps done where it is active; elsewhere the upload is begun."""
    active = deployment.state is DeploymentState.ACTIVE
    names = (CREATE, INSTALL, UPLOAD, ACTIVATE) if active else (CREATE, INSTALL, UPLOAD)
    return {
        name: record(
            name,
            deployment.created_at_ns + at * _STEP_NS,
            done=active or name != UPLOAD,
            amount_cycles=_PUT_IN_CYCLES if name == CREATE else None,
        )
        for at, name in enumerate(names)
    }
