"""Messages against the echo canister: all effects or none, and nothing from those that may have none."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace

import pytest

from personal_ai.replica.canister import CanisterSettings, CanisterState, Status
from personal_ai.replica.execution import Entry, Message, Outcome, RejectCode
from tests.replica.execution.driver import CANISTER, CYCLES, NOW_NS, STRANGER, Driver, error_code, number, numbers

EFFECTS = ("globals", "heap_pages", "stable_pages", "certified_data", "global_timer_ns", "canister_version", "cycles")


def effects(state: CanisterState) -> list[object]:
    return [getattr(state, name) for name in EFFECTS]


def test_an_update_answers_and_is_kept(echo: Driver) -> None:
    outcome = echo.update("echo", b"hello")
    assert (outcome.reply, outcome.reject, outcome.committed) == (b"hello", None, True)
    assert [number(echo.update("inc")) for _ in range(3)] == [1, 2, 3]
    assert number(echo.query("get")) == 3
    assert number(echo.reopen().query("get")) == 3


def test_large_arguments_and_replies(echo: Driver) -> None:
    content = bytes(range(256)) * (1 << 13)  # 2 MiB: the largest reply of an update
    assert echo.update("echo", content).reply == content
    assert error_code(echo.update("echo", content + b"x")) == "IC0504"
    content += content[: 1 << 20]  # 3 MiB: the largest reply of a query
    assert echo.query("echo_query", content).reply == content


@pytest.mark.usefixtures("compared_heap")
def test_everything_works_without_mapped_memory(echo: Driver) -> None:
    assert [number(echo.update("inc")) for _ in range(3)] == [1, 2, 3]
    assert error_code(echo.update("trap_after_write")) == "IC0503"
    outcome = echo.update("touch_write", numbers(10 << 20, 5 << 20, 1 << 16))
    assert outcome.pages_dirtied >= 80
    assert outcome.instructions >= 80 * 160_000
    assert number(echo.query("inc_query")) == 4
    assert number(echo.reopen().query("get")) == 3


def test_a_trap_takes_everything_back(echo: Driver) -> None:
    echo.update("inc")
    before = effects(echo.state)
    outcome = echo.update("trap_after_write")
    assert outcome.reject is not None
    assert outcome.reject.code is RejectCode.CANISTER_ERROR
    assert "after writing" in outcome.reject.message
    assert (outcome.committed, error_code(outcome)) == (False, "IC0503")
    assert effects(echo.state) == before
    assert number(echo.query("get")) == 1
    assert echo.query("stable_read", numbers(0, 7)).reject is not None  # never grew


def test_a_query_changes_nothing(echo: Driver) -> None:
    echo.update("inc")
    before = effects(echo.state)
    assert number(echo.query("inc_query")) == 2
    assert number(echo.query("inc_query")) == 2
    assert number(echo.query("stable_write_query", numbers(0) + b"x")) == 1
    assert effects(echo.state) == before
    assert error_code(echo.query("stable_read", numbers(0, 1))) == "IC0502"


def test_a_query_called_as_an_update_changes_nothing_either(echo: Driver) -> None:
    before = effects(echo.state)
    outcome = echo.update("inc_query")
    assert (number(outcome), outcome.committed) == (1, False)
    assert effects(echo.state) == before
    assert number(echo.query("get")) == 0


def test_a_reject_is_an_answer_and_keeps_the_changes(echo: Driver) -> None:
    outcome = echo.update("refuse")
    assert outcome.reject is not None
    assert (outcome.reject.code, outcome.reject.message) == (RejectCode.CANISTER_REJECT, "no")
    assert (outcome.reject.error_code, outcome.committed) == ("IC0406", True)
    assert number(echo.query("get")) == 1


def test_no_answer_keeps_the_changes_too(echo: Driver) -> None:
    outcome = echo.update("silent")
    assert (error_code(outcome), outcome.committed) == ("IC0506", True)
    assert number(echo.query("get")) == 1


def test_inspection_lets_in_or_not(echo: Driver) -> None:
    assert echo.inspect("echo").accepted
    assert not echo.inspect("private").accepted


def test_without_inspection_everybody_is_let_in(empty: Driver) -> None:
    empty.install('(module (func (export "canister_update a")))')
    assert empty.inspect("a").accepted


@pytest.mark.parametrize(("method", "entry"), [("nothing", "update"), ("get", "unknown"), ("echo", "query")])
def test_unknown_methods(echo: Driver, method: str, entry: str) -> None:
    run = echo.query if entry == "query" else echo.update
    outcome = run(method if entry != "unknown" else "gets")
    assert error_code(outcome) == "IC0536"


def test_messages_to_nobody(empty: Driver) -> None:
    assert error_code(empty.update("echo")) == "IC0537"
    assert error_code(empty.query("echo")) == "IC0537"
    message = Message(Entry.QUERY, b"\x04", b"", NOW_NS, 1000, replicated=False, method="echo")
    outcome = empty.executor.execute(b"\x07", message)
    assert outcome.reject is not None
    assert (outcome.reject.code, outcome.reject.error_code) == (RejectCode.DESTINATION_INVALID, "IC0301")


@pytest.mark.parametrize(("status", "code"), [(Status.STOPPED, "IC0508"), (Status.STOPPING, "IC0509")])
def test_a_stopped_canister_does_not_answer(echo: Driver, status: Status, code: str) -> None:
    with echo.store.transaction():
        echo.store.save(replace(echo.state, status=status))
    assert error_code(echo.update("echo")) == code
    assert error_code(echo.query("get")) == code


def test_the_limit_of_instructions_ends_a_message(echo: Driver) -> None:
    used = echo.update("spin", numbers(100_000)).instructions
    assert 5 * 100_000 < used < 20 * 100_000
    outcome = echo.update("spin", numbers(10**18), limit=10_000_000)
    assert (error_code(outcome), outcome.instructions, outcome.committed) == ("IC0522", 10_000_000, False)
    assert echo.update("spin", numbers(100_000), limit=used).reject is None
    assert error_code(echo.update("spin", numbers(100_000), limit=used - 1)) == "IC0522"


def test_page_touches_alone_can_end_a_message(echo: Driver) -> None:
    argument = numbers(10 << 20, 100 * 65536, 65536)
    echo.update("touch_read", argument)  # grows the heap
    outcome = echo.update("touch_read", argument)
    assert error_code(echo.update("touch_read", argument, limit=outcome.instructions - 100)) == "IC0522"
    assert error_code(echo.query("touch_read_query", argument, limit=100 * 80_000)) == "IC0522"


@pytest.mark.parametrize(("method", "text"), [("out_of_bounds", "heap out of bounds"), ("recurse", "out of bounds")])
def test_traps_say_what_happened(echo: Driver, method: str, text: str) -> None:
    outcome = echo.update(method)
    assert outcome.reject is not None
    assert outcome.reject.error_code == "IC0502"
    assert text in outcome.reject.message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "division by 0"),
        ("(drop (i32.load (i32.const -1)))", "heap out of bounds"),
        ("(call_indirect (type $v) (i32.const 7))", "table out of bounds"),
        ("(call_indirect (type $v) (i32.const 0))", "to null"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "integer"),
        ("(call $again)", "stack overflow"),
    ],
)
def test_traps_of_the_machine(empty: Driver, body: str, text: str) -> None:
    empty.install(
        f"""(module (type $v (func)) (memory 1) (table 1 funcref)
            (func $again (export "canister_update a") {body} {body if "again" in body else ""}))"""
    )
    outcome = empty.update("a")
    assert outcome.reject is not None
    assert outcome.reject.error_code == "IC0502"
    assert text in outcome.reject.message


def test_timers_fire_and_are_off_then(echo: Driver) -> None:
    assert number(echo.update("set_timer", numbers(5))) == 0
    assert echo.state.global_timer_ns == 5
    assert number(echo.update("set_timer", numbers(7))) == 5
    assert echo.task(Entry.TIMER).committed
    assert echo.state.global_timer_ns == 0
    assert error_code(echo.task(Entry.HEARTBEAT)) == "IC0536"


def test_a_timer_that_traps_is_off_too(empty: Driver) -> None:
    empty.install(
        """(module (import "ic0" "global_timer_set" (func $set (param i64) (result i64)))
           (func (export "canister_init") (drop (call $set (i64.const 9))))
           (func (export "canister_global_timer") unreachable))"""
    )
    assert empty.state.global_timer_ns == 9
    assert error_code(empty.task(Entry.TIMER)) == "IC0502"
    assert empty.state.global_timer_ns == 0


def test_what_a_canister_learns(echo: Driver) -> None:
    version = echo.state.canister_version
    facts = echo.query("facts").reply
    assert facts == numbers(0, 1, CYCLES, version, NOW_NS, 1, 0)
    replicated = echo.update("facts", caller=STRANGER).reply
    assert replicated == numbers(0, 1, CYCLES, version, NOW_NS, 0, 1)
    assert echo.query("caller", caller=b"\x09" * 29).reply == b"\x09" * 29


def test_cycles_are_burned_when_the_message_succeeds(echo: Driver) -> None:
    outcome = echo.update("burn", numbers(1000))
    assert (number(outcome), outcome.cycles_burned) == (1000, 1000)
    assert echo.state.cycles == CYCLES - 1000
    assert number(echo.update("burn", numbers(CYCLES))) == CYCLES - 1000
    assert echo.state.cycles == 0


def test_certified_data(echo: Driver) -> None:
    assert echo.update("certify", b"\x05" * 32).committed
    assert echo.state.certified_data == b"\x05" * 32
    assert error_code(echo.update("certify", b"\x05" * 33)) == "IC0504"
    assert echo.query("certificate").reply == b""
    assert echo.query("certificate", data_certificate=b"signed").reply == b"signed"
    assert echo.update("certificate").reply == b""
    assert error_code(echo.query("certify_in_query")) == "IC0504"


def test_stable_memory_is_kept(echo: Driver) -> None:
    assert number(echo.update("stable_write", numbers(3 * 65536 - 2) + b"abcd")) == 4
    assert echo.query("stable_read", numbers(3 * 65536 - 3, 6)).reply == b"\0abcd\0"
    assert echo.reopen().query("stable_read", numbers(3 * 65536 - 3, 6)).reply == b"\0abcd\0"


def test_logs_hold_lines_and_traps(echo: Driver) -> None:
    echo.update("print", b"one line")
    echo.update("trap_after_write")
    echo.query("get")
    first, second = echo.store.log(CANISTER)
    assert (first.index, first.time_ns, first.content) == (0, NOW_NS, b"one line")
    assert b"after writing" in second.content
    for n in range(10):
        echo.update("print", b"x" * 1000 + str(n).encode())
    kept = echo.store.log(CANISTER)
    assert [record.index for record in kept] == [8, 9, 10, 11]
    assert sum(len(record.content) for record in kept) <= 4096


def test_a_heap_above_the_settings_limit_takes_the_message_back(empty: Driver, echo_wasm: bytes) -> None:
    with empty.store.transaction():
        empty.store.save(replace(empty.state, settings=CanisterSettings(wasm_memory_limit=8 << 20)))
    assert empty.install(echo_wasm).committed
    assert empty.update("inc").committed
    outcome = empty.update("touch_write", numbers(0, 9 << 20, 1 << 20))
    assert (error_code(outcome), outcome.reply, outcome.committed) == ("IC0539", None, False)
    assert number(empty.query("get")) == 1


# ---- what the caller records with a message


def rows(driver: Driver) -> list[tuple[object, ...]]:
    with driver.store.transaction() as db:
        return list(db.execute("SELECT * FROM calls"))


def test_the_callers_record_commits_with_the_message(echo: Driver) -> None:
    with echo.store.transaction() as db:
        db.execute("CREATE TABLE calls (reply BLOB, counter INTEGER)")

    def record(db: sqlite3.Connection, outcome: Outcome) -> None:
        state = echo.store.canister(CANISTER)
        assert state is not None
        db.execute("INSERT INTO calls VALUES (?, ?)", (outcome.reply, state.canister_version))

    version = echo.state.canister_version
    echo.update("echo", b"a", record=record)
    echo.update("trap_after_write", record=record)
    echo.update("nothing", record=record)
    echo.query("echo_query", b"b", record=record)
    assert rows(echo) == [(b"a", version + 1), (None, version + 1), (None, version + 1), (b"b", version + 1)]


def test_a_record_that_fails_takes_the_message_back(echo: Driver) -> None:
    def record(db: sqlite3.Connection, outcome: Outcome) -> None:
        assert outcome.committed
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        echo.update("inc", record=record)
    assert number(echo.query("get")) == 0
    assert number(echo.update("inc")) == 1


def test_no_message_inside_a_transaction(echo: Driver) -> None:
    with echo.store.transaction(), pytest.raises(RuntimeError, match="record"):
        echo.update("inc")


# ---- several threads


def test_updates_and_queries_from_several_threads(echo: Driver) -> None:
    failures: list[object] = []

    def updates() -> None:
        for _ in range(20):
            outcome = echo.update("inc")
            if outcome.reject is not None:
                failures.append(outcome)

    def queries() -> None:
        last = 0
        for _ in range(60):
            seen = number(echo.query("get"))
            if seen < last or error_code(echo.query("certify_in_query")) != "IC0504":
                failures.append(seen)
            last = seen

    threads = [threading.Thread(target=run) for run in (updates, queries, updates, queries)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert number(echo.query("get")) == 40


def test_a_query_sees_one_state_while_updates_commit(echo: Driver) -> None:
    """A long query reads a range twice; updates change the range in between, but never under it."""
    argument = numbers(10 << 20, 512 * 65536, 65536)
    echo.update("touch_write", argument)
    stop = threading.Event()
    failures: list[int] = []

    def queries() -> None:
        while not stop.is_set():
            total = number(echo.query("touch_read_query", argument))
            if total % 512:  # every commit adds one to each of the 512 bytes
                failures.append(total)

    thread = threading.Thread(target=queries)
    thread.start()
    for _ in range(25):
        assert echo.update("touch_write", argument).committed
    stop.set()
    thread.join()
    assert not failures
