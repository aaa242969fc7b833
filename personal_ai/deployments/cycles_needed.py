"""Whether a canister has the cycles for what is about to be done, asked before it is begun.

The network wants the price of a message's whole limit to be there above the freezing limit, and gives back what was
not used. What would run out half way is refused here, with the number that is missing.
"""

from __future__ import annotations

from personal_ai.common.errors import UserFacingError
from personal_ai.ic.management import CanisterStatus
from personal_ai.ic.profile import NetworkProfile

_GIB = 1 << 30
SECONDS_PER_DAY = 86_400
# Of the interface specification: instructions to take or load a snapshot, besides one for each of its bytes.
_SNAPSHOT_INSTRUCTIONS = 2_000_000_000
_PIECE_INSTRUCTIONS = 2_000_000  # to read or write a piece of one, likewise


class TooFewCyclesError(UserFacingError):
    """The canister lacks `missing_cycles` for what was asked; nothing was begun."""

    def __init__(self, doing: str, missing_cycles: int) -> None:
        super().__init__(
            f"The canister lacks {missing_cycles / 1e12:,.3f} T cycles to {doing}.",
            not_lost="Nothing was begun, and nothing changed.",
            next_step="Top it up first.",
        )
        self.missing_cycles = missing_cycles


def freezing_limit(status: CanisterStatus) -> int:
    """The cycles below which the canister is frozen: its rent for the time of its freezing threshold."""
    return status.idle_cycles_per_day * status.freezing_threshold_s // SECONDS_PER_DAY


def require(status: CanisterStatus, needed_cycles: int, doing: str) -> None:
    """Raises TooFewCyclesError unless the canister has `needed_cycles` above its freezing limit."""
    missing = needed_cycles + freezing_limit(status) - status.cycles
    if missing > 0:
        raise TooFewCyclesError(doing, missing)


def install_cycles(profile: NetworkProfile, wasm_bytes: int) -> int:
    """What must be there to install a module: its bytes, and the whole limit of the message."""
    costs = profile.costs
    ingress = costs.ingress_base + costs.ingress_per_byte * wasm_bytes
    return costs.on_subnet(ingress + costs.update_base + costs.per_instruction * profile.limits.install_instructions)


def snapshot_cycles(profile: NetworkProfile, status: CanisterStatus) -> int:
    """What must be there to take a snapshot: the copying, and its rent within the freezing limit."""
    costs = profile.costs
    copied = costs.per_instruction * (_SNAPSHOT_INSTRUCTIONS + status.memory_bytes)
    return costs.on_subnet(costs.ingress_base + copied) + rent(
        profile, status.memory_bytes, status.freezing_threshold_s
    )


def snapshot_upload_cycles(profile: NetworkProfile, size_bytes: int, pieces: int, freezing_threshold_s: int) -> int:
    """What must be there to put a downloaded snapshot back: its bytes as messages, and its rent, as above."""
    costs = profile.costs
    instructions = _SNAPSHOT_INSTRUCTIONS + pieces * _PIECE_INSTRUCTIONS + size_bytes
    messages = pieces * (costs.ingress_base + costs.update_base) + costs.ingress_per_byte * size_bytes
    sent = costs.on_subnet(messages + costs.per_instruction * instructions)
    return sent + rent(profile, size_bytes, freezing_threshold_s)


def rent(profile: NetworkProfile, stored_bytes: int, duration_s: int) -> int:
    """Cycles that so many bytes cost in that time."""
    return profile.costs.on_subnet(profile.costs.storage_per_gib_second * stored_bytes * duration_s // _GIB)
