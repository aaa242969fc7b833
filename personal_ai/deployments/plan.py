"""What a deployment costs, before anything is paid (docs: facts of the network's cost table are in its profile)."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.ic.profile import NetworkProfile

_GIB = 1 << 30
_SECONDS_PER_DAY = 86_400
_FREEZING_THRESHOLD_S = 30 * _SECONDS_PER_DAY
# The activation reads the weights into the heap, and a chat needs a full message's instructions in reserve.
_WORKING_CYCLES = 500_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Cycles of one deployment.

    create: taken by the network. install, upload: what those messages use. reserve: must lie in the canister for
    each message and for its freezing threshold, and stays the owner's. rent_per_day: storage.
    """

    create: int
    install: int
    upload: int
    reserve: int
    rent_per_day: int

    @property
    def total(self) -> int:
        """What to send to the ledger's create_canister."""
        return self.create + self.install + self.upload + self.reserve


def plan(profile: NetworkProfile, *, wasm_bytes: int, upload_bytes: int, heap_bytes: int, days: int = 30) -> Plan:
    """The cost of a canister with `upload_bytes` in stable memory and `heap_bytes` of heap, and `days` of storage."""
    costs, limits = profile.costs, profile.limits
    stored_bytes = wasm_bytes + upload_bytes + heap_bytes
    rent_per_second = costs.storage_per_gib_second * stored_bytes // _GIB + costs.canister_per_second
    install_limit = limits.install_instructions * costs.per_instruction
    return Plan(
        create=costs.creation,
        install=costs.ingress_base + costs.ingress_per_byte * wasm_bytes,
        upload=costs.ingress_per_byte * upload_bytes,
        reserve=install_limit + rent_per_second * (_FREEZING_THRESHOLD_S + days * _SECONDS_PER_DAY) + _WORKING_CYCLES,
        rent_per_day=rent_per_second * _SECONDS_PER_DAY,
    )
