"""Hostile modules: every one is refused with a WasmError that says why, or it runs."""

from __future__ import annotations

import gzip
import random
from contextlib import suppress

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.ic.leb128 import signed, unsigned
from personal_ai.replica.wasm import validation
from personal_ai.replica.wasm.binary import Cursor, WasmError
from personal_ai.replica.wasm.compiled import engine, read
from personal_ai.replica.wasm.instrument import RESERVED_PREFIX, instrument
from personal_ai.replica.wasm.module import MODULE_LIMIT_BYTES, parse, unpack


def module(wat: str) -> bytes:
    return bytes(wasmtime.wat2wasm(wat))


def custom(name: str, content: bytes) -> bytes:
    body = unsigned(len(name.encode())) + name.encode() + content
    return b"\0" + unsigned(len(body)) + body


EMPTY = module("(module)")


def test_modules_may_be_compressed() -> None:
    wat = '(module (func (export "canister_query a")))'
    _, interface = read(gzip.compress(module(wat)))
    assert interface.methods == {"a": "query"}


def test_a_module_that_unfolds_too_far_is_refused() -> None:
    bomb = gzip.compress(bytes(MODULE_LIMIT_BYTES + 1))
    assert len(bomb) < 1 << 20
    with pytest.raises(WasmError, match="larger than 100 MiB"):
        unpack(bomb)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20] + b"xxxx" + data[24:]])
def test_damaged_compression_is_refused(damage: object) -> None:
    with pytest.raises(WasmError):
        read(damage(gzip.compress(module('(module (func (export "canister_query a")))'))))  # type: ignore[operator]


@pytest.mark.parametrize("data", [b"", b"\0asm", b"\0asm\x02\0\0\0", b"#!/bin/sh", b"\x1f\x8b", EMPTY + b"\x01"])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(WasmError):
        read(data)


REFUSED = [
    ('(module (import "env" "f" (func)))', "ic0 alone"),
    ('(module (import "ic0" "no_such_function" (func)))', "does not have"),
    ('(module (import "ic0" "time" (func (result i32))))', "another type"),
    ('(module (import "ic0" "msg_caller_size" (func (result i64))))', "another type"),
    ('(module (import "ic0" "msg_caller_size" (func (result i32))) (memory i64 1))', "another type"),
    ('(module (import "ic0" "stable_size" (func (result i32))) (memory i64 1))', "64-bit memory"),
    ('(module (import "ic0" "memory" (memory 1)))', "no function"),
    ('(module (func (export "canister_init") (param i32)))', "without parameters"),
    ('(module (func (export "canister_update a") (result i32) (i32.const 0)))', "without parameters"),
    ('(module (memory (export "canister_query a") 1))', "no function without"),
    ('(module (func (export "canister_query a")) (func (export "canister_update a")))', "twice"),
    ('(module (func (export "canister_other")))', "reserved"),
    (f'(module (func (export "{RESERVED_PREFIX}counter")))', "reserved"),
    ("(module (memory 1) (memory 1))", "not valid"),
    ("(module (memory 1 2 shared))", "not valid|shares"),
    ("(module (table 1 funcref) (table 1 funcref))", "one table"),
    ("(module (memory i64 98305))", "more memory"),
    ("(module (global (mut funcref) (ref.null func)))", "reference"),
    ("(module (global i32 (i32.add (i32.const 1) (i32.const 2))))", "several instructions"),
    ("(module (func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))", "not valid"),
    ("(module (tag) (func (throw 0)))", "not valid|too many"),
    ("(module (type (struct)))", "not valid|type"),
    ("(module (memory 1 1) (data (i32.const 0)) (func (drop (i32.atomic.load (i32.const 0)))))", "not valid"),
]


@pytest.mark.parametrize(("wat", "reason"), REFUSED)
def test_the_networks_rules(wat: str, reason: str) -> None:
    with pytest.raises(WasmError, match=reason):
        read(module(wat))


def test_too_much_of_everything_is_refused() -> None:
    functions = "(func)" * (validation.FUNCTIONS_MAX + 1)
    with pytest.raises(WasmError, match="50,000 functions"):
        read(module(f"(module {functions})"))
    variables = "(global i32 (i32.const 0))" * (validation.GLOBALS_MAX + 1)
    with pytest.raises(WasmError, match="1,000 globals"):
        read(module(f"(module {variables})"))
    methods = "".join(f'(export "canister_query {n}" (func 0))' for n in range(validation.METHODS_MAX + 1))
    with pytest.raises(WasmError, match="1,000 methods"):
        read(module(f"(module (func) {methods})"))
    methods = "".join(f'(export "canister_query {n}{"x" * 2500}" (func 0))' for n in range(8))
    with pytest.raises(WasmError, match="20,000 bytes"):
        read(module(f"(module (func) {methods})"))


def test_metadata_is_collected_and_bounded() -> None:
    wasm = EMPTY + custom("icp:public a", b"1") + custom("icp:private b", b"2") + custom("name", b"\0")
    found = read(wasm)[1].metadata
    assert found == {"a": validation.Metadata(True, b"1"), "b": validation.Metadata(False, b"2")}
    with pytest.raises(WasmError, match="twice"):
        read(EMPTY + custom("icp:public a", b"") + custom("icp:private a", b""))
    with pytest.raises(WasmError, match="more than 16"):
        read(EMPTY + b"".join(custom(f"icp:public {n}", b"") for n in range(17)))
    with pytest.raises(WasmError, match="larger than 1 MiB"):
        read(EMPTY + custom("icp:public a", bytes(1 << 20)))


def test_a_bad_name_of_a_section_is_refused() -> None:
    with pytest.raises(WasmError):
        read(EMPTY + b"\0\x02\x01\xff")


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_numbers_survive(value: int) -> None:
    if value >= 0:
        assert Cursor(unsigned(value)).unsigned() == value
    assert len(signed(value)) <= 10


def test_numbers_without_end_are_refused() -> None:
    with pytest.raises(WasmError):
        Cursor(b"\x80" * 40 + b"\0").unsigned()


# ---- mutated modules


def survive(data: bytes) -> None:
    """What reading does with hostile bytes, the compiler's check included and left out."""
    with suppress(WasmError):
        checked, _ = read(data)
        wasmtime.Module.validate(engine(), instrument(checked).binary)
    with suppress(WasmError):
        instrument(parse(unpack(data)))


def test_mutated_modules_raise_only_typed_errors(echo_wasm: bytes) -> None:
    rng = random.Random(7)
    for _ in range(400):
        data = bytearray(echo_wasm)
        for _ in range(rng.choice((1, 2, 8))):
            kind = rng.randrange(4)
            at = rng.randrange(len(data))
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at : at + rng.randrange(1, 40)]
            elif kind == 2:
                data[at:at] = rng.randbytes(rng.randrange(1, 20))
            else:
                data[at] ^= 1 << rng.randrange(8)
        survive(bytes(data))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_invented_sections_raise_only_typed_errors(data: bytes) -> None:
    survive(EMPTY + data)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_invented_instructions_raise_only_typed_errors(body: bytes) -> None:
    function = b"\0" + body
    code = unsigned(1) + unsigned(len(function)) + function
    survive(EMPTY + b"\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x0a" + unsigned(len(code)) + code)
