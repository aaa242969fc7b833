from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from personal_ai.common.sqlite_rows import insert_row, read_rows


def test_rows_go_out_and_in() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE one (a INTEGER, b TEXT) STRICT")
        insert_row(db, "one", {"b": "x", "a": 1})
        assert read_rows(db, "one") == [{"a": 1, "b": "x"}]
        for wrong in ({"a": 1}, {"a": 1, "b": "x", "c": 2}, {"a": 1, 'b") --': "x"}):
            with pytest.raises(ValueError, match="columns"):
                insert_row(db, "one", wrong)
        with pytest.raises(sqlite3.Error):
            insert_row(db, "one", {"a": "no number", "b": "x"})
        assert len(read_rows(db, "one")) == 1
