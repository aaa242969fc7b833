"""Balances of one token, in a table of their own. Every method works inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from personal_ai.replica.money.builtin import Refusal


@dataclass(frozen=True, slots=True)
class Balances:
    """Table and unit are our own names; amounts are decimal text, as SQLite has no numbers of 128 bits."""

    table: str
    unit: str

    def create_table(self, db: sqlite3.Connection) -> None:
        db.execute(f"CREATE TABLE IF NOT EXISTS {self.table} (account BLOB PRIMARY KEY, {self.unit} TEXT NOT NULL)")

    def of(self, db: sqlite3.Connection, account: bytes) -> int:
        row = db.execute(f"SELECT {self.unit} FROM {self.table} WHERE account = ?", (account,)).fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def all(self, db: sqlite3.Connection) -> dict[bytes, int]:
        """Every account that holds something."""
        rows = db.execute(f"SELECT account, {self.unit} FROM {self.table}")  # noqa: S608
        return {account: int(amount) for account, amount in rows}

    def total(self, db: sqlite3.Connection) -> int:
        """What all accounts hold together."""
        return sum(self.all(db).values())

    def credit(self, db: sqlite3.Connection, account: bytes, amount: int) -> None:
        self._set(db, account, self.of(db, account) + amount)

    def debit(self, db: sqlite3.Connection, account: bytes, amount: int) -> None:
        """Raises Refusal (InsufficientFunds)."""
        available = self.of(db, account)
        if available < amount:
            raise Refusal("InsufficientFunds", {"balance": available})
        self._set(db, account, available - amount)

    def _set(self, db: sqlite3.Connection, account: bytes, amount: int) -> None:
        if amount:
            db.execute(f"INSERT OR REPLACE INTO {self.table} VALUES (?, ?)", (account, str(amount)))  # noqa: S608
        else:
            db.execute(f"DELETE FROM {self.table} WHERE account = ?", (account,))  # noqa: S608
