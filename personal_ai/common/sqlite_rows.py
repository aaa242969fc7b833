"""Rows of a SQLite table out of a database and into another one, as plain values."""

from __future__ import annotations

import sqlite3
from typing import Any


def read_rows(db: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """Every row of one of our own tables."""
    cursor = db.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own name
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def insert_row(db: sqlite3.Connection, table: str, values: dict[str, Any], *, keep: bool = False) -> None:
    """Inserts a row from elsewhere. Raises ValueError for other columns than the table's, sqlite3.Error.

    keep: a row that is there with the same key stays, instead of an error.
    """
    columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    if values.keys() != columns:
        raise ValueError("other columns than ours")
    names, places = ", ".join(values), ", ".join("?" * len(values))
    insert = "INSERT OR IGNORE" if keep else "INSERT"
    db.execute(f"{insert} INTO {table} ({names}) VALUES ({places})", tuple(values.values()))
