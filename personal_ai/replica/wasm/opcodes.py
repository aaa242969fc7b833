"""What each instruction costs on the Internet Computer and which immediates follow its opcode.

The costs are the network's published table (cost 1 unless listed). Loads and stores cost 2 in a module with a
64-bit memory. Bulk operations cost 100 and one more for each byte or element; the latter is counted while running.
"""

from __future__ import annotations

from typing import Final

# Kinds of instructions by what follows the opcode.
(
    PLAIN,  # none
    ONE,  # one LEB128 number (or a block type: `block` ends no basic block)
    TWO,  # two
    FOUR_BYTES,
    EIGHT_BYTES,
    MEMORY,  # alignment and offset
    SELECT,  # vector of value types
    PREFIX_FC,
    PREFIX_FD,
    REFUSED,
    LOOP,  # from here on: the last instruction of a basic block
    IF,
    ELSE,
    END,
    BRANCH,  # one label
    TABLE_BRANCH,
    FINISH,  # return, unreachable
    TAIL_CALL,
    TAIL_CALL_INDIRECT,
) = range(19)

# How many LEB128 numbers follow the instructions that end a block.
BRANCH_NUMBERS: Final = {LOOP: 1, IF: 1, ELSE: 0, END: 0, BRANCH: 1, FINISH: 0, TAIL_CALL: 1, TAIL_CALL_INDIRECT: 2}

# Instructions of the 0xFC family that cost more the longer their operand says.
INIT_MEMORY, COPY_MEMORY, FILL_MEMORY, TABLE_INIT, TABLE_COPY, TABLE_FILL = 8, 10, 11, 12, 14, 17


def _spread(groups: dict[int, str]) -> dict[int, int]:
    """{cost: "opcodes and ranges in hex"} -> {opcode: cost}."""
    costs = {}
    for cost, text in groups.items():
        for item in text.split():
            first, _, last = item.partition("-")
            costs.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), cost))
    return costs


def _costs(size: int, groups: dict[int, str], memory: str, memory_cost: int) -> tuple[int, ...]:
    costs = {**_spread(groups), **_spread({memory_cost: memory})}
    return tuple(costs.get(opcode, 1) for opcode in range(size))


_BASE = {
    0: "02-03 05 0b fc-fd",  # block loop else end; prefixes cost what the instruction behind them costs
    2: "04 0c-0e 23-24 8d-90 92-94 98 9b-9e a0-a2",  # if, branches, globals, rounding, add, sub, mul, f32.copysign
    3: "12 5b-66 95 a6 b2 b4 b7 b9",  # return_call, float compare, f32.div, f64.copysign, signed conversions
    5: "10 25-26 91 a3 d1",  # call, table.get/set, f32.sqrt, f64.div, ref.is_null
    8: "9f",  # f64.sqrt
    10: "11 6d-70 7f-82",  # call_indirect, integer division and remainder
    16: "b3 b5 b8 ba",  # unsigned conversions
    18: "96-97 a4-a5",  # float min, max
    20: "3f a8-ab ae-b1",  # memory.size, float to integer
    60: "13",  # return_call_indirect
    130: "d2",  # ref.func
    300: "40",  # memory.grow
}
_BASE_MEMORY = "28-3e"
_FC = {20: "00-07", 100: "08 0a-0c 0e 10-11", 300: "09 0d 0f"}
_FD = {
    # i8x16.lt_u gt_u shr_u, i16x8 and i32x4 lt_u gt_u; the 16-bit pairwise addition; float rounding, add, sub, mul,
    # abs, neg; shifts; high or wide products; truncation of f32x4 and f64x2
    2: "26 28 30 32 3a 3c 6d 7d 8b-8d 9d 9f ab-ad b5 bc-bf cb cd 67-6a 74-75 7a 94 e0-e1 e4-e6 ec-ed f0-f2 f8 fc",
    3: "0d 62 6b-6c 7f cc fd",  # shuffle, popcnt, i8x16.shl shr_s, i32x4.extadd_pairwise_u, i64x2.shr_s
    4: "d5 e8-e9 f4 f9 fb",  # i64x2.mul, f32x4 and f64x2 min and max, unsigned truncation and conversion
    5: "e3 f5",
    10: "e7",
    12: "f3",
    14: "ef",
}
_FD_MEMORY = "00-0b 54-5d"

COSTS_32: Final = (_costs(256, _BASE, _BASE_MEMORY, 1), _costs(18, _FC, "", 1), _costs(256, _FD, _FD_MEMORY, 1))
COSTS_64: Final = (_costs(256, _BASE, _BASE_MEMORY, 2), _costs(18, _FC, "", 1), _costs(256, _FD, _FD_MEMORY, 2))


def _kinds() -> tuple[int, ...]:
    kinds = [REFUSED] * 256
    ranges = {
        PLAIN: "01 1a-1b 45-c4 d1",
        ONE: "02 10 20-26 3f-42 d0 d2",
        TWO: "11",
        FOUR_BYTES: "43",
        EIGHT_BYTES: "44",
        MEMORY: "28-3e",
        SELECT: "1c",
        PREFIX_FC: "fc",
        PREFIX_FD: "fd",
        LOOP: "03",
        IF: "04",
        ELSE: "05",
        END: "0b",
        BRANCH: "0c-0d",
        TABLE_BRANCH: "0e",
        FINISH: "00 0f",
        TAIL_CALL: "12",
        TAIL_CALL_INDIRECT: "13",
    }
    for opcode, kind in _spread(ranges).items():
        kinds[opcode] = kind
    return tuple(kinds)


KINDS: Final = _kinds()

# How many LEB128 numbers follow an instruction of the 0xFC family.
FC_NUMBERS: Final = (0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1)

FD_PLAIN, FD_MEMORY, FD_LANE, FD_MEMORY_LANE, FD_SIXTEEN, FD_REFUSED = range(6)


def _fd_kinds() -> tuple[int, ...]:
    kinds = [FD_PLAIN] * 256
    groups = {
        FD_MEMORY: _FD_MEMORY,
        FD_MEMORY_LANE: "54-5b",
        FD_SIXTEEN: "0c-0d",
        FD_LANE: "15-22",
        FD_REFUSED: "9a a2 a5-a6 af-b0 b2-b4 bb c2 c5-c6 cf-d0 d2-d4 e2 ee",
    }
    for kind, text in groups.items():
        for opcode in _spread({0: text}):
            kinds[opcode] = kind
    return tuple(kinds)


FD_KINDS: Final = _fd_kinds()
