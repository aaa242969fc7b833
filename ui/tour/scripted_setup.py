"""Setting up that plays a script: the choices in memory, the real bill of the starter model, and an account to fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from personal_ai.app.setup import Bill, Choices, Step
from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.fit import Fit, candidate_of, fit
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.deployments.plan import Plan, contents_of, plan
from personal_ai.deployments.prepayment import Needs
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.profile import IC
from personal_ai.identities.linking import LinkWarning
from personal_ai.models.library import starter
from personal_ai.models.speed import Speed
from personal_ai.wallet.journal import Kind
from personal_ai.wallet.wallet import Preview
from ui.tour.scripted_wallet import OWN

if TYPE_CHECKING:
    from ui.tour.scripted import ScriptedCore

_CYCLES_PER_E8S = 35_000


class ScriptedSetup:
    """before: called with the name of each call that takes long, and its cancel token."""

    def __init__(self, core: ScriptedCore) -> None:
        self._core = core
        self.chosen: Choices | None = None
        self.due: tuple[int, ...] = ()
        self.available = 0
        self.icp_e8s = 0
        self.warnings: tuple[LinkWarning, ...] = ()
        self.before: Callable[[str, Cancel], None] = lambda _, __: None
        self.agreed: list[Bill] = []

    def choices(self) -> Choices | None:
        return self.chosen

    def choose(self, choices: Choices) -> Choices:
        self.chosen = choices
        return choices

    def words_due(self) -> tuple[int, ...]:
        return self.due

    def bill(self, cancel: Cancel) -> Bill:
        self.before("bill", cancel)
        if self.chosen is None or self.chosen.step is not Step.COST:
            raise Cancelled
        bill = Bill(starter_plan(), _starter_fit())
        if self.chosen.network == "practice":
            return replace(bill, warnings=self.warnings if self.chosen.identity else ())
        needs = Needs(bill.plan.total + 100_000_000, self.available)
        return replace(
            bill,
            needs=needs,
            account=str(AccountIdentifier.of(OWN)),
            principal=str(OWN),
            conversion=self._conversion(needs.lacking) if needs.lacking else None,
            warnings=self.warnings,
        )

    def _conversion(self, cycles: int) -> Preview:
        return Preview(Kind.CONVERT, str(OWN), cycles // _CYCLES_PER_E8S, 10_000, self.icp_e8s, cycles)

    def agree(self, bill: Bill, cancel: Cancel) -> Deployment:
        self.before("agree", cancel)
        assert self.chosen is not None
        self.agreed.append(bill)
        begun = self._core.begin(self.chosen.model or "", self.chosen.network or "", DeploymentState.RUNNING)
        self.chosen = None
        return begun

    def drop(self) -> None:
        self.chosen = None


@cache
def starter_plan() -> Plan:
    return plan(IC, contents_of(starter()))


@cache
def _starter_fit() -> Fit:
    speed = Speed({"int8": 10e9, "int4": 15e9})
    return fit(candidate_of(starter()), "int8", IC, speed=speed, memory_bytes=16 << 30)
