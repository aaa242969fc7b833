"""What canisters had at which time, and what may be spent to keep them alive: docs/formats/burn.md."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.journal_file import JournalFile
from personal_ai.common.sqlite_rows import insert_row, read_rows
from personal_ai.deployments.cycles_needed import SECONDS_PER_DAY
from personal_ai.deployments.runway import Reading

FORMAT_VERSION = 2
_KEPT_DAYS = 400
_SPACING_S = 600
_NS_PER_S = 10**9

_BUDGET = "budget"
_TABLES = ("reading", _BUDGET)
_SCHEMA = """
CREATE TABLE reading (
    network TEXT NOT NULL, canister_id TEXT NOT NULL, time_ns INTEGER NOT NULL, cycles TEXT NOT NULL,
    PRIMARY KEY (network, canister_id, time_ns)
) STRICT;
CREATE TABLE budget (
    network TEXT NOT NULL, canister_id TEXT NOT NULL, cycles_per_30_days TEXT NOT NULL, keep_days INTEGER NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (network, canister_id)
) STRICT;
"""
_UPGRADES = {1: "ALTER TABLE budget ADD COLUMN paused INTEGER NOT NULL DEFAULT 0"}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent by itself on one canister, fees included, within any 30 days; it is kept alive for `keep_days`.

    paused: it came back from a backup, and nothing is spent until its owner allows it anew: the computer from which it
    came may still be spending. Raises BadInputError.
    """

    cycles_per_30_days: int
    keep_days: int
    paused: bool = False

    def __post_init__(self) -> None:
        if self.cycles_per_30_days <= 0 or not 1 <= self.keep_days <= 3650:
            raise BadInputError("A budget is a positive sum, and keeps a canister for 1 to 3650 days.")


class BurnHistory(JournalFile):
    """One SQLite file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises StorageError, DamagedFileError, UnknownVersionError."""
        super().__init__(
            path,
            name="history of cycles",
            safe="Your canisters and cycles are on the network, untouched.",
            version=FORMAT_VERSION,
            schema=_SCHEMA,
            upgrades=_UPGRADES,
        )

    def note(self, network: str, canister_id: str, cycles: int, time_ns: int | None = None) -> None:
        """Writes down what a canister has now; what is older than 400 days is forgotten.

        A few minutes after the last reading nothing is written, unless cycles came in: pages look often.
        """
        now_ns = time.time_ns() if time_ns is None else time_ns
        last = self.readings(network, canister_id)[-1:]
        if last and now_ns - last[0].time_ns < _SPACING_S * _NS_PER_S and cycles <= last[0].cycles:
            return
        oldest_ns = now_ns - _KEPT_DAYS * SECONDS_PER_DAY * _NS_PER_S
        with self._transaction():
            row = (network, canister_id, now_ns, str(cycles))  # cycles outgrow SQLite's 64 bits
            self._db.execute("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM reading WHERE time_ns < ?", (oldest_ns,))

    def readings(self, network: str, canister_id: str) -> list[Reading]:
        """In the order of time."""
        query = "SELECT time_ns, cycles FROM reading WHERE network = ? AND canister_id = ? ORDER BY time_ns"
        with self._lock:
            rows = self._db.execute(query, (network, canister_id)).fetchall()
        return [Reading(time_ns, int(cycles)) for time_ns, cycles in rows]

    def set_budget(self, network: str, canister_id: str, budget: Budget | None) -> None:
        """None: nothing is spent by itself any more."""
        with self._transaction():
            self._db.execute("DELETE FROM budget WHERE network = ? AND canister_id = ?", (network, canister_id))
            if budget is not None:
                row = (network, canister_id, str(budget.cycles_per_30_days), budget.keep_days, budget.paused)
                self._db.execute("INSERT INTO budget VALUES (?, ?, ?, ?, ?)", row)

    def budget(self, network: str, canister_id: str) -> Budget | None:
        query = "SELECT cycles_per_30_days, keep_days, paused FROM budget WHERE network = ? AND canister_id = ?"
        with self._lock:
            row = self._db.execute(query, (network, canister_id)).fetchone()
        return None if row is None else Budget(int(row[0]), row[1], bool(row[2]))

    def forget(self, network: str) -> None:
        """Everything about a network that is no more: the next one gives its canisters the same ids."""
        with self._transaction():
            for table in _TABLES:
                self._db.execute(f"DELETE FROM {table} WHERE network = ?", (network,))  # noqa: S608 - our own name

    # Backup

    def to_records(self) -> dict[str, list[dict[str, Any]]]:
        """Everything as plain values, for `merge`."""
        with self._lock:
            return {table: read_rows(self._db, table) for table in _TABLES}

    def merge(self, records: dict[str, list[dict[str, Any]]]) -> None:
        """Takes in readings that are not known here, and budgets, paused, where there is none.

        Raises FormatError, StorageError. A malformed one changes nothing.
        """
        try:
            with self._transaction():
                for table in _TABLES:
                    for row in records[table]:
                        insert_row(self._db, table, _checked(table, row), keep=True)
        except (sqlite3.Error, KeyError, TypeError, ValueError, OverflowError, BadInputError) as error:
            raise FormatError("The history of cycles here is malformed.", not_lost="Yours is unchanged.") from error


def _checked(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is taken in. Raises what `merge` expects of one that nobody of us wrote."""
    if table == _BUDGET:
        Budget(int(row["cycles_per_30_days"]), int(row["keep_days"]))
        return {**row, "paused": 1}
    if int(row["cycles"]) < 0 or row["time_ns"] < 0:
        raise ValueError("a reading below nothing")
    return row
