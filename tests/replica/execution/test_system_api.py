"""The system interface: who may call what, what it costs, and that no address leads outside."""

from __future__ import annotations

import pytest

from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.execution import Entry, InstallMode, Outcome
from personal_ai.replica.wasm.binary import I32, I64
from personal_ai.replica.wasm.ic0 import SYSTEM_FUNCTIONS, SystemFunction
from personal_ai.replica.wasm.module import FunctionType
from tests.replica.execution.driver import CANISTER, CYCLES, NOW_NS, OWNER, Driver, error_code, numbers

NAMES = {I32: "i32", I64: "i64"}
EXPORTS = {
    "I": "canister_init",
    "G": "canister_pre_upgrade",
    "U": "canister_update a",
    "RQ": "canister_query a",
    "NRQ": "canister_query a",
    "CQ": "canister_composite_query a",
    "F": "canister_inspect_message",
    "T": "canister_global_timer",
    "s": "start",
}
NOT_FROM_HERE = "cannot be executed"


def imported(name: str, kind: FunctionType) -> str:
    parameters = " ".join(NAMES[each] for each in kind.parameters)
    results = " ".join(NAMES[each] for each in kind.results)
    return f'(import "ic0" "{name}" (func $f (param {parameters}) (result {results})))'


def calling(function: SystemFunction, place: str) -> str:
    """A module that calls the function with zeros from one place."""
    kind = function.type_for(is_64=False)
    body = " ".join(f"({NAMES[each]}.const 0)" for each in kind.parameters) + " call $f" + " drop" * len(kind.results)
    begin = "(start $run)" if place == "s" else f'(export "{EXPORTS[place]}" (func $run))'
    return f"(module {imported(function.name, kind)} (memory 1) (func $run {body}) {begin})"


def run(driver: Driver, place: str, wat: str) -> Outcome:
    """Runs the entry point that belongs to a place."""
    installed = driver.install(wat, InstallMode.REINSTALL)
    if place in ("I", "s"):
        return installed
    if place == "G":
        return driver.install("(module)", InstallMode.UPGRADE)
    if place == "F":
        return driver.inspect("a")
    if place == "T":
        return driver.task(Entry.TIMER)
    return driver.update("a") if place in ("U", "RQ") else driver.query("a")


@pytest.mark.parametrize("place", EXPORTS)
def test_functions_can_be_called_from_their_places_only(empty: Driver, place: str) -> None:
    for function in SYSTEM_FUNCTIONS.values():
        outcome = run(empty, place, calling(function, place))
        refused = outcome.reject is not None and NOT_FROM_HERE in outcome.reject.message
        assert refused == (place not in function.places), (function.name, outcome)
        if refused:
            assert error_code(outcome) == "IC0504"


def wat(functions: dict[str, str], body: str, *, memory: str = "(memory 1)") -> str:
    """A module with the named functions imported and one update method that replies with what it appended."""
    imports = "".join(f'(import "ic0" "{name}" (func ${name} {kind}))' for name, kind in functions.items())
    pointer = "i64" if "i64" in memory else "i32"
    return f"""(module {imports} (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param {pointer} {pointer}))) {memory}
        (func (export "canister_update a") {body} (call $reply)))"""


def test_what_calls_cost(empty: Driver) -> None:
    functions = {
        "time": "(result i64)",
        "performance_counter": "(param i32) (result i64)",
        "is_controller": "(param i32 i32) (result i32)",
        "debug_print": "(param i32 i32)",
        "stable64_size": "(result i64)",
        "msg_arg_data_copy": "(param i32 i32 i32)",
    }
    body = """(drop (call $time)) (drop (call $performance_counter (i32.const 0)))
        (drop (call $is_controller (i32.const 0) (i32.const 10))) (call $debug_print (i32.const 0) (i32.const 7))
        (drop (call $stable64_size)) (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 100))"""
    empty.install(wat(functions, body))
    outcome = empty.update("a", bytes(100))
    wasm = 1 + 5 * 7 + 1 * 4 + 1 * (1 + 2 + 2 + 3)  # function, calls, drops, constants
    system = 500 + 200 + (1000 + 10) + (100 + 7) + 20 + (500 + 100) + 500  # and msg_reply
    assert outcome.instructions == wasm + system + 2 * 80_000  # one page of the heap read and written


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("msg_arg_data_copy", "(param i32 i32 i32)", "(i32.const 65530) (i32.const 0) (i32.const 7)"),
        ("msg_arg_data_copy", "(param i32 i32 i32)", "(i32.const -1) (i32.const 0) (i32.const 1)"),
        ("msg_arg_data_copy", "(param i32 i32 i32)", "(i32.const 0) (i32.const 5) (i32.const 6)"),
        ("msg_arg_data_copy", "(param i32 i32 i32)", "(i32.const 0) (i32.const -1) (i32.const 2)"),
        ("msg_caller_copy", "(param i32 i32 i32)", "(i32.const 0) (i32.const 0) (i32.const 30)"),
        ("debug_print", "(param i32 i32)", "(i32.const 65535) (i32.const 2)"),
        ("msg_reject", "(param i32 i32)", "(i32.const 65536) (i32.const 1)"),
        ("canister_cycle_balance128", "(param i32)", "(i32.const 65521)"),
        ("stable64_read", "(param i64 i64 i64)", "(i64.const 0) (i64.const 0) (i64.const 1)"),
        ("stable64_write", "(param i64 i64 i64)", "(i64.const -1) (i64.const 0) (i64.const 1)"),
        ("is_controller", "(param i32 i32) (result i32)", "(i32.const 0) (i32.const 30) drop"),
        ("env_var_name_size", "(param i32) (result i32)", "(i32.const 0) drop"),
        ("performance_counter", "(param i32) (result i64)", "(i32.const 2) drop"),
    ],
)
def test_nothing_leads_outside(empty: Driver, name: str, kind: str, arguments: str) -> None:
    operands, _, rest = arguments.partition(" drop")
    body = f"{operands} call ${name}" + (" drop" if rest or "drop" in arguments else "")
    empty.install(wat({name: kind}, body))
    outcome = empty.update("a", bytes(10))
    assert error_code(outcome) in ("IC0502", "IC0504"), outcome
    assert not outcome.committed


