"""What the network does without being called: timers, rent, forgetting old calls."""

from __future__ import annotations

import time
from sqlite3 import Connection

from personal_ai.ic.principal import MANAGEMENT
from personal_ai.ic.profile import Limits
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canister import CanisterState, Status
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.clock import Clock
from personal_ai.replica.execution import Executor
from personal_ai.replica.ingress_history import IngressHistory
from personal_ai.replica.messages import Entry, Message, Outcome
from personal_ai.replica.state import StateStore

EVERY_S = 1.0
_RENT_EVERY_S = 60.0


class Background:
    """`run` is called by the scheduler between calls. Heartbeats are not run: they would burn a laptop's battery."""

    def __init__(
        self, store: StateStore, executor: Executor, accounts: Accounts, canisters: Canisters, limits: Limits
    ) -> None:
        self._store, self._executor, self._accounts, self._canisters = store, executor, accounts, canisters
        self._limits = limits
        self._rent_settled_s = time.monotonic()

    def run(self, history: IngressHistory, clock: Clock) -> None:
        history.forget_old()
        for state in self._store.canisters():
            if 0 < state.global_timer_ns <= clock.now_ns() and self._has_timer(state):
                self._run_timer(state, clock.now_ns())
        if time.monotonic() - self._rent_settled_s >= _RENT_EVERY_S:
            self.settle_rent(clock.now_ns())
            self._rent_settled_s = time.monotonic()

    def settle_rent(self, now_ns: int) -> None:
        """Takes the rent of all canisters; whoever has nothing left loses its code and its memory."""
        for canister_id in self._accounts.settle_all(now_ns):
            self._executor.uninstall(canister_id)
            self._canisters.show(canister_id)

    def _has_timer(self, state: CanisterState) -> bool:
        interface = self._executor.interface(state.id)
        runs = state.status is Status.RUNNING
        return runs and interface is not None and "canister_global_timer" in interface.entry_points

    def _run_timer(self, state: CanisterState, now_ns: int) -> None:
        limit = self._limits.update_instructions
        try:
            self._accounts.require(state, self._accounts.execution_cost(limit), now_ns)
        except CallRejected:
            return

        def record(db: Connection, outcome: Outcome) -> None:
            self._accounts.note_burned(db, outcome.cycles_burned)
            self._accounts.charge(state.id, self._accounts.execution_cost(outcome.instructions), now_ns)

        message = Message(Entry.TIMER, MANAGEMENT.bytes, b"", now_ns, limit, replicated=True)
        self._executor.execute(state.id, message, record)
        self._canisters.show(state.id)
