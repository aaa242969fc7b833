"""Rewrites a module so that it counts its own instructions as the Internet Computer does.

Every basic block subtracts its cost from a counter at its beginning. Only functions and loops look whether the
counter has fallen below zero (and then trap): between two looks a message can run no further than the longest
path without a loop or a call. Bulk operations subtract their length just before they run.

A function's block costs one more, so that calling an empty function is not free. A block ends at `loop`, `if`,
`else`, `end`, branches and returns; a `block` or a call does not end one.

The start function becomes an export, called once the counter is set; the memory, the counter and all mutable
globals are exported for the executor.
"""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.ic.leb128 import signed, unsigned
from personal_ai.replica.wasm import module as sections
from personal_ai.replica.wasm import opcodes as op
from personal_ai.replica.wasm.binary import I64, Cursor, WasmError, name, section
from personal_ai.replica.wasm.module import Module

RESERVED_PREFIX = "practice network "
COUNTER_EXPORT = RESERVED_PREFIX + "counter"
START_EXPORT = RESERVED_PREFIX + "start"
MEMORY_EXPORT = RESERVED_PREFIX + "memory"

_ORDER = (
    sections.TYPE,
    sections.IMPORT,
    sections.FUNCTION,
    sections.TABLE,
    sections.MEMORY,
    sections.GLOBAL,
    sections.EXPORT,
    sections.ELEMENT,
    sections.DATA_COUNT,
    sections.CODE,
    sections.DATA,
)

_EXTEND_U, _WRAP, _CALL = b"\xad", b"\xa7", b"\x10"


def global_export(index: int) -> str:
    """The name under which the mutable global `index` is exported."""
    return f"{RESERVED_PREFIX}global {index}"


@dataclass(frozen=True, slots=True)
class Instrumented:
    """A module ready to be compiled; `operators` counts the instructions of the original."""

    binary: bytes
    operators: int


def instrument(module: Module) -> Instrumented:
    """Meters a module. Raises WasmError where it meets something that canisters may not contain."""
    try:
        return _instrument(module)
    except (IndexError, KeyError):
        raise WasmError("The module has a function that ends early or belongs to no type.") from None


def _instrument(module: Module) -> Instrumented:
    meter = _Meter(module)
    bodies = [meter.body(start, end) for start, end in module.bodies]
    contents = {key: module.data[start:end] for key, (start, end) in module.sections.items()}
    contents[sections.GLOBAL] = _with(contents.get(sections.GLOBAL), [bytes([I64, 1]) + b"\x42\x00\x0b"])
    contents[sections.EXPORT] = _with(contents.get(sections.EXPORT), _exports(module))
    if bodies:
        contents[sections.TYPE] = _with(contents[sections.TYPE], [bytes([0x60, 1, I64, 1, I64])])
        contents[sections.FUNCTION] = _with(contents[sections.FUNCTION], [unsigned(len(module.types))])
        code = [unsigned(len(body)) + body for body in (*bodies, meter.helper())]
        contents[sections.CODE] = unsigned(len(code)) + b"".join(code)
    header = module.data[:8]
    binary = header + b"".join(section(key, contents[key]) for key in _ORDER if key in contents)
    return Instrumented(binary, meter.operators)


def _with(content: bytes | None, added: list[bytes]) -> bytes:
    """The content of a section, a vector, with elements added at its end."""
    cursor = Cursor(content or b"\0")
    count = cursor.unsigned()
    return unsigned(count + len(added)) + cursor.data[cursor.position :] + b"".join(added)


def _exports(module: Module) -> list[bytes]:
    entries = [(COUNTER_EXPORT, sections.KIND_GLOBAL, len(module.globals))]
    entries += [
        (global_export(index), sections.KIND_GLOBAL, index) for index, item in enumerate(module.globals) if item.mutable
    ]
    if module.memories:
        entries.append((MEMORY_EXPORT, sections.KIND_MEMORY, 0))
    if module.start is not None:
        entries.append((START_EXPORT, sections.KIND_FUNCTION, module.start))
    return [name(title) + bytes([kind]) + unsigned(index) for title, kind, index in entries]


