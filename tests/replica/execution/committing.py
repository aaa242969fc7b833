"""Commits messages until it is killed, by itself at a given moment of a commit or by its parent.

Arguments: state folder, module, moment, round. Writes the number of each message once it is acknowledged.
"""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from personal_ai.replica import state as state_module
from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.execution import Entry, Executor, InstallMode, Message, Outcome
from personal_ai.replica.memory_files import Piece, write_piece
from personal_ai.replica.state import StateStore

CANISTER = b"\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01"
OWNER = b"\x01" * 29


def main() -> None:
    folder, module, moment, round_ = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    store = StateStore(folder)
    executor = Executor(store)
    if store.canister(CANISTER) is None:
        store.create_canister(CANISTER, [OWNER], CanisterSettings(), 10**12)
        message = Message(Entry.INIT, OWNER, b"", 1, 300 * 10**9, replicated=True)
        assert executor.install(CANISTER, module.read_bytes(), InstallMode.INSTALL, message).committed
        with store.transaction() as db:
            db.execute("CREATE TABLE calls (n INTEGER)")
    with store.transaction() as db:
        (count,) = db.execute("SELECT count(*) FROM calls").fetchone()
    for n in itertools.count(1):
        if n == 3 + round_:
            die_at(moment)

        def record(db: sqlite3.Connection, outcome: Outcome) -> None:
            assert outcome.committed
            db.execute("INSERT INTO calls VALUES (1)")

        message = Message(Entry.UPDATE, OWNER, b"", 1, 10**9, replicated=True, method="count_everywhere")
        outcome = executor.execute(CANISTER, message, record)
        assert outcome.reply == (count + n).to_bytes(8, "little"), outcome
        print(count + n, flush=True)


def die_at(moment: str) -> None:
    """Arranges that the next commit dies half way."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "logging":
        log = StateStore._log

        def log_half(self: StateStore, pieces: list[Piece]) -> None:
            log(self, pieces[: len(pieces) // 2])
            die()

        StateStore._log = log_half  # type: ignore[method-assign]
    elif moment == "before the commit":
        log_all = StateStore._log

        def log_then_die(self: StateStore, pieces: list[Piece]) -> None:
            log_all(self, pieces)
            die()

        StateStore._log = log_then_die  # type: ignore[method-assign]
    elif moment == "after the commit":
        StateStore._apply = die  # type: ignore[method-assign,assignment]
    elif moment == "writing":
        write = write_piece
        written = 0

        def write_some(piece: Piece) -> None:
            nonlocal written
            written += 1
            if written == 2:
                write(replace(piece, content=piece.content[: len(piece.content) // 2]))
                die()
            write(piece)

        state_module.write_piece = write_some  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
