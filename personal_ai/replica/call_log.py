"""The calls that the network has carried out, for the tests and for who wants to see what the app sent."""

from __future__ import annotations

import hashlib
import sqlite3

from personal_ai.replica.calls import Result
from personal_ai.replica.envelope import Call
from personal_ai.replica.state import StateStore

KEPT_CALLS = 100_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS call_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time_ns INTEGER NOT NULL, caller TEXT NOT NULL, canister_id TEXT NOT NULL,
    method TEXT NOT NULL, arg_sha256 TEXT NOT NULL, arg_bytes INTEGER NOT NULL, request_id TEXT NOT NULL,
    outcome TEXT NOT NULL, instructions INTEGER NOT NULL, pages_touched INTEGER NOT NULL, cycles TEXT NOT NULL,
    wall_ms INTEGER NOT NULL)
"""
_COLUMNS = (
    "seq", "time_ns", "caller", "canister_id", "method", "arg_sha256", "arg_bytes", "request_id", "outcome",
    "instructions", "pages_touched", "cycles", "wall_ms",
)  # fmt: skip


class CallLog:
    """One row for each call that ended, in the order of execution; the oldest are dropped beyond KEPT_CALLS."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        with store.transaction() as db:
            db.execute(_SCHEMA)

    def append(self, db: sqlite3.Connection, call: Call, result: Result, time_ns: int, wall_ms: int) -> None:
        """In the transaction that ends the call. `wall_ms`: how long this computer worked on it."""
        outcome = f"rejected {result.reject.error_code}" if result.reject else "replied"
        row = (
            time_ns, str(call.sender), str(call.canister_id), call.method, hashlib.sha256(call.arg).hexdigest(),
            len(call.arg), call.request_id.hex(), outcome, result.instructions, result.pages_touched,
            str(result.cycles), wall_ms,
        )  # fmt: skip
        cursor = db.execute(f"INSERT INTO call_log ({', '.join(_COLUMNS[1:])}) VALUES ({', '.join('?' * 12)})", row)  # noqa: S608 - our own column names
        db.execute("DELETE FROM call_log WHERE seq <= ?", ((cursor.lastrowid or 0) - KEPT_CALLS,))

    def rows(self, after: int = 0) -> list[dict[str, object]]:
        """The rows with seq > `after`, oldest first, by column name; `cycles` is a number."""
        with self._store.transaction() as db:
            found = db.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM call_log WHERE seq > ? ORDER BY seq",  # noqa: S608 - our own column names
                (after,),
            ).fetchall()
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in found]
        return [{**row, "cycles": int(row["cycles"])} for row in rows]
