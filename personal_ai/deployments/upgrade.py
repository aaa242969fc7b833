"""Another engine for a canister that has a model: kept before, asked afterwards, and put back where it does not answer.

Killed anywhere, the same call goes on where the journal stands: a snapshot that was asked for and not written down is
found by its time, the module hash tells whether the engine is there, and a failure that was seen is rolled back first.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import (
    CanisterRefusedError,
    CanisterStoppedError,
    FormatError,
    OutOfCyclesError,
    RejectedError,
    UserFacingError,
)
from personal_ai.common.jobs import Cancel, Meter, Progress, ProgressCallback
from personal_ai.deployments import cycles_needed, snapshots
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.engine import Installation
from personal_ai.deployments.journal import Journal
from personal_ai.ic.management import InstallMode

UPGRADE, SNAPSHOT, INSTALL = "upgrade", "upgrade-snapshot", "upgrade-install"
CHECK, ROLL_BACK = "upgrade-check", "upgrade-roll-back"
_STANDSTILL_S = 600.0
_CANISTER_SAID_NO = (4, 5)  # reject codes: the program refused or failed; others are the network's, and pass

Question = Callable[[CanisterClient, Cancel], None]


class UpgradeFailedError(UserFacingError):
    """The new engine did not answer, and the old one is back with everything it had."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The new engine did not answer: {why}",
            not_lost="The engine and the model from before are back.",
            next_step="Go on using the canister as it is; report this.",
        )


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Takes a canister to the engine `wasm`. question: raises unless the model answers."""

    journal: Journal
    canister: OwnCanister
    wasm: bytes
    question: Question

    def run(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> bool:
        """False where the canister runs this engine already. Raises UpgradeFailedError after putting the old one back,
        TooFewCyclesError before anything is begun; Cancelled and NetworkError leave it to be gone on with.
        """
        unfinished = self.journal.step(deployment_id, UPGRADE)
        if unfinished is None or unfinished.done:
            if self.canister.agent.module_hash(self.canister.id) == hashlib.sha256(self.wasm).digest():
                return False
            self._require_cycles()
            self.journal.drop_steps(deployment_id, UPGRADE, SNAPSHOT, INSTALL, CHECK, ROLL_BACK)
            self.journal.intend(deployment_id, UPGRADE)
        kept = self._keep(deployment_id, on_progress)
        failure = self._failure(deployment_id, on_progress, cancel)
        if failure:
            self._roll_back(deployment_id, kept, on_progress, cancel)
        if kept in [one.id for one in snapshots.kept(self.canister)]:
            self.canister.management.delete_snapshot(self.canister.id, kept)
        self.journal.finish(deployment_id, UPGRADE, result=failure)
        if failure:
            raise UpgradeFailedError(failure)
        return True

    def _require_cycles(self) -> None:
        """The snapshot, the installation, and the snapshot loaded again if it must be."""
        status, profile = self.canister.status(), self.canister.agent.profile
        snapshots_twice = 2 * cycles_needed.snapshot_cycles(profile, status)
        needed = snapshots_twice + cycles_needed.install_cycles(profile, len(self.wasm))
        cycles_needed.require(status, needed, "change its engine safely")

    def _keep(self, deployment_id: str, on_progress: ProgressCallback) -> bytes:
        """The id of a snapshot of the state before; that of an attempt that was interrupted where there is one."""
        meter = Meter("Keeping the state of before", 1, "step", on_progress)
        step = self.journal.step(deployment_id, SNAPSHOT)
        if step is None:
            self.journal.intend(deployment_id, SNAPSHOT)
            step = self.journal.step(deployment_id, SNAPSHOT)
        assert step is not None
        if step.done:
            kept = bytes.fromhex(step.result or "")
        else:
            since = [one for one in snapshots.kept(self.canister) if one.taken_at_ns >= step.intended_at_ns]
            kept = (since[0] if since else snapshots.take(self.canister)).id
            self.journal.finish(deployment_id, SNAPSHOT, result=kept.hex())
        meter.advance()
        return kept

    def _failure(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> str:
        """Why the new engine is not to be kept; empty where the model answered."""
        check = self.journal.step(deployment_id, CHECK)
        if check is not None and check.done:
            return check.result or ""
        failure = ""
        try:
            installation = Installation(self.journal, deployment_id, INSTALL, InstallMode.UPGRADE, self.wasm)
            installation.run(self.canister, on_progress)
            client = self.canister.client
            client.activate(on_progress=impatient(on_progress), cancel=cancel)
            self.question(client, cancel)
        except (CanisterRefusedError, RejectedError, FormatError) as error:
            if not _engines_fault(error):
                raise
            failure = error.what
        self.journal.intend(deployment_id, CHECK)
        self.journal.finish(deployment_id, CHECK, result=failure)
        return failure

    def _roll_back(self, deployment_id: str, kept: bytes, on_progress: ProgressCallback, cancel: Cancel) -> None:
        step = self.journal.step(deployment_id, ROLL_BACK)
        if step is not None and step.done:
            return
        self.journal.intend(deployment_id, ROLL_BACK)
        meter = Meter("Putting the old engine back", 1, "step", on_progress)
        self.canister.management.load_snapshot(self.canister.id, kept)
        self.canister.client.activate(on_progress=on_progress, cancel=cancel)
        module_hash = self.canister.agent.module_hash(self.canister.id)
        assert module_hash is not None
        self.journal.set_module_hash(deployment_id, module_hash.hex())
        self.journal.finish(deployment_id, ROLL_BACK)
        meter.advance()


def impatient(on_progress: ProgressCallback, clock: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Hands progress on; raises CanisterRefusedError once it has stood still for ten minutes."""
    furthest, moved_s = -1, clock()

    def report(progress: Progress) -> None:
        nonlocal furthest, moved_s
        if progress.done != furthest:
            furthest, moved_s = progress.done, clock()
        elif clock() - moved_s > _STANDSTILL_S:
            raise CanisterRefusedError("It does not get on with loading the model.", variant="standstill")
        on_progress(progress)

    return report


def _engines_fault(error: UserFacingError) -> bool:
    """Whether the engine itself failed; a crowded network or an empty account is no reason to go back."""
    if isinstance(error, OutOfCyclesError | CanisterStoppedError):
        return False
    return not isinstance(error, RejectedError) or error.reject_code in _CANISTER_SAID_NO
