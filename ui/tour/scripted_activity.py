"""Journals of a scripted core: what it deployed and paid, with the steps that its real journals would hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from personal_ai.app.activity import Entry, deployment_entry, payment_entry
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
    """`before` is called before the journals are read: it may raise or wait."""

    deployments: Callable[[], Sequence[Deployment]]
    money: Callable[[], ScriptedMoney]
    before: Callable[[], None] = lambda: None

    def entries(self) -> tuple[Entry, ...]:
        self.before()
        found = [deployment_entry(one, _records(one)) for one in self.deployments()]
        found += [payment_entry(one) for one in self.money().payments]
        return tuple(sorted(found, key=lambda entry: entry.begun_at_ns, reverse=True))

    def go_on(self, payment: Payment, cancel: Cancel) -> Payment:
        money = self.money()
        return money.go_on(money.purses(payment.network)[0], payment, cancel)


def _records(deployment: Deployment) -> list[StepRecord]:
    """All steps done where it is active; elsewhere the upload is begun."""
    active = deployment.state is DeploymentState.ACTIVE
    names = (CREATE, INSTALL, UPLOAD, ACTIVATE) if active else (CREATE, INSTALL, UPLOAD)
    return [
        StepRecord(
            name,
            deployment.created_at_ns + at * _STEP_NS,
            None,
            _PUT_IN_CYCLES if name == CREATE else None,
            None,
            None,
            None,
            done=active or name != UPLOAD,
        )
        for at, name in enumerate(names)
    ]
