"""What each canister pays: rent for its memory as time passes, and its messages.

Rent is worked out when somebody looks, and settled with each message and now and then. While the network is
switched off no time passes for it: a practice canister does not starve in a drawer.
The rates are those of the profile's cost table.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import CostTable
from personal_ai.replica import chunk_store
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canister import CanisterState
from personal_ai.replica.clock import Clock
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.money.supply import Supply, Used
from personal_ai.replica.state import StateStore

_GIB = 1 << 30
_NS_PER_S = 10**9
_SECONDS_PER_DAY = 86_400

_SCHEMA = """
CREATE TABLE IF NOT EXISTS canister_account (
    id BLOB PRIMARY KEY, created_ns INTEGER NOT NULL, installed_ns INTEGER, module_bytes INTEGER NOT NULL,
    chunks INTEGER NOT NULL, snapshot_bytes INTEGER NOT NULL DEFAULT 0)
"""
_ADD_SNAPSHOTS = "ALTER TABLE canister_account ADD COLUMN snapshot_bytes INTEGER NOT NULL DEFAULT 0"  # older states


@dataclass(frozen=True, slots=True)
class Account:
    """What the network notes of a canister beside its state. Times in ns since 1970.

    module_bytes: the module as it was sent. chunks: how many its chunk store holds. snapshot_bytes: of all snapshots.
    """

    created_ns: int
    installed_ns: int | None = None
    module_bytes: int = 0
    chunks: int = 0
    snapshot_bytes: int = 0


class Accounts:
    """The accounts of all canisters. Reading is safe from any thread; changes happen in a transaction."""

    def __init__(self, store: StateStore, costs: CostTable, clock: Clock, supply: Supply) -> None:
        self._store, self.costs, self._supply = store, costs, supply
        self._started_ns = clock.now_ns()
        self._settled_ns: dict[bytes, int] = {}  # until when a canister's rent is paid, if not until the start
        with store.transaction() as db:
            db.execute(_SCHEMA)
            if not any(column[1] == "snapshot_bytes" for column in db.execute("PRAGMA table_info(canister_account)")):
                db.execute(_ADD_SNAPSHOTS)
            rows = db.execute("SELECT * FROM canister_account").fetchall()
        self._committed = {canister_id: Account(*fields) for canister_id, *fields in rows}

    def account(self, canister_id: bytes) -> Account:
        """The committed account, or inside a transaction the account as this transaction sees it."""
        if not self._store.in_transaction():
            return self._committed[canister_id]
        with self._store.transaction() as db:
            row = db.execute("SELECT * FROM canister_account WHERE id = ?", (canister_id,)).fetchone()
        return Account(*row[1:])

    def save(self, db: sqlite3.Connection, canister_id: bytes, account: Account) -> None:
        """Adds or replaces an account."""
        row = (account.created_ns, account.installed_ns, account.module_bytes, account.chunks, account.snapshot_bytes)
        db.execute("INSERT OR REPLACE INTO canister_account VALUES (?, ?, ?, ?, ?, ?)", (canister_id, *row))

        def commit() -> None:
            self._committed[canister_id] = account
            self._settled_ns.setdefault(canister_id, account.created_ns)

        self._store.after_commit(commit)

    def delete(self, db: sqlite3.Connection, canister_id: bytes) -> None:
        db.execute("DELETE FROM canister_account WHERE id = ?", (canister_id,))

        def commit() -> None:
            self._committed.pop(canister_id, None)
            self._settled_ns.pop(canister_id, None)

        self._store.after_commit(commit)

    def note_uninstalled(self, db: sqlite3.Connection, canister_id: bytes) -> None:
        """The canister has no module any more."""
        self.save(db, canister_id, replace(self.account(canister_id), installed_ns=None, module_bytes=0))

    def held_bytes(self, state: CanisterState) -> int:
        """What the canister itself holds, without its snapshots."""
        account = self.account(state.id)
        return state.memory_bytes + account.module_bytes + account.chunks * chunk_store.RENT_BYTES

    def memory_bytes(self, state: CanisterState) -> int:
        """All that the canister pays rent for."""
        return self.held_bytes(state) + self.account(state.id).snapshot_bytes

    def burned_per_day(self, state: CanisterState) -> int:
        """Cycles that the canister costs in a day when nobody calls it."""
        return self._rent(state, _SECONDS_PER_DAY * _NS_PER_S)

    def freezing_limit(self, state: CanisterState) -> int:
        """The cycles below which the canister is frozen: its rent for the time of its freezing threshold."""
        return self._rent(state, state.settings.freezing_threshold_s * _NS_PER_S)

    def balance(self, state: CanisterState, now_ns: int) -> int:
        """The canister's cycles after the rent until now; not below 0."""
        settled_ns = max(self._settled_ns.get(state.id, 0), self._started_ns)
        return max(state.cycles - self._rent(state, now_ns - settled_ns), 0)

    def ingress_cost(self, size_bytes: int) -> int:
        return self.costs.on_subnet(self.costs.ingress_base + self.costs.ingress_per_byte * size_bytes)

    def execution_cost(self, instructions: int) -> int:
        return self.costs.on_subnet(self.costs.update_base + self.costs.per_instruction * instructions)

    def require(self, state: CanisterState, cycles: int, now_ns: int) -> None:
        """Raises CallRejected (IC0207) unless the canister has `cycles` above its freezing limit."""
        missing = cycles + self.freezing_limit(state) - self.balance(state, now_ns)
        if missing > 0:
            message = (
                f"Canister {Principal(state.id)} is out of cycles: please top up the canister with at least "
                f"{missing:_} additional cycles"
            )
            raise CallRejected(RejectCode.SYS_TRANSIENT, "IC0207", message)

    def price(self, state: CanisterState, instructions: int, now_ns: int) -> int:
        """Cycles of so many instructions. Raises CallRejected (IC0207) where the canister cannot pay them."""
        cost = self.execution_cost(instructions)
        self.require(state, cost, now_ns)
        return cost

    def charge(self, canister_id: bytes, cycles: int, now_ns: int) -> None:
        """Settles the rent until now and takes `cycles`, as far as they are there. In a transaction, once in each."""
        state = self._store.canister(canister_id)
        if state is None:
            return
        left = max(self.balance(state, now_ns) - cycles, 0)
        with self._store.transaction() as db:
            self._supply.note(db, Used.EXECUTION, state.cycles - left)
        self._store.save(replace(state, cycles=left))
        self._store.after_commit(lambda: self._settled_ns.update({canister_id: now_ns}))

    def note_burned(self, db: sqlite3.Connection, cycles: int) -> None:
        """Counts the cycles that a canister burned itself."""
        self._supply.note(db, Used.BURNED, cycles)

    def deposit(self, canister_id: bytes, cycles: int) -> None:
        """Puts cycles into a canister that exists. In a transaction."""
        state = self._store.canister(canister_id)
        assert state is not None
        self._store.save(replace(state, cycles=state.cycles + cycles))

    def settle_all(self, now_ns: int) -> list[bytes]:
        """Takes the rent of all canisters; gives those with code that have nothing left."""
        with self._store.transaction():
            for state in self._store.canisters():
                self.charge(state.id, 0, now_ns)
        return [state.id for state in self._store.canisters() if state.module_hash is not None and state.cycles == 0]

    def _rent(self, state: CanisterState, duration_ns: int) -> int:
        costs = self.costs
        bytes_held = max(self.memory_bytes(state), state.settings.memory_allocation)
        per_second_gib = costs.storage_per_gib_second * bytes_held + costs.canister_per_second * _GIB
        per_second_gib += costs.compute_percent_per_second * state.settings.compute_allocation * _GIB
        return costs.on_subnet(per_second_gib * max(duration_ns, 0)) // (_GIB * _NS_PER_S)
