"""Everything that was begun and written down, with how far each step of it is: deployments, what was changed in them
afterwards, and payments."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.deployer import ACTIVATE, CREATE, INSTALL, UPLOAD
from personal_ai.deployments.journal import Deployment, DeploymentState, StepRecord
from personal_ai.deployments.replacement import REPLACE
from personal_ai.deployments.upgrade import CHECK, ROLL_BACK, SNAPSHOT, UPGRADE
from personal_ai.deployments.upgrade import INSTALL as UPGRADE_INSTALL
from personal_ai.wallet.journal import Payment, PaymentJournal, State

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

PAY, DELIVER = "pay", "deliver"
_SHOWN_MAX = 500  # of each journal, the newest
_DEPLOYING = (CREATE, INSTALL, UPLOAD, ACTIVATE)
_UPGRADING = (SNAPSHOT, UPGRADE_INSTALL, CHECK, ROLL_BACK)


class Standing(StrEnum):
    """How far a step is."""

    TO_COME = "to-come"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. begun_at_ns: when it was written down; amount_cycles: what was put aside for it."""

    name: str
    standing: Standing
    begun_at_ns: int | None = None
    amount_cycles: int | None = None


class Undertaking(StrEnum):
    """What was begun."""

    PAYMENT = "payment"
    DEPLOYMENT = "deployment"
    UPGRADE = "upgrade"  # of a deployment's engine
    REPLACEMENT = "replacement"  # of its model


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was begun, with its steps in the order in which they are taken.

    open: it can be gone on with. failed, failure: it ended without what was wanted, and why if that is known.
    model: of a replacement, the new one.
    """

    undertaking: Undertaking
    subject: Deployment | Payment
    begun_at_ns: int
    steps: tuple[Step, ...]
    open: bool
    failed: bool = False
    failure: str = ""
    model: str = ""

    @property
    def id(self) -> str:
        if self.undertaking in (Undertaking.PAYMENT, Undertaking.DEPLOYMENT):
            return self.subject.id
        return f"{self.subject.id}/{self.undertaking}"


class Activity:
    """Reads the journals of a workspace. Raises StorageError, DamagedFileError, UnknownVersionError."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def entries(self) -> tuple[Entry, ...]:
        """The newest first."""
        journal = self._workspace.journal
        found = [
            entry
            for one in journal.deployments()[:_SHOWN_MAX]
            for entry in deployment_entries(one, journal.steps(one.id))
        ]
        with closing(PaymentJournal(self._workspace.paths.payments)) as payments:
            found += [payment_entry(one) for one in payments.newest(_SHOWN_MAX)]
        return tuple(sorted(found, key=lambda entry: entry.begun_at_ns, reverse=True))

    def go_on(self, payment: Payment, cancel: Cancel) -> Payment:
        """Finishes an interrupted payment, as the identity that began it."""
        money = self._workspace.money
        purse = next((one for one in money.purses(payment.network) if one.principal == payment.principal), None)
        if purse is None:
            raise BadInputError(
                "The identity that began this payment is not in the vault.",
                not_lost="Nothing is paid twice.",
                next_step="Bring the identity back, then go on.",
            )
        return money.go_on(purse, payment, cancel)


def deployment_entries(deployment: Deployment, records: Mapping[str, StepRecord]) -> list[Entry]:
    """A deployment, then what was changed in it later, by what the journal knows; what it does not is still to come."""
    changed = [_upgrade(deployment, records), _replacement(deployment, records)]
    later = [entry for entry in changed if entry is not None]
    replacing = any(entry.open for entry in later if entry.undertaking is Undertaking.REPLACEMENT)
    return [_deployment(deployment, records, replacing=replacing), *later]


def _deployment(deployment: Deployment, records: Mapping[str, StepRecord], *, replacing: bool) -> Entry:
    """replacing: it is active no longer, or not yet again, for another model that is being put in.

    A canister that was adopted was never deployed from here and has no steps.
    """
    unfinished = deployment.state is not DeploymentState.ACTIVE and not replacing
    failed = unfinished and deployment.state is DeploymentState.FAILED
    known = {name: records[name] for name in _DEPLOYING if name in records}
    steps = tuple(_step(name, known.get(name), failed=failed, over=replacing) for name in _DEPLOYING)
    return Entry(
        Undertaking.DEPLOYMENT,
        deployment,
        deployment.created_at_ns,
        steps if known or unfinished else (),
        unfinished,
        failed,
        (deployment.failure or "") if failed else "",
    )


def _upgrade(deployment: Deployment, records: Mapping[str, StepRecord]) -> Entry | None:
    whole = records.get(UPGRADE)
    if whole is None:
        return None
    failure = (whole.result or "") if whole.done else ""
    names = [name for name in _UPGRADING if name != ROLL_BACK or name in records]
    steps = tuple(
        _step(name, records.get(name), failed=False, refused=name == CHECK and bool(failure)) for name in names
    )
    return Entry(Undertaking.UPGRADE, deployment, whole.intended_at_ns, steps, not whole.done, bool(failure), failure)


def _replacement(deployment: Deployment, records: Mapping[str, StepRecord]) -> Entry | None:
    """Its switch is the deployment's own last step, taken again."""
    whole = records.get(REPLACE)
    if whole is None:
        return None
    switch = records.get(ACTIVATE)
    switching = switch is not None and switch.intended_at_ns >= whole.intended_at_ns
    failed = not whole.done and deployment.state is DeploymentState.FAILED
    steps = (
        _step(REPLACE, whole, failed=False, over=whole.done or switching),
        _step(ACTIVATE, switch if switching else None, failed=failed),
    )
    failure = (deployment.failure or "") if failed else ""
    return Entry(
        Undertaking.REPLACEMENT,
        deployment,
        whole.intended_at_ns,
        steps,
        not whole.done,
        failed,
        failure,
        whole.result or "",
    )


def payment_entry(payment: Payment) -> Entry:
    """A payment: onto the ledger, and where it converts, the delivery of the cycles."""
    state, begun = payment.state, payment.created_at_time_ns
    paying = {State.INTENDED: Standing.BEGUN, State.REFUSED: Standing.FAILED, State.NOT_SENT: Standing.FAILED}
    steps = [Step(PAY, paying.get(state, Standing.DONE), begun)]
    if payment.kind.converts:
        delivering = {State.PAID: Standing.BEGUN, State.DONE: Standing.DONE, State.REFUNDED: Standing.FAILED}
        steps.append(Step(DELIVER, delivering.get(state, Standing.TO_COME)))
    failed = state in (State.REFUSED, State.NOT_SENT)
    return Entry(Undertaking.PAYMENT, payment, begun, tuple(steps), state.open, failed, payment.said or "")


def _step(name: str, record: StepRecord | None, *, failed: bool, over: bool = False, refused: bool = False) -> Step:
    """failed: where it is unfinished, an error is why. over: it is done whatever is written. refused: done, in vain."""
    if record is None:
        return Step(name, Standing.TO_COME)
    begun = Standing.FAILED if failed else Standing.BEGUN
    ended = Standing.FAILED if refused else Standing.DONE
    return Step(name, ended if record.done or over else begun, record.intended_at_ns, record.amount_cycles)
