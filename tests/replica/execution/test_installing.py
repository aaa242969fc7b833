"""Installing, upgrading and removing modules, each as one unit."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.execution import InstallMode, Outcome
from tests.replica.execution.driver import CANISTER, CYCLES, OWNER, Driver, error_code, number, numbers
from tests.support.programs import with_custom_section

UPGRADE, REINSTALL = InstallMode.UPGRADE, InstallMode.REINSTALL
KEEPING = ("icp:private enhanced-orthogonal-persistence", b"")


def memory_files(driver: Driver) -> list[str]:
    return sorted(path.name for path in driver.store.canister_folder(CANISTER).iterdir())


def test_the_hash_is_of_what_was_sent(empty: Driver, echo_wasm: bytes) -> None:
    packed = gzip.compress(echo_wasm, mtime=0)
    assert empty.install(packed).committed
    assert empty.state.module_hash == hashlib.sha256(packed).digest()
    assert empty.update("echo", b"x").reply == b"x"
    assert empty.reopen().update("echo", b"y").reply == b"y"


def test_installing_costs_instructions_for_the_module(empty: Driver) -> None:
    outcome = empty.install('(module (func (export "canister_query a") nop nop))')
    assert outcome.instructions == 20_000_000 + 3 * 6_000  # nop nop end
    outcome = empty.install('(module (func (export "canister_init") nop))', REINSTALL)
    assert outcome.instructions == 20_000_000 + 2 * 6_000 + 1 + 1


def test_a_module_too_large_for_the_limit(empty: Driver, echo_wasm: bytes) -> None:
    assert error_code(empty.install(echo_wasm, limit=21_000_000)) == "IC0522"
    assert empty.state.module_hash is None


@pytest.mark.parametrize("wasm", [b"", b"\0asm\x01\0\0\0\x01", gzip.compress(b"no module", mtime=0)])
def test_no_module_at_all(empty: Driver, wasm: bytes) -> None:
    outcome = empty.install(wasm)
    assert (error_code(outcome), outcome.committed) == ("IC0505", False)
    assert empty.state.module_hash is None


def test_modes_fit_what_is_there(empty: Driver, echo_wasm: bytes) -> None:
    assert error_code(empty.install(echo_wasm, UPGRADE)) == "IC0537"
    assert empty.install(echo_wasm).committed
    assert error_code(empty.install(echo_wasm)) == "IC0538"
    assert empty.install(echo_wasm, UPGRADE).committed
    assert empty.install(echo_wasm, REINSTALL).committed


def test_an_init_that_traps_installs_nothing(empty: Driver, echo_wasm: bytes) -> None:
    outcome = empty.install(echo_wasm, arg=b"trap")
    assert (error_code(outcome), outcome.committed) == ("IC0503", False)
    assert empty.state.module_hash is None
    assert memory_files(empty) == []
    assert b"in init" in empty.store.log(CANISTER)[-1].content
    assert empty.install(echo_wasm).committed


def test_reinstalling_begins_anew(echo: Driver, echo_wasm: bytes) -> None:
    echo.update("inc")
    echo.update("stable_write", numbers(0) + b"kept?")
    echo.update("certify", b"data")
    echo.update("set_timer", numbers(9))
    assert echo.install(echo_wasm, REINSTALL).committed
    assert number(echo.query("get")) == 0
    assert (echo.state.stable_pages, echo.state.certified_data, echo.state.global_timer_ns) == (0, b"", 0)
    assert number(echo.update("stable_write", numbers(0) + b"x")) == 1
    assert echo.query("stable_read", numbers(0, 5)).reply == b"x\0\0\0\0"
    assert memory_files(echo) == ["heap-2", "stable-2"]


def test_an_upgrade_keeps_stable_memory_and_drops_the_heap(echo: Driver, echo_wasm: bytes) -> None:
    for _ in range(3):
        echo.update("inc")
    echo.update("certify", b"data")
    echo.update("set_timer", numbers(9))
    version = echo.state.canister_version
    assert echo.install(echo_wasm, UPGRADE).committed
    assert number(echo.query("get")) == 0
    assert echo.query("stable_read", numbers(65528, 8)).reply == numbers(3)  # what pre_upgrade wrote
    assert (echo.state.certified_data, echo.state.global_timer_ns) == (b"data", 0)
    assert echo.state.canister_version == version + 1
    assert (echo.state.controllers, echo.state.cycles) == ((OWNER,), CYCLES)


def test_an_upgrade_that_traps_changes_nothing(echo: Driver, echo_wasm: bytes) -> None:
    echo.update("inc")
    before = echo.state
    files = memory_files(echo)
    assert error_code(echo.install(echo_wasm, UPGRADE, arg=b"trap")) == "IC0503"  # post_upgrade, after pre_upgrade
    assert (echo.state, memory_files(echo)) == (before, files)
    assert number(echo.query("get")) == 1
    assert echo.query("stable_read", numbers(65528, 8)).reject is not None


def test_pre_upgrade_may_trap_and_be_skipped(echo: Driver, echo_wasm: bytes) -> None:
    for _ in range(7):
        echo.update("inc")
    assert error_code(echo.install(echo_wasm, UPGRADE)) == "IC0503"
    assert number(echo.query("get")) == 7
    assert echo.install(echo_wasm, UPGRADE, skip_pre_upgrade=True).committed
    assert number(echo.query("get")) == 0


def test_an_upgrade_may_keep_the_heap(empty: Driver, echo_wasm: bytes) -> None:
    module = with_custom_section(echo_wasm, *KEEPING)
    assert empty.install(module).committed
    for _ in range(5):
        empty.update("inc")
    empty.update("touch_write", numbers(20 << 20, 65536, 65536))
    pages = empty.state.heap_pages
    assert empty.install(module, UPGRADE, keep_memory=True).committed
    assert empty.state.heap_pages == pages
    assert number(empty.query("get")) == 5
    assert number(empty.update("touch_read", numbers(20 << 20, 65536, 65536))) == 1
    assert number(empty.reopen().update("inc")) == 6
    assert empty.install(module, UPGRADE, keep_memory=False).committed
    assert number(empty.query("get")) == 0


KEPT = """(module (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (memory 2) (global $g (mut i32) (i32.const 0)) (data (i32.const 0) "image {name}")
  (func (export "canister_pre_upgrade") (i32.store (i32.const 100) (i32.const 0x21676e61)))
  (func (export "canister_update set") (i32.store (i32.const 0) (i32.const 0x74706573)) (call $reply))
  (func (export "canister_query get") (call $append (i32.const 0) (i32.const 104)) (call $reply)))"""


def test_a_kept_heap_shows_no_image_of_the_new_module_but_what_pre_upgrade_wrote(empty: Driver) -> None:
    def module(name: str) -> bytes:
        return with_custom_section(bytes(wasmtime.wat2wasm(KEPT.replace("{name}", name))), *KEEPING)

    assert empty.install(module("one")).committed
    empty.update("set")
    outcome = empty.install(module("two"), UPGRADE, keep_memory=True)
    assert (outcome.committed, outcome.pages_dirtied) == (True, 1)  # by pre_upgrade, counted once
    reply = empty.query("get").reply
    assert reply is not None
    assert (reply[:10].rstrip(b"\0"), reply[100:]) == (b"septe one", b"ang!")


def test_keeping_the_heap_needs_modules_made_for_it(empty: Driver, echo_wasm: bytes) -> None:
    empty.install(echo_wasm)
    assert error_code(empty.install(echo_wasm, UPGRADE, keep_memory=True)) == "IC0504"
    made_for_it = with_custom_section(echo_wasm, *KEEPING)
    assert empty.install(made_for_it, UPGRADE, keep_memory=True).committed
    assert error_code(empty.install(echo_wasm, UPGRADE)) == "IC0504"
    assert empty.install(echo_wasm, UPGRADE, keep_memory=False).committed


def test_start_runs_before_init(empty: Driver) -> None:
    wat = """(module (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (memory 1) (global $g (mut i64) (i64.const 0))
        (func $start (global.set $g (i64.const 40))) (start $start)
        (func (export "canister_init") (global.set $g (i64.add (global.get $g) (i64.const 2))))
        (func (export "canister_query get") (i64.store (i32.const 0) (global.get $g))
            (call $append (i32.const 0) (i32.const 8)) (call $reply)))"""
    assert empty.install(wat).committed
    assert number(empty.query("get")) == 42


def test_start_may_not_call_everything(empty: Driver) -> None:
    wat = '(module (import "ic0" "time" (func $time (result i64))) (func $s (drop (call $time))) (start $s))'
    assert error_code(empty.install(wat)) == "IC0504"


def test_data_outside_the_memory_is_refused(empty: Driver) -> None:
    assert error_code(empty.install('(module (memory 1) (data (i32.const 65536) "x"))')) == "IC0505"


def test_all_kinds_of_globals_are_kept(empty: Driver) -> None:
    wat = """(module (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32))) (memory 1)
        (global $a (mut i32) (i32.const -1)) (global $b (mut i64) (i64.const 1)) (global $fixed i64 (i64.const 7))
        (global $c (mut f32) (f32.const 0)) (global $d (mut f64) (f64.const 0))
        (global $e (mut v128) (v128.const i64x2 0 0))
        (func (export "canister_update set") (global.set $a (i32.const -5)) (global.set $b (i64.const -6))
            (global.set $c (f32.const 1.5)) (global.set $d (f64.const nan))
            (global.set $e (v128.const i64x2 -1 9)) (call $reply))
        (func (export "canister_query get") (i32.store (i32.const 0) (global.get $a))
            (i64.store (i32.const 4) (global.get $b)) (f32.store (i32.const 12) (global.get $c))
            (f64.store (i32.const 16) (global.get $d)) (v128.store (i32.const 24) (global.get $e))
            (call $append (i32.const 0) (i32.const 40)) (call $reply)))"""
    empty.install(wat)
    assert empty.update("set").committed
    expected = b"\xfb\xff\xff\xff" + numbers(2**64 - 6) + b"\0\0\xc0\x3f" + b"\0" * 6 + b"\xf8\x7f"
    assert empty.query("get").reply == expected + b"\xff" * 8 + numbers(9)
    assert empty.reopen().query("get").reply == expected + b"\xff" * 8 + numbers(9)


def test_a_64_bit_memory(empty: Driver) -> None:
    wat = """(module (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_arg_data_size" (func $size (result i64)))
        (import "ic0" "msg_arg_data_copy" (func $copy (param i64 i64 i64)))
        (import "ic0" "msg_reply_data_append" (func $append (param i64 i64))) (memory i64 1)
        (func (export "canister_update keep") (drop (memory.grow (i64.const 70000)))
            (call $copy (i64.const 4500000000) (i64.const 0) (call $size)) (call $reply))
        (func (export "canister_query get") (call $append (i64.const 4500000000) (i64.const 4)) (call $reply)))"""
    assert empty.install(wat).committed
    assert empty.query("get").reject is not None
    assert error_code(empty.update("keep", b"high")) == "IC0539"  # the settings' default limit is 3 GiB
    with empty.store.transaction():
        empty.store.save(replace(empty.state, settings=CanisterSettings(wasm_memory_limit=0)))
    assert empty.update("keep", b"high").committed
    assert empty.state.heap_pages == 70001
    assert empty.reopen().query("get").reply == b"high"


def test_uninstalling_leaves_the_shell(echo: Driver) -> None:
    seen: list[Outcome] = []

    def record(_: sqlite3.Connection, outcome: Outcome) -> None:
        seen.append(outcome)

    echo.update("stable_write", numbers(0) + b"gone")
    outcome = echo.executor.uninstall(CANISTER, record)
    assert seen == [outcome]
    assert (echo.state.module_hash, echo.state.heap_pages, echo.state.stable_pages) == (None, 0, 0)
    assert (echo.state.controllers, echo.state.cycles) == ((OWNER,), CYCLES)
    assert memory_files(echo) == []
    assert error_code(echo.update("echo")) == "IC0537"
    assert error_code(echo.executor.uninstall(b"\x07")) == "IC0301"


def test_metadata_and_methods_of_the_installed_module(echo: Driver) -> None:
    interface = echo.executor.interface(CANISTER)
    assert interface is not None
    assert interface.metadata["candid:service"].public
    assert interface.methods["echo_query"] == "query"
    assert echo.executor.interface(b"\x07") is None


# ---- compiled modules on disk


def compiled_files(driver: Driver) -> list[Path]:
    return list(driver.store.compiled_folder.iterdir())


def test_a_compiled_module_is_used_again(echo: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(compiled_files(echo)) == 1
    monkeypatch.setattr("personal_ai.replica.wasm.compiled.instrument", lambda _: pytest.fail("compiled again"))
    assert echo.reopen().update("echo", b"x").reply == b"x"


@pytest.mark.parametrize("damage", ["flip", "cut", "other key", "delete"])
def test_a_foreign_or_damaged_compiled_module_is_never_loaded(echo: Driver, damage: str) -> None:
    (path,) = compiled_files(echo)
    content = path.read_bytes()
    if damage == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(content[:20])
    elif damage == "delete":
        path.unlink()
    else:
        with echo.store.transaction() as db:
            db.execute("UPDATE meta SET value = ? WHERE name = 'compiled key'", (bytes(32),))
    assert echo.reopen().update("echo", b"x").reply == b"x"
    assert path.read_bytes()[32:] == content[32:]  # made anew
