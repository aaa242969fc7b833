"""Where cycles come from and where they go: nothing may appear or vanish unnoticed.

Cycles are made by the faucets and from ICP, and used up by fees, messages, rent, creations and deletions. What was
made less what was used up must lie on the cycles ledger and in the canisters, to the last cycle, at any time (in a
state that has counted from its beginning): this is what tests hold the app and the network against. ICP must be what
the ledger's blocks say, account by account.
"""

from __future__ import annotations

import enum
import sqlite3
from dataclasses import dataclass

from personal_ai.replica.money import icp_book
from personal_ai.replica.money.blocks import BALANCES as CYCLES_BALANCES
from personal_ai.replica.state import StateStore


class Made(enum.Enum):
    """How cycles come into the world."""

    FAUCET = "faucet"
    CONVERTED = "converted"  # from ICP
    PROVISIONAL = "provisional"


class Used(enum.Enum):
    """How cycles leave it."""

    LEDGER_FEES = "ledger fees"
    CREATIONS = "creations"
    EXECUTION = "execution"  # messages and rent
    BURNED = "burned"  # by a canister itself
    DELETIONS = "deletions"


@dataclass(frozen=True, slots=True)
class Audit:
    """Cycles and e8s. The two differences are 0 unless the network has a bug.

    cycles: by reason, as they were made and used. unaccounted_cycles: what is there more than was made and not used.
    unaccounted_e8s: by how much all accounts together differ from what the blocks come to.
    """

    cycles: dict[str, int]
    ledger_cycles: int
    canister_cycles: int
    unaccounted_cycles: int
    ledger_e8s: int
    unaccounted_e8s: int


class Supply:
    """The counters; changes happen in the caller's transaction."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute("CREATE TABLE IF NOT EXISTS cycles_flow (reason TEXT PRIMARY KEY, cycles TEXT NOT NULL)")

    def note(self, db: sqlite3.Connection, reason: Made | Used, cycles: int) -> None:
        """Counts cycles that were made or used up."""
        total = _flows(db).get(reason.value, 0) + cycles
        db.execute("INSERT OR REPLACE INTO cycles_flow VALUES (?, ?)", (reason.value, str(total)))

    def audit(self) -> Audit:
        """Adds everything up."""
        with self._store.transaction() as db:
            flows = _flows(db)
            ledger = CYCLES_BALANCES.total(db)
            held = sum(state.cycles + state.reserved_cycles for state in self._store.canisters())
            made = sum(flows.get(reason.value, 0) for reason in Made)
            used = sum(flows.get(reason.value, 0) for reason in Used)
            balances, replayed = icp_book.BALANCES.all(db), icp_book.replayed(db)
            differing = (balances.get(one, 0) - replayed.get(one, 0) for one in balances.keys() | replayed.keys())
            return Audit(
                cycles=flows,
                ledger_cycles=ledger,
                canister_cycles=held,
                unaccounted_cycles=ledger + held - (made - used),
                ledger_e8s=sum(balances.values()),
                unaccounted_e8s=sum(map(abs, differing)),
            )


def _flows(db: sqlite3.Connection) -> dict[str, int]:
    return {reason: int(cycles) for reason, cycles in db.execute("SELECT reason, cycles FROM cycles_flow")}
