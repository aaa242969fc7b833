"""A canister whose methods are this program's own: what the canisters that hold money have in common."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic.candid import Type, decode, encode
from personal_ai.ic.principal import Principal
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.envelope import Call
from personal_ai.replica.messages import OutgoingCall, RejectCode
from personal_ai.replica.state import StateStore

MAX_MEMO_BYTES = 32


@dataclass(frozen=True, slots=True)
class Context:
    """What a method works with besides its argument: an open transaction, who calls, when (ns), cycles attached."""

    db: sqlite3.Connection
    caller: Principal
    now_ns: int
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """`run` carries the method out with its decoded argument (None where it has none) and gives what to answer.

    takes_cycles: it takes all that are attached to a call; others leave them to the caller.
    """

    argument: Type | None
    answer: Type
    run: Callable[[Context, Any], object]
    takes_cycles: bool = False


class Refusal(Exception):
    """A ledger answers Err with this variant; nothing has changed."""

    def __init__(self, variant: str, content: object = None) -> None:
        super().__init__(variant)
        self.variant, self.content = variant, content


class Trap(Exception):
    """The canister traps: the call is rejected with this reason, and nothing has changed."""


class BuiltInCanister:
    """One `ingress.Destination`: each call is a transaction. `queries` may be called as updates, too."""

    def __init__(
        self,
        store: StateStore,
        canister_id: Principal,
        *,
        queries: Mapping[str, Method],
        updates: Mapping[str, Method],
    ) -> None:
        self.id = canister_id
        self._store = store
        self._queries, self._updates = queries, updates
        self._all = {**queries, **updates}

    def effective_id(self, call: Call) -> Principal:
        return call.canister_id

    def accept(self, call: Call, now_ns: int) -> None:
        """Every method that there is. Raises CallRejected."""
        if call.method not in self._queries and call.method not in self._updates:
            raise self._no_method(call.method)

    def update(self, task: Task) -> None:
        """Raises CallRejected; then nothing has changed."""
        with self._store.transaction() as db:
            at = Context(db, task.call.sender, task.now_ns)
            reply = self._answer(self._all, at, task.call.method, task.call.arg)
            task.finish(db, Result(reply=reply))

    def query(self, call: Call, now_ns: int) -> bytes:
        """Raises CallRejected for an unknown method or an argument that does not fit."""
        with self._store.transaction() as db:
            return self._answer(self._queries, Context(db, call.sender, now_ns), call.method, call.arg)

    def receive(self, db: sqlite3.Connection, caller: Principal, call: OutgoingCall, now_ns: int) -> tuple[int, int]:
        """A canister's call: how many of its cycles were taken, and how many bytes the response has.

        What a rejected call did is undone.
        """
        at = Context(db, caller, now_ns, call.cycles)
        db.execute("SAVEPOINT received")
        try:
            reply = self._answer(self._all, at, call.method, call.arg)
        except CallRejected as rejection:
            db.execute("ROLLBACK TO received")
            return 0, len(rejection.reject_message.encode())
        finally:
            db.execute("RELEASE received")
        return call.cycles if self._all[call.method].takes_cycles else 0, len(reply)

    def _answer(self, methods: Mapping[str, Method], at: Context, name: str, arg: bytes) -> bytes:
        if name not in methods:
            raise self._no_method(name)
        method = methods[name]
        try:
            values = decode([] if method.argument is None else [method.argument], arg)
            return encode([method.answer], [method.run(at, values[0] if values else None)])
        except FormatError as error:
            raise self._trapped(f"failed to decode the argument: {error.what}") from None
        except Trap as trap:
            raise self._trapped(str(trap)) from None

    def _no_method(self, method: str) -> CallRejected:
        message = f"Canister {self.id} has no method '{method}' of this kind"
        return CallRejected(RejectCode.CANISTER_ERROR, "IC0536", message)

    def _trapped(self, reason: str) -> CallRejected:
        message = f"Error from Canister {self.id}: Canister called `ic0.trap` with message: '{reason}'"
        return CallRejected(RejectCode.CANISTER_ERROR, "IC0503", message)


def ok_or_err(run: Callable[[Context, Any], object]) -> Callable[[Context, Any], object]:
    """Makes a method answer Ok with what `run` gives, or Err where it refuses; then what it did is undone.

    A pair that `run` gives is the whole answer: an Err that has cost something.
    """

    def answer(at: Context, arg: Any) -> object:
        at.db.execute("SAVEPOINT method")
        try:
            value = run(at, arg)
            return value if isinstance(value, tuple) else ("Ok", value)
        except Refusal as refusal:
            at.db.execute("ROLLBACK TO method")
            return "Err", (refusal.variant, refusal.content)
        finally:
            at.db.execute("RELEASE method")

    return answer


def check_memo(memo: bytes | None) -> None:
    """Raises Trap for a memo that is too long."""
    if memo is not None and len(memo) > MAX_MEMO_BYTES:
        raise Trap(f"memo length exceeds the maximum of {MAX_MEMO_BYTES} bytes")
