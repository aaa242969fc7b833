"""Calls and queries to the canisters that run Wasm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sqlite3 import Connection

from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import Limits
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.canister import CanisterState, Status
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.envelope import Call
from personal_ai.replica.execution import Executor
from personal_ai.replica.messages import Entry, Message, Outcome, OutgoingCall, RejectCode
from personal_ai.replica.money.builtin import BuiltInCanister
from personal_ai.replica.system_api.outgoing import call_cost

DataCertificate = Callable[[bytes], bytes]
"""The certificate over a canister's certified data, which its queries can show."""


class CanisterCalls:
    """One `ingress.Destination`. All raise CallRejected."""

    def __init__(
        self,
        executor: Executor,
        accounts: Accounts,
        canisters: Canisters,
        limits: Limits,
        *,
        certificate: DataCertificate,
        callees: Mapping[Principal, BuiltInCanister],
    ) -> None:
        """callees: whom canisters may call."""
        self._executor, self._accounts, self._canisters = executor, accounts, canisters
        self._limits, self._certificate, self._callees = limits, certificate, callees

    def effective_id(self, call: Call) -> Principal:
        return call.canister_id

    def accept(self, call: Call, now_ns: int) -> None:
        """Running, with code that has the method, able to pay, and not refused by its own inspection."""
        state = self._running(call)
        interface = self._executor.interface(state.id)
        if interface is None:
            raise _refusal("IC0537", f"Requested canister {call.canister_id} has no wasm module")
        if interface.methods.get(call.method) not in ("update", "query"):
            raise _refusal("IC0536", f"Canister {call.canister_id} has no update method '{call.method}'")
        self._accounts.require(state, self._accounts.ingress_cost(call.size_bytes), now_ns)
        inspection = _message(Entry.INSPECT, call, now_ns, self._limits.inspect_instructions)
        outcome = self._executor.execute(state.id, inspection)
        if outcome.reject is not None:
            raise _rejected(outcome)
        if not outcome.accepted:
            raise CallRejected(
                RejectCode.CANISTER_REJECT, "IC0406", f"Canister {call.canister_id} rejected the message"
            )

    def update(self, task: Task) -> None:
        """The cycles for the whole limit must be there before; what is used is taken after."""
        limit = self._limits.update_instructions
        state = self._running(task.call)
        put_aside = task.due_cycles + self._accounts.execution_cost(limit)
        self._accounts.require(state, put_aside, task.now_ns)
        liquid = self._accounts.balance(state, task.now_ns) - self._accounts.freezing_limit(state) - put_aside

        def record(db: Connection, outcome: Outcome) -> None:
            self._accounts.note_burned(db, outcome.cycles_burned)
            cycles = task.due_cycles + self._accounts.execution_cost(outcome.instructions)
            cycles += sum(self._deliver(db, state.id, one, task.now_ns) for one in outcome.calls)
            used = (outcome.instructions, outcome.pages_touched, cycles)
            task.finish(db, Result(outcome.reply, outcome.reject, *used))

        message = _message(Entry.UPDATE, task.call, task.now_ns, limit, replicated=True, liquid_cycles=liquid)
        self._executor.execute(state.id, message, record)

    def _deliver(self, db: Connection, sender: bytes, call: OutgoingCall, now_ns: int) -> int:
        """Carries a call out; what was not taken of its cycles comes back. Gives what the sender pays for it."""
        callee = self._callees[Principal(call.callee)]
        taken, response_bytes = callee.receive(db, Principal(sender), call, now_ns)
        self._accounts.deposit(sender, call.cycles - taken)
        return call_cost(self._accounts.costs, call, response_bytes)

    def query(self, call: Call, now_ns: int) -> bytes:
        """Free, on the committed state; a frozen canister does not answer."""
        state = self._running(call)
        if self._accounts.balance(state, now_ns) < self._accounts.freezing_limit(state):
            text = f"Canister {call.canister_id} is out of cycles and frozen: it answers no queries. Top it up."
            raise CallRejected(RejectCode.SYS_TRANSIENT, "IC0207", text)
        certificate = self._certificate(state.id)
        message = _message(Entry.QUERY, call, now_ns, self._limits.query_instructions, certificate=certificate)
        outcome = self._executor.execute(state.id, message)
        if outcome.reply is None:
            raise _rejected(outcome)
        return outcome.reply

    def _running(self, call: Call) -> CanisterState:
        state = self._canisters.get(call.canister_id)
        if state.status is not Status.RUNNING:
            error_code = "IC0508" if state.status is Status.STOPPED else "IC0509"
            raise _refusal(error_code, f"Canister {call.canister_id} is {state.status.value} and takes no messages")
        return state


def _message(
    entry: Entry,
    call: Call,
    now_ns: int,
    limit: int,
    *,
    replicated: bool = False,
    certificate: bytes | None = None,
    liquid_cycles: int | None = None,
) -> Message:
    return Message(
        entry, call.sender.bytes, call.arg, now_ns, limit, replicated, call.method,
        data_certificate=certificate, liquid_cycles=liquid_cycles,
    )  # fmt: skip


def _refusal(error_code: str, text: str) -> CallRejected:
    return CallRejected(RejectCode.CANISTER_ERROR, error_code, text)


def _rejected(outcome: Outcome) -> CallRejected:
    reject = outcome.reject
    assert reject is not None
    return CallRejected(reject.code, reject.error_code, reject.message)
