"""The canister of a deployment: paid for once, and found again whatever came between.

Bought with ICP, it is made by the cycles minting canister, which answers each repeat with the same canister; the wallet
does that (`take`). What follows is about cycles that lie on the cycles ledger.

The cycles ledger answers a repeat with its first result for 24 hours, as long as it comes with the same
`created_at_time`. After that, and wherever a repeat is refused, the ledger's blocks tell whether the first attempt was
paid: it is tried anew only when no earlier attempt can have been taken, or when its cycles came back. The blocks do not
say which canister was made; a directory may, and the network's certificate proves or refutes what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from personal_ai.common.errors import BadInputError, NetworkError, NetworkTimeoutError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments import controllers
from personal_ai.deployments.cycles_needed import SECONDS_PER_DAY
from personal_ai.deployments.journal import Journal, StepRecord
from personal_ai.deployments.plan import FREEZING_THRESHOLD_DAYS
from personal_ai.ic.agent import Agent
from personal_ai.ic.ledger_entries import LedgerEntry
from personal_ai.ic.ledger_refusals import MESSAGES_LIVE_NS, LedgerError, LedgerWindowError
from personal_ai.ic.ledger_types import CREATION_FAILED_MEMO
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import CanisterSettings, Management
from personal_ai.ic.principal import Principal

CREATE = "create"

# Tells which canisters somebody controls, where a network has such a service. What it says is only a hint.
Directory = Callable[[Principal], list[Principal]]


class CanisterUnknownError(NetworkError):
    """A canister was paid for, and nobody tells any more which it is: its owner has to look it up."""


@dataclass(frozen=True, slots=True)
class Creation:
    """The first step of one deployment."""

    journal: Journal
    agent: Agent
    deployment_id: str
    directory: Directory | None = None

    @property
    def begun(self) -> bool:
        """Whether it may have been paid already: then nothing more is to be put on the account for it."""
        return self._known is not None or self.journal.step(self.deployment_id, CREATE) is not None

    @property
    def _known(self) -> str | None:
        return self.journal.deployment(self.deployment_id).canister_id

    def run(self, amount_cycles: int, cancel: Cancel) -> Principal:
        """The canister, which then holds `amount_cycles` less the price of its creation.

        A creation that was begun goes on with its first sum. Raises LedgerError, CanisterUnknownError, NetworkError,
        SecurityError, StorageError, Cancelled.
        """
        step = self.journal.step(self.deployment_id, CREATE)
        if step is not None and step.result is not None:
            return Principal.from_text(step.result)
        if self._known is not None:  # stopped between writing it down and finishing the step
            return self._created(Principal.from_text(self._known), None)
        if step is None:
            return self._attempt(self._intend(amount_cycles), cancel, first=True)
        return self._attempt(step, cancel, first=False)

    def take(self, canister_id: Principal) -> Principal:
        """Uses a canister that is there already: bought with ICP, or begun on another computer.

        Raises BadInputError where the deployment's identity does not control it, NetworkError, SecurityError.
        """
        if self._own not in controllers.read(self.agent, canister_id):
            raise BadInputError(
                f"The identity of this deployment does not control the canister {canister_id}.",
                not_lost="Nothing was changed.",
                next_step="Check the canister's id.",
            )
        self._hold_back(canister_id)
        return self._created(canister_id, None)

    def _hold_back(self, canister_id: Principal) -> None:
        """Gives it the freezing threshold that one made by the cycles ledger gets; a longer one stays."""
        wanted_s, management = FREEZING_THRESHOLD_DAYS * SECONDS_PER_DAY, Management(self.agent)
        if management.canister_status(canister_id).freezing_threshold_s < wanted_s:
            management.update_settings(canister_id, CanisterSettings(freezing_threshold=wanted_s))

    @property
    def _own(self) -> Principal:
        return self.agent.identity.principal

    def _intend(self, amount_cycles: int) -> StepRecord:
        self.journal.intend(
            self.deployment_id, CREATE, created_at_time_ns=self.agent.clock_ns(), amount_cycles=amount_cycles
        )
        step = self.journal.step(self.deployment_id, CREATE)
        assert step is not None
        return step

    def _created(self, canister_id: Principal, block_index: int | None) -> Principal:
        self.journal.set_canister(self.deployment_id, str(canister_id))
        if self.journal.step(self.deployment_id, CREATE) is None:
            self.journal.intend(self.deployment_id, CREATE)
        self.journal.finish(self.deployment_id, CREATE, result=str(canister_id), block_index=block_index)
        return canister_id

    def _attempt(self, step: StepRecord, cancel: Cancel, *, first: bool) -> Principal:
        cancel.raise_if_cancelled()
        assert step.amount_cycles is not None and step.created_at_time_ns is not None
        try:
            created = CyclesLedger(self.agent).create_canister(
                step.amount_cycles,
                created_at_time_ns=step.created_at_time_ns,
                controllers=(self._own,),
                freezing_threshold_s=FREEZING_THRESHOLD_DAYS * SECONDS_PER_DAY,
            )
        except LedgerError as error:
            return self._refused(step, error, cancel, first=first)
        return self._created(created.canister_id, created.block_index)

    def _refused(self, step: StepRecord, error: LedgerError, cancel: Cancel, *, first: bool) -> Principal:
        """After the ledger's no: an earlier attempt may have been taken all the same."""
        assert step.amount_cycles is not None and step.created_at_time_ns is not None
        if error.variant == "TemporarilyUnavailable":
            raise error
        ledger = CyclesLedger(self.agent)
        block = None
        if not first or error.variant == "FailedToCreate":
            block = ledger.find(self._own, step.amount_cycles, step.created_at_time_ns, cancel)
        if block is not None and not ledger.came_back(self._own, step.amount_cycles, block.index, CREATION_FAILED_MEMO):
            return self._looked_up(block, error)
        if block is not None:  # paid and given back: this attempt has ended
            self.journal.drop_step(self.deployment_id, CREATE)
            raise error
        if not _can_no_longer_arrive(step.created_at_time_ns, error):
            raise error
        return self._attempt(self._intend(step.amount_cycles), cancel, first=True)

    def _looked_up(self, block: LedgerEntry, error: LedgerError) -> Principal:
        """The canister that a block has paid for: one that the identity controls and no deployment has."""
        if error.variant in ("Duplicate", "FailedToCreate"):
            raise NetworkTimeoutError(
                "The network is still making the canister.",
                not_lost=f"It is paid for (block {block.index} of the cycles ledger).",
                next_step="Go on with the deployment in a few minutes.",
            )
        taken = {deployment.canister_id for deployment in self.journal.deployments()}
        hinted = [] if self.directory is None else self.directory(self._own)
        found = [
            canister_id
            for canister_id in hinted
            if str(canister_id) not in taken and self._own in controllers.read(self.agent, canister_id)
        ]
        if len(found) != 1:
            raise CanisterUnknownError(
                "The canister was paid for more than a day ago, and the ledger no longer tells which it is.",
                not_lost=f"It is yours, with its cycles (block {block.index} of the cycles ledger).",
                next_step=f"Look up the canisters of {self._own} in a public directory of the network, and go on with "
                "the canister's id.",
            )
        return self._created(found[0], block.index)


def _can_no_longer_arrive(created_at_time_ns: int, error: LedgerError) -> bool:
    """Whether the ledger refuses for ever what was sent with this time, messages that are still on their way included.

    Too old it stays. Too far ahead of the ledger's own clock, all that was sent expires before its time comes.
    """
    if not isinstance(error, LedgerWindowError):
        return False
    return error.too_old or created_at_time_ns > int(error.details["ledger_time"]) + MESSAGES_LIVE_NS
