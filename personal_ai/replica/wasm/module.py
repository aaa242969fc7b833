"""Reads a Wasm module into what validation and instrumentation need: everything but the instructions."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from personal_ai.replica.wasm.binary import EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, Cursor, WasmError

MODULE_LIMIT_BYTES = 100 << 20
_HEADER = b"\0asm\x01\0\0\0"
_GZIP = b"\x1f\x8b"
_SECTIONS_MAX = 4096

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = range(13)
KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL = range(4)

_VALUE_TYPES = frozenset({I32, I64, F32, F64, V128, FUNCREF, EXTERNREF})
_CONSTANTS = {0x41: I32, 0x42: I64, 0x23: None, 0xD2: FUNCREF}  # opcodes followed by one LEB128 number


@dataclass(frozen=True, slots=True)
class FunctionType:
    parameters: bytes  # one value type per byte
    results: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a memory (in pages of 64 KiB) or a table."""

    minimum: int
    maximum: int | None
    is_64: bool


@dataclass(frozen=True, slots=True)
class GlobalType:
    type: int
    mutable: bool


@dataclass(frozen=True, slots=True)
class Import:
    module: str
    name: str
    kind: int
    type_index: int  # of a function; -1 for other kinds


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    kind: int
    index: int


@dataclass(slots=True)
class Module:
    """`data` is the plain binary; `sections` the place (start, end) of each non-custom section's content."""

    data: bytes
    sections: dict[int, tuple[int, int]] = field(default_factory=dict)
    custom: list[tuple[str, bytes]] = field(default_factory=list)
    types: list[FunctionType] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)  # type indices of the module's own functions
    tables: list[Limits] = field(default_factory=list)
    memories: list[Limits] = field(default_factory=list)
    globals: list[GlobalType] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    start: int | None = None
    bodies: list[tuple[int, int]] = field(default_factory=list)  # place of each function body behind its size

    @property
    def is_64(self) -> bool:
        return bool(self.memories) and self.memories[0].is_64

    def function_type(self, index: int) -> FunctionType:
        """Type of the function `index` of the joint index space."""
        try:
            imported = [item.type_index for item in self.imports if item.kind == KIND_FUNCTION]
            return self.types[(imported + self.functions)[index]]
        except IndexError:
            raise WasmError("The module refers to a function that it does not have.") from None


def unpack(wasm: bytes) -> bytes:
    """The plain binary of a module that may be compressed with gzip. Raises WasmError."""
    if wasm[:2] == _GZIP:
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            wasm = inflater.decompress(wasm, MODULE_LIMIT_BYTES + 1)
        except zlib.error as error:
            raise WasmError("The compressed module is damaged.") from error
        if not inflater.eof and len(wasm) <= MODULE_LIMIT_BYTES:
            raise WasmError("The compressed module is cut off.")
    if len(wasm) > MODULE_LIMIT_BYTES:
        raise WasmError(f"The module is larger than {MODULE_LIMIT_BYTES >> 20} MiB.")
    if wasm[:8] != _HEADER:
        raise WasmError("This is no Wasm module of version 1.")
    return wasm


def parse(data: bytes) -> Module:
    """Reads all sections of a plain binary. Raises WasmError; instructions are not looked at."""
    module = Module(data)
    cursor = Cursor(data, len(_HEADER))
    for _ in range(_SECTIONS_MAX):
        if cursor.at_end:
            return module
        identifier = cursor.byte()
        content = cursor.inside(cursor.unsigned())
        if identifier == CUSTOM:
            title = content.name()
            module.custom.append((title, content.take(content.end - content.position)))
            continue
        if identifier in module.sections:
            raise WasmError("The module has a section twice.")
        module.sections[identifier] = (content.position, content.end)
        if identifier in _READERS:
            _READERS[identifier](content, module)
    raise WasmError("The module has too many sections.")


def _value_type(cursor: Cursor) -> int:
    byte = cursor.byte()
    if byte not in _VALUE_TYPES:
        raise WasmError(f"The module uses the value type 0x{byte:02x}, which canisters may not use.")
    return byte


def _limits(cursor: Cursor) -> Limits:
    flags = cursor.byte()
    if flags & ~0b101:
        raise WasmError("The module shares a memory or uses another page size, which canisters may not do.")
    minimum = cursor.unsigned()
    return Limits(minimum, cursor.unsigned() if flags & 1 else None, bool(flags & 4))


def _table(cursor: Cursor) -> Limits:
    _value_type(cursor)
    return _limits(cursor)


def _read_types(cursor: Cursor, module: Module) -> None:
    for _ in range(cursor.count()):
        if cursor.byte() != 0x60:
            raise WasmError("The module declares a type that is no function type.")
        parameters = bytes(_value_type(cursor) for _ in range(cursor.count()))
        module.types.append(FunctionType(parameters, bytes(_value_type(cursor) for _ in range(cursor.count()))))


def _read_imports(cursor: Cursor, module: Module) -> None:
    for _ in range(cursor.count()):
        source, title, kind = cursor.name(), cursor.name(), cursor.byte()
        if kind != KIND_FUNCTION:
            raise WasmError("The module imports something that is no function.")
        module.imports.append(Import(source, title, kind, cursor.unsigned()))


def _read_functions(cursor: Cursor, module: Module) -> None:
    module.functions.extend(cursor.unsigned() for _ in range(cursor.count()))


def _read_tables(cursor: Cursor, module: Module) -> None:
    module.tables.extend(_table(cursor) for _ in range(cursor.count()))


def _read_memories(cursor: Cursor, module: Module) -> None:
    module.memories.extend(_limits(cursor) for _ in range(cursor.count()))


def _read_globals(cursor: Cursor, module: Module) -> None:
    for _ in range(cursor.count()):
        kind, mutable = _value_type(cursor), cursor.byte()
        _skip_constant(cursor)
        module.globals.append(GlobalType(kind, mutable == 1))


def _skip_constant(cursor: Cursor) -> None:
    """One instruction and `end`: the network takes no longer initial expressions."""
    opcode = cursor.byte()
    if opcode in _CONSTANTS:
        cursor.unsigned()
    elif opcode == 0x43:
        cursor.skip(4)
    elif opcode == 0x44:
        cursor.skip(8)
    elif opcode == 0xD0:
        cursor.byte()
    elif opcode == 0xFD and cursor.unsigned() == 12:
        cursor.skip(16)
    else:
        raise WasmError("The module has an initial value that canisters may not use.")
    if cursor.byte() != 0x0B:
        raise WasmError("The module has an initial value of several instructions, which canisters may not use.")


def _read_exports(cursor: Cursor, module: Module) -> None:
    for _ in range(cursor.count()):
        module.exports.append(Export(cursor.name(), cursor.byte(), cursor.unsigned()))


def _read_start(cursor: Cursor, module: Module) -> None:
    module.start = cursor.unsigned()


def _read_code(cursor: Cursor, module: Module) -> None:
    for _ in range(cursor.count()):
        size = cursor.unsigned()
        start = cursor.skip(size)
        module.bodies.append((start, start + size))


_READERS = {
    TYPE: _read_types,
    IMPORT: _read_imports,
    FUNCTION: _read_functions,
    TABLE: _read_tables,
    MEMORY: _read_memories,
    GLOBAL: _read_globals,
    EXPORT: _read_exports,
    START: _read_start,
    CODE: _read_code,
}