class _Meter:
    """Rewrites function bodies of one module."""

    def __init__(self, module: Module) -> None:
        self._data = module.data
        self._costs = op.COSTS_64 if module.is_64 else op.COSTS_32
        self._is_64 = module.is_64
        self._tables_64 = [table.is_64 for table in module.tables]
        counter = unsigned(len(module.globals))
        self._get, self._set = b"\x23" + counter, b"\x24" + counter
        self._stop_below_zero = self._get + b"\x42\x00\x53\x04\x40\x00\x0b"
        self._call_helper = _CALL + unsigned(len(module.imports) + len(module.functions))
        self._charges: dict[tuple[int, bool], bytes] = {}
        self.operators = 0

    def helper(self) -> bytes:
        """Body of a function (n: i64) -> n that subtracts n from the counter, not below the smallest number."""
        subtract = self._get + b"\x20\x00\x7d\x22\x01" + self._get + b"\x55\x04\x7e\x42" + signed(-(1 << 63))
        return (
            b"\x01\x01"
            + bytes([I64])
            + subtract
            + b"\x05\x20\x01\x0b"
            + self._set
            + self._stop_below_zero
            + b"\x20\x00\x0b"
        )

    def _charge(self, cost: int, checked: bool) -> bytes:
        """Instructions that subtract `cost`; `checked` ones trap when the counter is below zero."""
        if not cost and not checked:
            return b""
        found = self._charges.get((cost, checked))
        if found is None:
            found = (
                self._get + b"\x42" + signed(cost) + b"\x7d" + self._set + (self._stop_below_zero if checked else b"")
            )
            self._charges[cost, checked] = found
        return found

    def _charge_operand(self, is_64: bool) -> bytes:
        """Instructions that subtract the operand on top of the stack and leave it there."""
        return self._call_helper if is_64 else _EXTEND_U + self._call_helper + _WRAP

    def body(self, start: int, end: int) -> bytes:
        """One function body without its size: declarations of locals, then metered instructions."""
        data, kinds, costs = self._data, op.KINDS, self._costs[0]
        position = _behind_locals(data, start)
        out = [data[start:position]]
        block: list[bytes] = []  # finished stretches of the current basic block
        copied, cost, checked, operators = position, 1, True, 0
        while position < end:
            opcode = data[position]
            position += 1
            operators += 1
            kind = kinds[opcode]
            cost += costs[opcode]
            if kind == op.PLAIN:
                continue
            if kind == op.ONE:
                while data[position] > 127:
                    position += 1
                position += 1
            elif kind < op.LOOP:
                if kind == op.PREFIX_FC and (is_64 := self._counted_operand(position)) is not None:
                    block += (data[copied : position - 1], self._charge_operand(is_64))
                    copied = position - 1
                extra, position = self._behind_immediates(kind, opcode, position)
                cost += extra
            else:
                position = _behind_branch_immediates(data, position, kind)
                out += (self._charge(cost, checked), *block, data[copied:position])
                block = []
                copied, cost, checked = position, 0, kind == op.LOOP
        if position != end or copied != end:
            raise WasmError("The module has a function that does not end with its body.")
        self.operators += operators
        return b"".join(out)

    def _behind_immediates(self, kind: int, opcode: int, position: int) -> tuple[int, int]:
        """The cost of a prefixed instruction (0 for others) and the place behind an instruction's immediates."""
        data = self._data
        if kind == op.MEMORY:
            return 0, _skip_numbers(data, position, 2)
        if kind == op.PREFIX_FD:
            opcode, position = _number(data, position)
            if opcode > 255:
                raise WasmError("The module uses relaxed vector instructions, which canisters may not use.")
            return self._costs[2][opcode], _behind_vector_immediates(data, position, opcode)
        if kind == op.PREFIX_FC:
            opcode, position = _number(data, position)
            if opcode >= len(op.FC_NUMBERS):
                raise WasmError(f"The module uses the instruction 0xfc {opcode}, which canisters may not use.")
            return self._costs[1][opcode], _skip_numbers(data, position, op.FC_NUMBERS[opcode])
        return 0, _behind_rare_immediates(data, position, kind, opcode)

    def _counted_operand(self, position: int) -> bool | None:
        """Whether the length operand of a bulk instruction is an i64; None for instructions without one."""
        data = self._data
        opcode, position = _number(data, position)
        if opcode in (op.FILL_MEMORY, op.COPY_MEMORY):
            return self._is_64
        if opcode in (op.INIT_MEMORY, op.TABLE_INIT):
            return False
        if opcode == op.TABLE_FILL:
            return self._tables_64[_number(data, position)[0]]
        if opcode == op.TABLE_COPY:
            target, position = _number(data, position)
            return self._tables_64[target] and self._tables_64[_number(data, position)[0]]
        return None


def _number(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _skip_numbers(data: bytes, position: int, count: int) -> int:
    for _ in range(count):
        while data[position] > 127:
            position += 1
        position += 1
    return position


def _behind_locals(data: bytes, position: int) -> int:
    groups, position = _number(data, position)
    for _ in range(groups):
        position = _skip_numbers(data, position, 1) + 1
    return position


def _behind_vector_immediates(data: bytes, position: int, opcode: int) -> int:
    kind = op.FD_KINDS[opcode]
    if kind == op.FD_PLAIN:
        return position
    if kind == op.FD_MEMORY:
        return _skip_numbers(data, position, 2)
    if kind == op.FD_LANE:
        return position + 1
    if kind == op.FD_MEMORY_LANE:
        return _skip_numbers(data, position, 2) + 1
    if kind == op.FD_SIXTEEN:
        return position + 16
    raise WasmError(f"The module uses the vector instruction {opcode}, which canisters may not use.")


def _behind_rare_immediates(data: bytes, position: int, kind: int, opcode: int) -> int:
    if kind == op.TWO:
        return _skip_numbers(data, position, 2)
    if kind == op.FOUR_BYTES:
        return position + 4
    if kind == op.EIGHT_BYTES:
        return position + 8
    if kind == op.SELECT:
        count, position = _number(data, position)
        return position + count
    raise WasmError(f"The module uses the instruction 0x{opcode:02x}, which canisters may not use.")


def _behind_branch_immediates(data: bytes, position: int, kind: int) -> int:
    if kind == op.TABLE_BRANCH:
        count, position = _number(data, position)
        return _skip_numbers(data, position, count + 1)
    return _skip_numbers(data, position, op.BRANCH_NUMBERS[kind])
