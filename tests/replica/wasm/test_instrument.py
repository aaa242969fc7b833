"""Instruction counts against costs worked out by hand from the network's published table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime._instance import InstanceExports

from personal_ai.replica.wasm.compiled import engine, read
from personal_ai.replica.wasm.instrument import COUNTER_EXPORT, START_EXPORT, instrument
from personal_ai.replica.wasm.module import parse

BUDGET = 1 << 40


@dataclass
class Metered:
    store: wasmtime.Store
    exports: InstanceExports

    def run(self, name: str, *arguments: int, budget: int = BUDGET) -> int:
        """The instructions that one call takes."""
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        self._counter.set_value(self.store, budget)
        function(self.store, *arguments)
        return budget - self.left

    @property
    def left(self) -> int:
        """Of the last budget, in instructions."""
        return int(self._counter.value(self.store))

    @property
    def _counter(self) -> wasmtime.Global:
        counter = self.exports[COUNTER_EXPORT]
        assert isinstance(counter, wasmtime.Global)
        return counter


def metered(wat: str) -> Metered:
    module = parse(bytes(wasmtime.wat2wasm(wat)))
    store = wasmtime.Store(engine())
    instance = wasmtime.Instance(store, wasmtime.Module(engine(), instrument(module).binary), [])
    return Metered(store, instance.exports(store))


def cost(body: str, *, memory: str = "(memory 1)", parameters: str = "", arguments: tuple[int, ...] = ()) -> int:
    """Instructions of one call of a function with this body."""
    wat = f'(module {memory} (global $g (mut i64) (i64.const 0)) (func $empty) (func (export "f") {parameters} {body}))'
    return metered(wat).run("f", *arguments)


# operands, instruction, cost of the instruction alone; every constant costs 1 and so does drop
F32, F64, V = "(f32.const 2)", "(f64.const 2)", "(v128.const i64x2 5 7)"
I32, I64 = "(i32.const 5)", "(i64.const 5)"
SINGLE = [
    (I32 + I32, "i32.add", 1),
    (I32 + I32, "i32.div_u", 10),
    (I64 + I64, "i64.rem_s", 10),
    (I64, "i64.popcnt", 1),
    (I64, "i64.extend32_s", 1),
    (I32, "i64.extend_i32_u", 1),
    (F32 + F32, "f32.add", 2),
    (F32, "f32.abs", 1),
    (F32, "f32.nearest", 2),
    (F32 + F32, "f32.copysign", 2),
    (F64 + F64, "f64.copysign", 3),
    (F32 + F32, "f32.lt", 3),
    (F64 + F64, "f64.ge", 3),
    (F32 + F32, "f32.div", 3),
    (F64 + F64, "f64.div", 5),
    (F32, "f32.sqrt", 5),
    (F64, "f64.sqrt", 8),
    (F32 + F32, "f32.min", 18),
    (F64 + F64, "f64.max", 18),
    (I32, "f32.convert_i32_s", 3),
    (I64, "f64.convert_i64_u", 16),
    (F32, "i32.trunc_f32_s", 20),
    (F64, "i64.trunc_sat_f64_u", 20),
    (F64, "f32.demote_f64", 1),
    ("", "memory.size", 20),
    (I32, "memory.grow", 300),
    ("", "global.get $g", 2),
    (I32, "i32.load8_u offset=300", 1),
    (I32, "v128.load", 1),
    (I32, "v128.load8x8_s", 1),
    (I32 + V, "v128.load8_lane 3", 1),
    (V + V, "i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 3),
    (V, "i8x16.popcnt", 3),
    (V, "i8x16.extract_lane_u 2", 1),
    (V + V, "i8x16.swizzle", 1),
    (V + V, "i8x16.lt_u", 2),
    (V + V, "i8x16.lt_s", 1),
    (V + V, "i16x8.gt_u", 2),
    (V + V, "i64x2.lt_s", 1),
    (V + I32, "i8x16.shl", 3),
    (V + I32, "i8x16.shr_u", 2),
    (V + I32, "i16x8.shr_s", 2),
    (V + I32, "i64x2.shr_s", 3),
    (V, "i16x8.extadd_pairwise_i8x16_u", 2),
    (V, "i32x4.extadd_pairwise_i16x8_u", 3),
    (V, "i32x4.extadd_pairwise_i16x8_s", 1),
    (V + V, "i16x8.extmul_high_i8x16_s", 2),
    (V + V, "i32x4.extmul_low_i16x8_u", 2),
    (V + V, "i32x4.dot_i16x8_s", 1),
    (V + V, "i32x4.mul", 2),
    (V + V, "i64x2.mul", 4),
    (V + V, "f32x4.add", 2),
    (V, "f32x4.neg", 2),
    (V, "f64x2.trunc", 2),
    (V + V, "f32x4.div", 10),
    (V + V, "f64x2.div", 12),
    (V, "f32x4.sqrt", 5),
    (V, "f64x2.sqrt", 14),
    (V + V, "f32x4.max", 4),
    (V + V, "f64x2.min", 4),
    (V + V, "f64x2.max", 5),
    (V + V, "f32x4.pmin", 1),
    (V, "f32x4.convert_i32x4_s", 1),
    (V, "f32x4.convert_i32x4_u", 4),
    (V, "i32x4.trunc_sat_f32x4_s", 2),
    (V, "i32x4.trunc_sat_f32x4_u", 4),
    (V, "i32x4.trunc_sat_f64x2_s_zero", 2),
    (V, "i32x4.trunc_sat_f64x2_u_zero", 3),
]


@pytest.mark.parametrize(("operands", "instruction", "expected"), SINGLE)
def test_single_instructions(operands: str, instruction: str, expected: int) -> None:
    constants = operands.count("const ")
    assert cost(f"{operands} {instruction} drop") == 1 + constants + expected + 1


@pytest.mark.parametrize("instruction", ["i64.load", "f32.load", "v128.load", "v128.load32_zero", "i64.load8_u"])
def test_memory_accesses_cost_twice_in_a_64_bit_memory(instruction: str) -> None:
    assert cost(f"i64.const 8 {instruction} drop", memory="(memory i64 1)") == 1 + 1 + 2 + 1
    assert cost(f"i32.const 8 {instruction} drop") == 1 + 1 + 1 + 1


@pytest.mark.parametrize(("memory", "kind"), [("(memory 1)", "i32"), ("(memory i64 1)", "i64")])
def test_bulk_instructions_cost_their_length_too(memory: str, kind: str) -> None:
    body = f"({kind}.const 0) (i32.const 7) ({kind}.const 1000) memory.fill"
    assert cost(body, memory=memory) == 1 + 3 + 100 + 1000
    body = f"({kind}.const 0) ({kind}.const 9) ({kind}.const 77) memory.copy"
    assert cost(body, memory=memory) == 1 + 3 + 100 + 77


def test_initial_data_and_tables_cost_their_length_too() -> None:
    wat = """(module (memory 1) (data $d "0123456789") (table $t 10 funcref) (elem $e func $f $f $f)
      (func $f (export "memory") (memory.init $d (i32.const 0) (i32.const 2) (i32.const 6)) (data.drop $d))
      (func (export "init") (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 3)))
      (func (export "fill") (table.fill $t (i32.const 0) (ref.null func) (i32.const 8)))
      (func (export "copy") (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 5)))
      (func (export "rest") (drop (table.size $t)) (drop (ref.is_null (ref.func $f)))
        (table.set $t (i32.const 1) (table.get $t (i32.const 2)))
        (drop (table.grow $t (ref.null func) (i32.const 1))) (elem.drop $e)))"""
    program = metered(wat)
    assert program.run("memory") == 1 + 3 + 100 + 6 + 300
    assert program.run("init") == 1 + 3 + 100 + 3
    assert program.run("fill") == 1 + 3 + 100 + 8
    assert program.run("copy") == 1 + 3 + 100 + 5
    assert program.run("rest") == 1 + (100 + 1) + (130 + 5 + 1) + (1 + 1 + 5 + 5) + (1 + 1 + 300 + 1) + 300


def test_a_length_that_the_counter_cannot_hold_stops_the_message() -> None:
    program = metered(
        '(module (memory i64 1) (func (export "f") (param i64) '
        "(memory.fill (i64.const 0) (i32.const 0) (local.get 0))))"
    )
    for length in (-1, -(1 << 63), (1 << 63) - 1):
        with pytest.raises(wasmtime.Trap):
            program.run("f", length)
        assert program.left < 0


def test_only_executed_blocks_are_counted() -> None:
    body = """
        local.get 0
        if          ;; 1 + 2, after the 1 of the function
          i32.const 1
          i32.const 2
          i32.div_s
          drop      ;; 1 + 1 + 10 + 1
        else
          nop       ;; 1
        end
        call $empty ;; 5 and its own 1
    """
    assert cost(body, parameters="(param i32)", arguments=(1,)) == 1 + 3 + 13 + 5 + 1
    assert cost(body, parameters="(param i32)", arguments=(0,)) == 1 + 3 + 1 + 5 + 1


def test_loops_are_counted_each_time_round() -> None:
    body = """
        (local $i i32)
        (loop $again
          (local.set $i (i32.add (local.get $i) (i32.const 1)))           ;; 4
          (br_if $again (i32.lt_u (local.get $i) (local.get 0))))         ;; 2 + 3
    """
    assert cost(body, parameters="(param i32)", arguments=(10,)) == 1 + 10 * 9
    assert cost(body, parameters="(param i32)", arguments=(1000,)) == 1 + 1000 * 9


def test_branch_tables_returns_and_tail_calls() -> None:
    wat = """(module (type $v (func)) (table 1 funcref) (elem (i32.const 0) $end)
      (func $end)
      (func (export "table") (param i32)
        (block $a (block $b (br_table $a $b (local.get 0))) nop nop) nop)
      (func (export "return") (param i32) (if (local.get 0) (then return)) nop)
      (func (export "indirect") (call_indirect (type $v) (i32.const 0)))
      (func (export "tail") (return_call $end))
      (func (export "tail_indirect") (return_call_indirect (type $v) (i32.const 0))))"""
    program = metered(wat)
    assert program.run("table", 0) == 1 + 1 + 2 + 1
    assert program.run("table", 1) == 1 + 1 + 2 + 2 + 1
    assert program.run("return", 1) == 1 + 1 + 2 + 1
    assert program.run("return", 0) == 1 + 1 + 2 + 1
    assert program.run("indirect") == 1 + 1 + 10 + 1
    assert program.run("tail") == 1 + 3 + 1
    assert program.run("tail_indirect") == 1 + 1 + 60 + 1


def test_an_endless_loop_and_endless_recursion_stop() -> None:
    wat = """(module (func (export "loop") (loop $l (br $l)))
                     (func $r (export "recursion") (call $r) (call $r)) (func (export "late") (unreachable)))"""
    program = metered(wat)
    for name in ("loop", "recursion"):
        with pytest.raises(wasmtime.Trap) as trap:
            program.run(name, budget=100_000)
        assert trap.value.trap_code is wasmtime.TrapCode.UNREACHABLE
        left = program.left
        assert -10 < left < 0
    with pytest.raises(wasmtime.Trap):
        program.run("late")
    assert program.left > 0


def test_the_start_function_waits_for_the_executor() -> None:
    wat = """(module (global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 7))) (start $s)
                     (func (export "spend") (loop $l (br_if $l (i32.ne (global.get $g) (i32.const 7))))))"""
    program = metered(wat)
    with pytest.raises(wasmtime.Trap):
        program.run("spend", budget=1000)
    assert program.run(START_EXPORT) == 1 + 1 + 2
    assert program.run("spend", budget=1000) == 1 + 2 + 1 + 1 + 2


# ---- whole programs: the generator knows what its program costs


@dataclass
class Program:
    """A piece of a function body and what running it costs."""

    wat: str
    cost: int


STRAIGHT = st.sampled_from(
    [
        Program("nop", 1),
        Program("(drop (i32.div_s (i32.const 9) (i32.const 3)))", 13),
        Program("(drop (f64.sqrt (f64.const 4)))", 10),
        Program("(global.set $g (i64.add (global.get $g) (i64.const 3)))", 6),
        Program("(i64.store (i32.const 8) (i64.load offset=1000 (i32.const 16)))", 4),
        Program("(v128.store (i32.const 0) (f32x4.div (v128.load (i32.const 0)) (v128.load (i32.const 16))))", 16),
        Program("(memory.fill (i32.const 64) (i32.const 1) (i32.const 33))", 136),
        Program("(call $empty)", 6),
        Program("(block (br 0) (unreachable))", 2),
        Program("(block nop (br_if 0 (i32.const 1)) nop)", 4),
        Program("(block nop (br_if 0 (i32.const 0)) nop)", 5),
    ]
)


def _in_sequence(parts: list[Program]) -> Program:
    return Program(" ".join(part.wat for part in parts), sum(part.cost for part in parts))


def _if(chosen: Program, other: Program, yes: bool) -> Program:
    first, second = (chosen, other) if yes else (other, chosen)
    wat = f"(if (i32.const {int(yes)}) (then {first.wat}) (else {second.wat}))"
    return Program(wat, 3 + chosen.cost)


def _loop(body: Program, times: int, variable: int) -> Program:
    start = f"(local.set $i{variable} (i32.const {times}))"
    step = f"(local.tee $i{variable} (i32.sub (local.get $i{variable}) (i32.const 1)))"
    return Program(f"{start} (loop $l{variable} {body.wat} (br_if $l{variable} {step}))", 2 + times * (body.cost + 6))


@st.composite
def _program(draw: st.DrawFn, depth: int = 3) -> Program:
    if depth == 0:
        return draw(STRAIGHT)
    inner = _program(depth=depth - 1)
    kind = draw(st.sampled_from(["sequence", "if", "loop", "block"]))
    if kind == "sequence":
        return _in_sequence(draw(st.lists(inner, max_size=4)))
    if kind == "if":
        return _if(draw(inner), draw(inner), draw(st.booleans()))
    if kind == "loop":
        return _loop(draw(inner), draw(st.integers(1, 5)), depth)
    body = draw(inner)
    return Program(f"(block {body.wat})", body.cost)


@settings(max_examples=60)
@given(_program())
def test_whole_programs_cost_the_sum_of_their_executed_blocks(program: Program) -> None:
    wat = f"""(module (memory 1) (global $g (mut i64) (i64.const 0)) (func $empty)
        (func (export "f") (local $i1 i32) (local $i2 i32) (local $i3 i32) {program.wat}))"""
    assert metered(wat).run("f") == 1 + program.cost


def test_a_real_module_still_is_valid(echo_wasm: bytes) -> None:
    module, interface = read(echo_wasm)
    wasmtime.Module.validate(engine(), instrument(module).binary)
    assert interface.methods["echo"] == "update"
    assert interface.metadata["candid:service"].content == b"service : {}"
