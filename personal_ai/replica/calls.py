"""What a call is while it is carried out, and what it comes to, in the words that all parts of the network share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from personal_ai.common.errors import RejectedError
from personal_ai.ic.principal import Principal
from personal_ai.replica.envelope import Call
from personal_ai.replica.messages import Reject, RejectCode


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a call: exactly one of `reply` and `reject` is set. `cycles`: what the canister pays for it."""

    reply: bytes | None = None
    reject: Reject | None = None
    instructions: int = 0
    pages_touched: int = 0
    cycles: int = 0


@dataclass(slots=True)
class Task:
    """A call that is being carried out since `now_ns`; its cycles come from the canister `effective_id`.

    due_cycles: what is to be paid whatever comes of it. finish: writes the end of the call down and charges the
    result's cycles; to be called once, in the transaction that commits what the call has done.
    """

    call: Call
    effective_id: Principal
    now_ns: int
    finish: Callable[[sqlite3.Connection, Result], None]
    due_cycles: int = 0


class CallRejected(RejectedError):
    """Raised by a part of the network to reject the call that it serves; what it has done is undone."""

    def __init__(self, code: RejectCode, error_code: str, message: str) -> None:
        super().__init__(message, reject_code=code, reject_message=message, error_code=error_code)
        self.reject = Reject(code, message, error_code)
