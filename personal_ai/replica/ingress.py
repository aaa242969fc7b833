"""Where calls and queries go, which of them are let in, and what carries each of them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.canisters import is_hosted
from personal_ai.replica.envelope import Call, RequestRefusedError
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.state import StateStore


class Destination(Protocol):
    """What can be called: the management canister, the ledger, or the canisters that run Wasm.

    All methods raise CallRejected.
    """

    def effective_id(self, call: Call) -> Principal | None:
        """The canister that the call is about; None where any will do."""
        ...

    def accept(self, call: Call, now_ns: int) -> None:
        """What one node decides before anything is agreed on: nothing happens and nothing is paid."""
        ...

    def update(self, task: Task) -> None:
        """Carries a call out and finishes it. Raises StorageError too; then nothing has happened."""
        ...

    def query(self, call: Call, now_ns: int) -> bytes:
        """The reply to a query on the committed state."""
        ...


class Ingress:
    """The way of a call through the network, without waiting and without history."""

    def __init__(
        self, store: StateStore, accounts: Accounts, special: Mapping[Principal, Destination], canisters: Destination
    ) -> None:
        """`special`: the canisters that are part of the network itself."""
        self._store, self._accounts = store, accounts
        self._special, self._canisters = special, canisters

    def destination(self, canister_id: Principal) -> Destination:
        return self._special.get(canister_id, self._canisters)

    def check_address(self, call: Call, effective_id: Principal) -> None:
        """Whether a call or query was sent to the right place. Raises RequestRefusedError."""
        try:
            expected = self.destination(call.canister_id).effective_id(call)
        except CallRejected as rejection:
            raise RequestRefusedError(rejection.reject_message) from None
        if expected is None:
            return
        if expected != effective_id:
            raise RequestRefusedError(f"the effective canister id must be {expected}, not {effective_id}")
        if not is_hosted(expected):
            raise RequestRefusedError(f"canister {expected} does not belong to a subnet of this network")

    def run(self, task: Task) -> None:
        """Carries a call out and finishes it, one way or the other. Raises StorageError; then nothing has happened."""
        try:
            if task.now_ns > task.call.ingress_expiry_ns:
                raise CallRejected(RejectCode.SYS_TRANSIENT, "IC0202", "The message expired before it was executed")
            self._charge_ingress(task)
            self.destination(task.call.canister_id).update(task)
        except CallRejected as rejection:
            with self._store.transaction() as db:
                task.finish(db, Result(reject=rejection.reject, cycles=task.due_cycles))

    def _charge_ingress(self, task: Task) -> None:
        """Changing the settings may cost below the freezing limit: how else could the limit be lowered?"""
        state = self._store.canister(task.effective_id.bytes)
        if state is None:
            return
        cost = self._accounts.ingress_cost(task.call.size_bytes)
        if not (task.call.canister_id == MANAGEMENT and task.call.method == "update_settings"):
            self._accounts.require(state, cost, task.now_ns)
        task.due_cycles = cost