def test_a_length_of_everything_runs_out_of_instructions(empty: Driver) -> None:
    body = "(call $msg_arg_data_copy (i64.const 0) (i64.const 0) (i64.const -1))"
    empty.install(wat({"msg_arg_data_copy": "(param i64 i64 i64)"}, body, memory="(memory i64 1)"))
    assert error_code(empty.update("a")) == "IC0504"
    body = "(call $debug_print (i64.const 0) (i64.const -1))"
    empty.install(wat({"debug_print": "(param i64 i64)"}, body, memory="(memory i64 1)"), InstallMode.REINSTALL)
    assert error_code(empty.update("a")) == "IC0522"


def test_a_second_answer_is_refused(empty: Driver) -> None:
    empty.install(wat({}, "(call $reply)"))
    assert error_code(empty.update("a")) == "IC0504"


def test_a_reject_message_has_to_be_text(empty: Driver) -> None:
    empty.install(
        """(module (import "ic0" "msg_reject" (func $reject (param i32 i32))) (memory 1) (data (i32.const 0) "\\ff")
           (func (export "canister_update a") (call $reject (i32.const 0) (i32.const 1))))"""
    )
    assert error_code(empty.update("a")) == "IC0504"


def test_cycles_that_come_with_a_message(empty: Driver) -> None:
    functions = {
        "msg_cycles_available128": "(param i32)",
        "msg_cycles_accept128": "(param i64 i64 i32)",
        "msg_cycles_accept": "(param i64) (result i64)",
        "canister_cycle_balance128": "(param i32)",
        "canister_cycle_balance": "(result i64)",
    }
    body = """(call $msg_cycles_available128 (i32.const 0))
        (call $msg_cycles_accept128 (i64.const 0) (i64.const 30) (i32.const 16))
        (i64.store (i32.const 32) (call $msg_cycles_accept (i64.const 1000)))
        (call $canister_cycle_balance128 (i32.const 40)) (i64.store (i32.const 56) (call $canister_cycle_balance))
        (call $append (i32.const 0) (i32.const 64))"""
    empty.install(wat(functions, body))
    outcome = empty.update("a", cycles=100)
    assert outcome.reply == numbers(100, 0, 30, 0, 70, CYCLES + 100, 0, CYCLES + 100)
    assert (outcome.cycles_accepted, empty.state.cycles) == (100, CYCLES + 100)


