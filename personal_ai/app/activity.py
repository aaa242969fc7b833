"""Everything that was begun and written down, deployments and payments alike, with how far each step of it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.deployer import ACTIVATE, CREATE, INSTALL, UPLOAD
from personal_ai.deployments.journal import Deployment, DeploymentState, StepRecord
from personal_ai.wallet.journal import Payment, PaymentJournal, State

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

PAY, DELIVER = "pay", "deliver"
_SHOWN_MAX = 500  # of each journal, the newest
_DEPLOYING = (CREATE, INSTALL, UPLOAD, ACTIVATE)


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One deployment or payment, with its steps in the order in which they are taken."""

    subject: Deployment | Payment
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return self.subject.id

    @property
    def begun_at_ns(self) -> int:
        if isinstance(self.subject, Deployment):
            return self.subject.created_at_ns
        return self.subject.created_at_time_ns

    @property
    def open(self) -> bool:
        """Whether it can be gone on with."""
        if isinstance(self.subject, Deployment):
            return self.subject.state is not DeploymentState.ACTIVE
        return self.subject.state.open


class Activity:
    """Reads the journals of a workspace. Raises StorageError, DamagedFileError, UnknownVersionError."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def entries(self) -> tuple[Entry, ...]:
        """The newest first."""
        journal = self._workspace.journal
        found = [
            deployment_entry(one, [step for name in _DEPLOYING if (step := journal.step(one.id, name)) is not None])
            for one in journal.deployments()[:_SHOWN_MAX]
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


def deployment_entry(deployment: Deployment, records: Sequence[StepRecord]) -> Entry:
    """A deployment with what the journal knows of its steps; what is not in `records` is still to come.

    A canister that was adopted was never deployed from here and has no steps.
    """
    known = {record.name: record for record in records}
    failed = deployment.state is DeploymentState.FAILED
    steps = tuple(_deployment_step(name, known.get(name), failed=failed) for name in _DEPLOYING)
    return Entry(deployment, () if deployment.state is DeploymentState.ACTIVE and not known else steps)


def payment_entry(payment: Payment) -> Entry:
    """A payment: onto the ledger, and where it converts, the delivery of the cycles."""
    state, begun = payment.state, payment.created_at_time_ns
    paying = {State.INTENDED: Standing.BEGUN, State.REFUSED: Standing.FAILED, State.NOT_SENT: Standing.FAILED}
    steps = [Step(PAY, paying.get(state, Standing.DONE), begun)]
    if payment.kind.converts:
        delivering = {State.PAID: Standing.BEGUN, State.DONE: Standing.DONE, State.REFUNDED: Standing.FAILED}
        steps.append(Step(DELIVER, delivering.get(state, Standing.TO_COME)))
    return Entry(payment, tuple(steps))


def _deployment_step(name: str, record: StepRecord | None, *, failed: bool) -> Step:
    if record is None:
        return Step(name, Standing.TO_COME)
    begun = Standing.FAILED if failed else Standing.BEGUN
    return Step(name, Standing.DONE if record.done else begun, record.intended_at_ns, record.amount_cycles)
