"""Which calls the network knows: so that none runs twice, and so that who sent one can learn how it went.

A call that waits or runs lives in memory only; killed before its end, it never happened and may be sent again.
Its end is written in the transaction that commits its effects, and kept until nobody can send it again.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field

from personal_ai.ic import leb128
from personal_ai.ic.principal import Principal
from personal_ai.replica.calls import Result
from personal_ai.replica.clock import Clock
from personal_ai.replica.envelope import Call
from personal_ai.replica.messages import Reject, RejectCode
from personal_ai.replica.state import StateStore
from personal_ai.replica.state_tree import StateTree

KEPT_NS = 5 * 60 * 10**9  # how long an answer can be read after the call has ended

_SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    id BLOB PRIMARY KEY, sender BLOB NOT NULL, receiver BLOB NOT NULL, effective BLOB NOT NULL,
    reply BLOB, reject_code INTEGER, reject_message TEXT, error_code TEXT, forget_ns INTEGER NOT NULL)
"""


@dataclass(slots=True, eq=False)
class KnownCall:
    """One call in the history. `ended` is set once its end may be seen; `lost` says why it never ran."""

    request_id: bytes
    sender: Principal
    receiver: Principal
    effective_id: Principal
    result: Result | None = None
    forget_ns: int | None = None  # None until it has ended
    lost: str = ""
    ended: threading.Event = field(default_factory=threading.Event, repr=False)


class IngressHistory:
    """The history of one network's calls. Safe to use from several threads."""

    def __init__(self, store: StateStore, tree: StateTree, clock: Clock) -> None:
        self._store, self._tree, self._clock = store, tree, clock
        self._lock = threading.Lock()
        self._calls: dict[bytes, KnownCall] = {}
        with store.transaction() as db:
            db.execute(_SCHEMA)
            db.execute("DELETE FROM request WHERE forget_ns < ?", (clock.now_ns(),))
            rows = db.execute("SELECT * FROM request").fetchall()
        for row in rows:
            known = _from_row(row)
            self._calls[known.request_id] = known
            self.publish(known)

    def find(self, request_id: bytes) -> KnownCall | None:
        with self._lock:
            return self._calls.get(request_id)

    def begin(self, call: Call, effective_id: Principal) -> tuple[KnownCall, bool]:
        """The call's entry and whether it is new: then, and only then, it is to be carried out."""
        fresh = KnownCall(call.request_id, call.sender, call.canister_id, effective_id)
        with self._lock:
            known = self._calls.setdefault(call.request_id, fresh)
        if known is fresh:
            self._tree.set_request(call.request_id, {"status": b"received"})
        return known, known is fresh

    def processing(self, known: KnownCall) -> None:
        """From now on the call's effects happen, unless it is rejected."""
        self._tree.set_request(known.request_id, {"status": b"processing"})

    def finish(self, db: sqlite3.Connection, known: KnownCall, call: Call, result: Result) -> None:
        """Writes down how the call ended, in the transaction of its effects; `publish` makes it visible later."""
        forget_ns = max(call.ingress_expiry_ns, self._clock.now_ns() + KEPT_NS)

        def remember() -> None:
            known.result, known.forget_ns = result, forget_ns

        db.execute("INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _to_row(known, result, forget_ns))
        self._store.after_commit(remember)

    def publish(self, known: KnownCall) -> None:
        """Shows the end of a finished call in the state tree and wakes who waits for it."""
        if known.result is not None:
            self._tree.set_request(known.request_id, _status(known.result))
        known.ended.set()

    def lose(self, known: KnownCall, reason: str) -> None:
        """Forgets a call that could not be carried out and left nothing behind; it may be sent again."""
        with self._lock:
            self._calls.pop(known.request_id, None)
        self._tree.set_request(known.request_id, None)
        known.lost = reason
        known.ended.set()

    def forget_old(self) -> None:
        """Drops the calls that nobody can ask for or repeat any more."""
        now_ns = self._clock.now_ns()
        with self._lock:
            old = [known for known in self._calls.values() if known.forget_ns is not None and known.forget_ns < now_ns]
            for known in old:
                del self._calls[known.request_id]
        if old:
            with self._store.transaction() as db:
                db.execute("DELETE FROM request WHERE forget_ns < ?", (now_ns,))
        for known in old:
            self._tree.set_request(known.request_id, None)


def _status(result: Result) -> dict[str, bytes]:
    """The fields under /request_status/RID."""
    if result.reject is None:
        return {"status": b"replied", "reply": result.reply or b""}
    return {
        "status": b"rejected",
        "reject_code": leb128.unsigned(result.reject.code),
        "reject_message": result.reject.message.encode(),
        "error_code": result.reject.error_code.encode(),
    }


def _to_row(known: KnownCall, result: Result, forget_ns: int) -> tuple[object, ...]:
    reject = result.reject
    end = (None, int(reject.code), reject.message, reject.error_code) if reject else (result.reply, None, None, None)
    who = (known.sender.bytes, known.receiver.bytes, known.effective_id.bytes)
    return (known.request_id, *who, *end, forget_ns)


def _from_row(row: tuple[bytes, bytes, bytes, bytes, bytes | None, int | None, str, str, int]) -> KnownCall:
    request_id, sender, receiver, effective, reply, code, message, error_code, forget_ns = row
    reject = None if code is None else Reject(RejectCode(code), message, error_code)
    principals = (Principal(sender), Principal(receiver), Principal(effective))
    return KnownCall(request_id, *principals, result=Result(reply, reject), forget_ns=forget_ns)