def test_environment_variables_and_identities(empty: Driver) -> None:
    settings = CanisterSettings(environment_variables=(("KEY", "a value"), ("OTHER", "")))
    with empty.store.transaction():
        empty.store.delete_canister(CANISTER)
    empty.store.create_canister(CANISTER, [OWNER], settings, CYCLES)
    functions = {
        "env_var_count": "(result i32)",
        "env_var_name_copy": "(param i32 i32 i32 i32)",
        "env_var_name_exists": "(param i32 i32) (result i32)",
        "env_var_value_size": "(param i32 i32) (result i32)",
        "env_var_value_copy": "(param i32 i32 i32 i32 i32)",
        "canister_self_copy": "(param i32 i32 i32)",
        "subnet_self_copy": "(param i32 i32 i32)",
        "root_key_copy": "(param i32 i32 i32)",
        "canister_status": "(result i32)",
        "msg_deadline": "(result i64)",
    }
    body = """(call $env_var_name_copy (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3))
        (i32.store8 (i32.const 3) (call $env_var_count))
        (i32.store8 (i32.const 4) (call $env_var_name_exists (i32.const 0) (i32.const 3)))
        (i32.store8 (i32.const 5) (call $env_var_name_exists (i32.const 0) (i32.const 2)))
        (i32.store8 (i32.const 6) (call $env_var_value_size (i32.const 0) (i32.const 3)))
        (call $env_var_value_copy (i32.const 0) (i32.const 3) (i32.const 7) (i32.const 2) (i32.const 5))
        (call $canister_self_copy (i32.const 12) (i32.const 0) (i32.const 10))
        (call $subnet_self_copy (i32.const 22) (i32.const 0) (i32.const 6))
        (call $root_key_copy (i32.const 28) (i32.const 0) (i32.const 8))
        (i32.store8 (i32.const 36) (i32.add (call $canister_status) (i32.wrap_i64 (call $msg_deadline))))
        (call $append (i32.const 0) (i32.const 37))"""
    empty.install(wat(functions, body))
    assert empty.update("a").reply == b"KEY\2\1\0\7value" + CANISTER + b"subnetroot key\1"


def test_the_32_bit_functions_of_stable_memory(empty: Driver) -> None:
    functions = {
        "stable_size": "(result i32)",
        "stable_grow": "(param i32) (result i32)",
        "stable_write": "(param i32 i32 i32)",
        "stable_read": "(param i32 i32 i32)",
        "stable64_grow": "(param i64) (result i64)",
    }
    body = """(i32.store (i32.const 0) (call $stable_grow (i32.const 2)))
        (i32.store (i32.const 4) (call $stable_grow (i32.const 65535)))
        (i32.store (i32.const 8) (call $stable_size))
        (call $stable_write (i32.const 131070) (i32.const 8) (i32.const 2))
        (call $stable_read (i32.const 12) (i32.const 131068) (i32.const 4))
        (call $append (i32.const 0) (i32.const 16))"""
    empty.install(wat(functions, body))
    assert empty.update("a").reply == numbers(0xFFFF_FFFF << 32, 0x0002_0000 << 32 | 2)
    body = "(drop (call $stable64_grow (i64.const 65537))) (drop (call $stable_size))"
    empty.install(wat(functions, body), InstallMode.REINSTALL)
    assert error_code(empty.update("a")) == "IC0502"


def test_stable_memory_ends_at_500_gib(empty: Driver) -> None:
    body = """(i64.store (i32.const 0) (call $stable64_grow (i64.const 8192000)))
        (i64.store (i32.const 8) (call $stable64_grow (i64.const 1))) (call $append (i32.const 0) (i32.const 16))"""
    empty.install(wat({"stable64_grow": "(param i64) (result i64)"}, body))
    assert empty.update("a").reply == numbers(0, 2**64 - 1)
    assert empty.state.stable_pages == 8_192_000


def test_too_much_stable_memory_in_one_message(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personal_ai.replica.system_api.functions.STABLE_LIMIT_QUERY_BYTES", 2 * 65536)
    monkeypatch.setattr("personal_ai.replica.system_api.functions.STABLE_LIMIT_BYTES", 3 * 65536)
    echo.update("stable_write", numbers(0) + bytes(65536))
    assert echo.update("stable_write", numbers(65536) + bytes(3 * 65536)).committed
    assert echo.query("stable_read", numbers(0, 2 * 65536)).reject is None
    assert error_code(echo.query("stable_read", numbers(0, 2 * 65536 + 1))) == "IC0524"
    assert error_code(echo.update("stable_write", numbers(0) + bytes(3 * 65536 + 1))) == "IC0524"


def test_calls_that_wait_for_an_answer_say_that_they_are_missing(empty: Driver) -> None:
    zeros = "(i32.const 0)" * 8
    empty.install(wat({"call_new": "(param i32 i32 i32 i32 i32 i32 i32 i32)"}, f"(call $call_new {zeros})"))
    outcome = empty.update("a")
    assert outcome.reject is not None
    assert "does not offer calls that wait for an answer" in outcome.reject.message


def test_time_stands_still_during_a_message(empty: Driver) -> None:
    body = """(i64.store (i32.const 0) (call $time)) (i64.store (i32.const 8) (call $time))
        (call $append (i32.const 0) (i32.const 16))"""
    empty.install(wat({"time": "(result i64)"}, body))
    assert empty.update("a").reply == numbers(NOW_NS, NOW_NS)


def test_a_failure_of_ours_is_no_trap_of_the_canister(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("personal_ai.replica.system_api.functions.SystemCalls.instructions", broken)
    with pytest.raises(ZeroDivisionError):
        echo.update("spin", numbers(1))
    monkeypatch.undo()
    assert echo.update("spin", numbers(1)).committed
