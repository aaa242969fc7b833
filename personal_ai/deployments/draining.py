"""Getting a canister's cycles out before it is deleted: onto its owner's own account of the cycles ledger.

The network gives nobody a canister's cycles from outside; only a program in the canister can send them off. So a
module that does nothing else takes the engine's place. What its last message must have put aside stays behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.common.paths import resource
from personal_ai.deployments import cycles_needed
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.journal import Journal
from personal_ai.ic import candid
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE, DEPOSIT_ARGS
from personal_ai.ic.management import CanisterSettings, CanisterStatus, InstallMode, RunState
from personal_ai.ic.profile import NetworkProfile

DRAIN = "drain"  # its step in the journal, with the freezing threshold that the canister had, in seconds
DRAIN_WASM = "drain.wasm"
_METHOD = "drain"
_AMOUNT_BYTES = 16
_RESPONSE_MOST_BYTES = 2 << 20  # whose price the network puts aside with each call


def recoverable(profile: NetworkProfile, status: CanisterStatus) -> int:
    """About how many cycles `drain` would bring onto the account; 0 where too few are there to try."""
    installing = cycles_needed.install_cycles(profile, resource(DRAIN_WASM).stat().st_size)
    if status.cycles < installing:
        return 0
    return max(status.cycles - _left_behind(profile) - CYCLES_LEDGER_FEE, 0)


def drain(
    canister: OwnCanister, journal: Journal, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel
) -> int:
    """Replaces the engine, its model with it, and sends the cycles to the agent's identity; gives how many arrive.

    Interrupted anywhere, the same call goes on; until then the canister keeps its freezing threshold, unless the
    process was killed: then the next call that is given up gives it back. Raises RejectedError, NetworkError,
    StorageError, Cancelled.
    """
    profile, status = canister.agent.profile, canister.status()
    if not recoverable(profile, status):
        return 0
    meter = Meter("Getting its cycles back", 3, "steps", on_progress)
    if status.state is not RunState.RUNNING:
        canister.start()
    threshold_s = status.freezing_threshold_s or threshold_before(journal, deployment_id)
    journal.intend(deployment_id, DRAIN, result=str(threshold_s))
    with _nothing_held_back(canister, threshold_s):
        meter.advance()
        cancel.raise_if_cancelled()
        if not begun(status):
            wasm = resource(DRAIN_WASM).read_bytes()
            canister.management.install_code(canister.id, InstallMode.REINSTALL, wasm, cancel=cancel)
        meter.advance()
        cancel.raise_if_cancelled()
        owner = {"owner": canister.agent.identity.principal, "subaccount": None}
        argument = candid.encode([DEPOSIT_ARGS], [{"to": owner, "memo": None}])
        kept = _call_reserve(profile).to_bytes(_AMOUNT_BYTES, "little")
        sent = int.from_bytes(canister.agent.update(canister.id, _METHOD, kept + argument, cancel=cancel), "little")
    meter.advance()
    return max(sent - CYCLES_LEDGER_FEE, 0)


def threshold_before(journal: Journal, deployment_id: str) -> int:
    """The freezing threshold that the canister had when `drain` was begun, in seconds; 0 where that is not known."""
    step = journal.step(deployment_id, DRAIN)
    return int(step.result or 0) if step is not None else 0


def begun(status: CanisterStatus) -> bool:
    """Whether the engine is gone already and the cycles are on their way out."""
    return status.module_hash == _module_hash()


@cache
def _module_hash() -> bytes:
    return hashlib.sha256(resource(DRAIN_WASM).read_bytes()).digest()


@contextmanager
def _nothing_held_back(canister: OwnCanister, threshold_s: int) -> Iterator[None]:
    """No cycles are held back for later rent within; where that goes wrong, as many as before are again.

    As far as the network can be reached then: a canister whose threshold is left at 0 runs until it has no cycles.
    """
    canister.change(CanisterSettings(freezing_threshold=0))
    try:
        yield
    except (UserFacingError, Cancelled):
        with suppress(UserFacingError):
            canister.change(CanisterSettings(freezing_threshold=threshold_s))
        raise


def _call_reserve(profile: NetworkProfile) -> int:
    """What the network wants to be there when a call is sent: for its longest answer and for handling that."""
    costs = profile.costs
    carried = costs.call_base + costs.call_per_byte * 2 * _RESPONSE_MOST_BYTES
    return costs.on_subnet(carried + 2 * costs.update_base + costs.per_instruction * profile.limits.update_instructions)


def _left_behind(profile: NetworkProfile) -> int:
    """The reserve of the call, and what is put aside for the message that makes it: both come back too late."""
    costs = profile.costs
    message = costs.ingress_base + costs.update_base + costs.per_instruction * profile.limits.update_instructions
    return _call_reserve(profile) + costs.on_subnet(message)
