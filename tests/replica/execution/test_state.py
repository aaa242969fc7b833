"""The folder is whole at any time: what is committed is there after a crash, what is not is not."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.common.errors import StorageError, UnknownVersionError
from personal_ai.replica.canister import CanisterSettings, CanisterState, Global, Status, from_document, to_document
from personal_ai.replica.execution import Entry, Executor, InstallMode, Message
from personal_ai.replica.locks import ReadWriteLock
from personal_ai.replica.memory_files import Piece, create_memory_file
from personal_ai.replica.state import StateStore
from tests.replica.execution.driver import CANISTER, CYCLES, OWNER, Driver, error_code, number, numbers

RUNNER = Path(__file__).parent / "committing.py"


def test_documents_keep_everything() -> None:
    state = CanisterState(
        b"\1\2",
        (b"\4", OWNER),
        CanisterSettings(1, 2, 3, 4, 5, 6, (b"\7", b""), (("a", "b"), ("ä", ""))),
        Status.STOPPING,
        bytes(32),
        2**100,
        7,
        (Global("i32", 1), Global("v128", 2**128 - 1)),
        8,
        9,
        10,
        11,
        b"\xff" * 32,
        2**63,
        99,
    )
    assert from_document(to_document(state)) == state
    plain = CanisterState(b"\1", ())
    assert from_document(to_document(plain)) == plain


def test_a_transaction_is_all_or_nothing(empty: Driver) -> None:
    with pytest.raises(ValueError, match="no"), empty.store.transaction() as db:
        db.execute("CREATE TABLE mine (a)")
        empty.store.save(replace(empty.state, cycles=1))
        assert empty.state.cycles == 1  # as the transaction sees it
        empty.store.create_canister(b"\5", [], CanisterSettings(), 1)
        empty.store.after_commit(lambda: pytest.fail("not committed"))
        raise ValueError("no")
    assert empty.state.cycles == CYCLES
    assert empty.store.canister(b"\5") is None
    assert [state.id for state in empty.reopen().store.canisters()] == [CANISTER]
    with empty.store.transaction() as db, pytest.raises(sqlite3.OperationalError):
        db.execute("SELECT * FROM mine")


def test_a_transaction_inside_another_joins_it(empty: Driver) -> None:
    done: list[str] = []
    with empty.store.transaction() as outer:
        with empty.store.transaction() as inner:
            assert inner is outer
            empty.store.save(replace(empty.state, cycles=2))
            empty.store.after_commit(lambda: done.append("after"))
        assert not done
    assert (done, empty.reopen().state.cycles) == (["after"], 2)


def test_changes_want_a_transaction(empty: Driver) -> None:
    with pytest.raises(RuntimeError):
        empty.store.save(empty.state)
    with pytest.raises(ValueError, match="exists"):
        empty.store.create_canister(CANISTER, [], CanisterSettings(), 1)


def test_other_threads_do_not_see_an_open_transaction(empty: Driver) -> None:
    seen: list[int] = []
    with empty.store.transaction():
        empty.store.save(replace(empty.state, cycles=3))
        thread = threading.Thread(target=lambda: seen.append(empty.state.cycles))
        thread.start()
        thread.join()
    assert (seen, empty.state.cycles) == ([CYCLES], 3)


def test_deleting_leaves_nothing(echo: Driver) -> None:
    echo.update("stable_write", numbers(0) + b"x")
    echo.update("print", b"line")
    echo.store.delete_canister(CANISTER)
    echo.store.delete_canister(CANISTER)
    assert echo.store.canister(CANISTER) is None
    assert not echo.store.canister_folder(CANISTER).exists()
    assert echo.store.log(CANISTER) == ()
    assert error_code(echo.update("echo")) == "IC0301"


def test_a_canister_of_the_same_name_does_not_inherit_memory(echo: Driver, echo_wasm: bytes) -> None:
    echo.update("touch_write", numbers(20 << 20, 65536, 1))
    echo.store.delete_canister(CANISTER)
    echo.store.create_canister(CANISTER, [OWNER], CanisterSettings(), CYCLES)
    assert echo.install(echo_wasm).committed
    crash(echo)  # before the redo log was cut
    assert number(echo.update("touch_read", numbers(20 << 20, 65536, 1))) == 0


def test_a_message_whose_canister_was_deleted_meanwhile_fails(echo: Driver) -> None:
    message = Message(Entry.UPDATE, OWNER, numbers(3_000_000), 1, 40 * 10**9, replicated=True, method="spin")
    started, outcomes = threading.Event(), []

    def run() -> None:
        started.set()
        outcomes.append(echo.executor.execute(CANISTER, message))

    thread = threading.Thread(target=run)
    with echo.store.transaction():  # the message cannot commit before this ends
        thread.start()
        started.wait()
        time.sleep(0.3)
        echo.store.delete_canister(CANISTER)
    thread.join()
    assert error_code(outcomes[0]) == "IC0301"
    assert not echo.store.canister_folder(CANISTER).exists()


def test_files_that_nothing_refers_to_are_removed(echo: Driver) -> None:
    folder = echo.store.canister_folder(CANISTER)
    create_memory_file(folder / "heap-9", 1 << 20)  # an installation that was killed
    create_memory_file(folder.parent / "0102" / "heap-1", 1 << 20)
    echo.reopen()
    assert [path.name for path in folder.iterdir()] == ["heap-1"]
    assert not (folder.parent / "0102").exists()
    assert echo.update("echo", b"x").reply == b"x"


def test_modules_nobody_uses_are_forgotten(echo: Driver, echo_wasm: bytes) -> None:
    old = echo.state.module_hash
    assert old is not None
    other = echo_wasm + b"\0\x02\x01a"  # an empty custom section
    assert echo.install(other, InstallMode.UPGRADE).committed
    assert echo.store.wasm(old) == echo_wasm
    echo.reopen()
    assert echo.store.wasm(old) is None
    assert echo.state.module_hash is not None
    assert echo.store.wasm(echo.state.module_hash) == other


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    with store.transaction() as db:
        db.execute("PRAGMA user_version = 2")
    store.close()
    with pytest.raises(UnknownVersionError):
        StateStore(tmp_path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"something else, long enough to be looked at" * 100)
    with pytest.raises(StorageError):
        StateStore(tmp_path)


def test_a_full_disk_takes_the_message_back(echo: Driver) -> None:
    echo.update("inc")
    with echo.store.transaction() as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StorageError):
        echo.update("touch_write", numbers(0, 4 << 20, 4096))
    assert number(echo.query("get")) == 1
    with echo.store.transaction() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    assert number(echo.update("inc")) == 2


# ---- crashes


def crash(driver: Driver) -> None:
    """Opens the folder again as if the process had been killed: nothing was closed or tidied up."""
    abandoned = driver.store
    driver.store = StateStore(driver.folder)
    driver.executor = Executor(driver.store)
    abandoned._db.close()


def test_what_reached_only_the_log_is_written_again(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    echo.update("inc")
    with monkeypatch.context() as patch:
        patch.setattr("personal_ai.replica.state.write_piece", lambda piece: written.append(piece.path))
        assert echo.update("count_everywhere").committed
    assert {path.name for path in written} == {"heap-1", "stable-1"}
    assert not written[-1].exists()
    crash(echo)
    assert number(echo.query("get")) == 2
    assert number(echo.query("stable_read", numbers(200_000, 8))) == 2
    assert number(echo.reopen().query("get")) == 2


def test_a_disk_that_fails_after_the_commit_needs_a_restart(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("Could not write heap-1: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("personal_ai.replica.state.write_piece", full)
        with pytest.raises(StorageError, match="start the practice network again"):
            echo.update("inc")
    for run in (lambda: echo.query("get"), lambda: echo.update("inc")):  # never half a message
        with pytest.raises(StorageError, match="disk is full"):
            run()
    assert number(echo.reopen().query("get")) == 1


def test_the_log_is_cut_when_it_grows(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def logged() -> int:
        with echo.store.transaction() as db:
            return int(db.execute("SELECT count(*) FROM redo").fetchone()[0])

    echo.update("inc")
    assert logged() > 0
    monkeypatch.setattr("personal_ai.replica.state.REDO_LIMIT_BYTES", 1 << 20)
    echo.update("touch_write", numbers(0, 2 << 20, 4096))
    assert logged() == 0
    crash(echo)
    assert number(echo.query("get")) == 1


def test_changes_are_logged_in_pieces(empty: Driver) -> None:
    path = empty.store.heap_path(CANISTER, 0)
    content = os.urandom((2 << 20) + 5)
    with empty.store.transaction():
        empty.store.write_pieces([Piece(path, 7, content)])
    assert path.read_bytes() == bytes(7) + content
    path.write_bytes(b"")
    crash(empty)
    assert path.read_bytes() == bytes(7) + content


@pytest.mark.parametrize("moment", ["logging", "before the commit", "after the commit", "writing", "anywhere"])
def test_killed_at_any_moment_the_state_is_before_or_after(tmp_path: Path, echo_wasm: bytes, moment: str) -> None:
    """A process counts in heap, stable memory, certified data and a table of the caller's; then it is killed."""
    module = tmp_path / "echo.wasm"
    module.write_bytes(echo_wasm)
    folder = tmp_path / "state"
    acknowledged = 0
    for round_ in range(3):
        command = [sys.executable, str(RUNNER), str(folder), str(module), moment, str(round_)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged = int(line)
                if moment == "anywhere" and acknowledged % 7 == 6:
                    time.sleep(0.002 * round_)
                    process.kill()
        assert process.returncode == -signal.SIGKILL
        found = _counted(folder)
        assert len(set(found)) == 1, f"half a message: {found}"
        assert found[0] in (acknowledged, acknowledged + 1)
        acknowledged = found[0]


def _counted(folder: Path) -> list[int]:
    store = StateStore(folder)
    executor = Executor(store)
    state = store.canister(CANISTER)
    assert state is not None
    queries = [("get", b""), ("stable_read", numbers(200_000, 8))]
    found = []
    for method, arg in queries:
        message = Message(Entry.QUERY, OWNER, arg, 1, 10**9, replicated=False, method=method)
        found.append(number(executor.execute(CANISTER, message)))
    found.append(int.from_bytes(state.certified_data, "little"))
    with store.transaction() as db:
        found.append(db.execute("SELECT count(*) FROM calls").fetchone()[0])
    store.close()
    return found


# ---- the lock of the files


def test_a_writer_waits_for_readers_and_goes_before_new_ones() -> None:
    lock = ReadWriteLock()
    order: list[str] = []
    reading, release = threading.Event(), threading.Event()

    def first_reader() -> None:
        with lock.reading():
            reading.set()
            release.wait()
            order.append("first reader")

    def writer() -> None:
        with lock.writing():
            order.append("writer")

    def second_reader() -> None:
        with lock.reading():
            order.append("second reader")

    threads = [threading.Thread(target=first_reader)]
    threads[0].start()
    reading.wait()
    threads.append(threading.Thread(target=writer))
    threads[1].start()
    while not lock._waiting_writers:
        time.sleep(0.001)
    threads.append(threading.Thread(target=second_reader))
    threads[2].start()
    time.sleep(0.05)
    assert not order
    release.set()
    for thread in threads:
        thread.join()
    assert order == ["first reader", "writer", "second reader"]
