"""The journal of payments: each is written down, with what makes it safe to repeat, before anything is sent.

The table and its meaning are in docs/formats/payments.md.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.journal_file import JournalFile
from personal_ai.common.sqlite_rows import insert_row, read_rows
from personal_ai.wallet.amounts import Token

FORMAT_VERSION = 1

_SCHEMA = """
CREATE TABLE payment (
    id TEXT PRIMARY KEY, network TEXT NOT NULL, principal TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
    amount TEXT NOT NULL, fee TEXT NOT NULL, created_at_time_ns INTEGER NOT NULL UNIQUE, state TEXT NOT NULL,
    block_index TEXT, cycles TEXT, said TEXT, ended_at_ns INTEGER
) STRICT;
"""
_COLUMNS = "id, network, principal, kind, target, amount, fee, created_at_time_ns, state, block_index, cycles, said"


class Kind(StrEnum):
    """What a payment is for; the value of `target` follows from it."""

    SEND_ICP = "send-icp"  # to an account identifier
    SEND_CYCLES = "send-cycles"  # to a principal's account of the cycles ledger
    TOP_UP = "top-up"  # cycles to a canister
    CONVERT = "convert"  # ICP to cycles of one's own
    CONVERT_TOP_UP = "convert-top-up"  # ICP to cycles in a canister
    CREATE = "create"  # ICP to a new canister with cycles, which oneself controls

    @property
    def token(self) -> Token:
        """What is paid with."""
        return Token.CYCLES if self in (Kind.SEND_CYCLES, Kind.TOP_UP) else Token.ICP

    @property
    def into_canister(self) -> bool:
        """Whether cycles end in a canister, which is then the target."""
        return self in (Kind.TOP_UP, Kind.CONVERT_TOP_UP)

    @property
    def converts(self) -> bool:
        """Whether the cycles minting canister is to be told of the payment."""
        return self in (Kind.CONVERT, Kind.CONVERT_TOP_UP, Kind.CREATE)


class State(StrEnum):
    """How far a payment is. Only the first two are to be gone on with."""

    INTENDED = "intended"  # written down; perhaps sent
    PAID = "paid"  # on the ledger; the cycles are still to be delivered
    DONE = "done"
    REFUNDED = "refunded"  # the ICP came back, less fees
    REFUSED = "refused"  # the ledger said no
    NOT_SENT = "not-sent"  # never reached the ledger

    @property
    def open(self) -> bool:
        return self in (State.INTENDED, State.PAID)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. amount, fee: in the smallest unit of the kind's token. cycles: what a conversion delivered.

    created_at_time_ns: the ledger's idempotency token. block_index: the ledger's block, once known.
    said: why it ended otherwise than done; of a creation that is done, the canister's id.
    """

    id: str
    network: str
    principal: str
    kind: Kind
    target: str
    amount: int
    fee: int
    created_at_time_ns: int
    state: State
    block_index: int | None = None
    cycles: int | None = None
    said: str | None = None


class PaymentJournal(JournalFile):
    """One SQLite file; every method is one transaction on disk when it returns. Safe to use from several threads."""

    def __init__(self, path: Path, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Raises StorageError, DamagedFileError, UnknownVersionError."""
        self._clock_ns = clock_ns
        super().__init__(
            path,
            name="journal of payments",
            safe="Your money is on the network, untouched.",
            version=FORMAT_VERSION,
            schema=_SCHEMA,
        )

    def intend(self, network: str, principal: str, kind: Kind, *, target: str, amount: int, fee: int) -> Payment:
        """Writes down a payment that is about to be sent. Its time is its own, so that no two are the same."""
        with self._transaction():
            created_at_time_ns = self._free_time_ns()
            payment = Payment(
                uuid.uuid4().hex, network, principal, kind, target, amount, fee, created_at_time_ns, State.INTENDED
            )
            self._db.execute(
                f"INSERT INTO payment ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",  # noqa: S608 - our own names
                (
                    payment.id, network, principal, kind, target, str(amount), str(fee), created_at_time_ns,
                    payment.state,
                ),
            )  # fmt: skip
        return payment

    def _free_time_ns(self) -> int:
        """Now, or the first moment after it that no payment has.

        Not after the last payment: a clock that was once ahead would put all later ones into the future.
        """
        time_ns = self._clock_ns()
        while self._db.execute("SELECT 1 FROM payment WHERE created_at_time_ns = ?", (time_ns,)).fetchone():
            time_ns += 1
        return time_ns

    def change(
        self,
        payment_id: str,
        state: State,
        *,
        block_index: int | None = None,
        cycles: int | None = None,
        said: str | None = None,
    ) -> Payment:
        """Writes down how far a payment is; what is None stays as it was."""
        ended_at_ns = None if state.open else self._clock_ns()
        with self._transaction():
            self._db.execute(
                "UPDATE payment SET state = ?, block_index = coalesce(?, block_index), cycles = coalesce(?, cycles), "
                "said = coalesce(?, said), ended_at_ns = ? WHERE id = ?",
                (state, _text(block_index), _text(cycles), said, ended_at_ns, payment_id),
            )
        return self.payment(payment_id)

    def payment(self, payment_id: str) -> Payment:
        """Raises BadInputError when there is none of this id."""
        found = self._select("WHERE id = ?", payment_id)
        if not found:
            raise BadInputError(f"There is no payment {payment_id}.")
        return found[0]

    def payments(self, network: str, principal: str) -> list[Payment]:
        """All payments of an identity on a network, the newest first."""
        return self._select("WHERE network = ? AND principal = ? ORDER BY created_at_time_ns DESC", network, principal)

    def newest(self, count: int) -> list[Payment]:
        """The newest payments of all identities on all networks, the newest first."""
        return self._select("ORDER BY created_at_time_ns DESC LIMIT ?", count)

    def _select(self, where: str, *values: str | int) -> list[Payment]:
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM payment {where}", values).fetchall()  # noqa: S608
        return [_payment(row) for row in rows]

    def to_records(self) -> list[dict[str, Any]]:
        """Everything as plain values, for `merge`."""
        with self._lock:
            return read_rows(self._db, "payment")

    def merge(self, records: list[dict[str, Any]]) -> int:
        """Takes in the payments that are not known here; gives their number. Raises FormatError, StorageError.

        One that had not ended goes on as any other: the ledger is asked before anything is sent again.
        """
        known = {record["id"] for record in self.to_records()}
        new = [record for record in records if record.get("id") not in known]
        try:
            with self._transaction():
                for record in new:
                    insert_row(self._db, "payment", record)
                    _payment(tuple(record[name.strip()] for name in _COLUMNS.split(",")))
        except (sqlite3.Error, KeyError, TypeError, ValueError, OverflowError) as error:
            raise FormatError("The payments in this file are malformed.", not_lost="Yours are unchanged.") from error
        return len(new)


def _text(number: int | None) -> str | None:
    """Amounts outgrow SQLite's 64 bits."""
    return None if number is None else str(number)


def _payment(row: tuple[str, ...]) -> Payment:
    payment_id, network, principal, kind, target, amount, fee, created_at, state, block, cycles, said = row
    return Payment(
        payment_id, network, principal, Kind(kind), target, int(amount), int(fee), int(created_at), State(state),
        None if block is None else int(block), None if cycles is None else int(cycles), said,
    )  # fmt: skip
