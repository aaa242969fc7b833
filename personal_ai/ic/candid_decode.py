"""Candid bytes to values of the types expected, safe against hostile messages.

A value is coerced to the expected type as the specification's subtyping says (nat to int, surplus fields skipped,
missing opt fields None, an opt whose content does not fit None), judged by the values that are there: so a variant
that has grown new cases still reads as long as a known one came.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from personal_ai.ic.candid_encode import MAGIC
from personal_ai.ic.candid_types import (
    FIXED_FORMATS,
    FUNC_CODE,
    OPT_CODE,
    RECORD_CODE,
    SERVICE_CODE,
    VARIANT_CODE,
    VEC_CODE,
    Bool,
    CandidError,
    Empty,
    Int,
    Nat,
    Nat8,
    Null,
    Opt,
    Primitive,
    Principal_,
    Record,
    Reserved,
    Some,
    Text,
    Type,
    Variant,
    Vec,
    may_be_none,
    resolve,
)
from personal_ai.ic.principal import MAX_SIZE_BYTES as MAX_PRINCIPAL_SIZE_BYTES
from personal_ai.ic.principal import Principal

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
MAX_TYPES = 5_000
MAX_FIELDS = 50_000
MAX_ARGUMENTS = 100
MAX_NUMBER_SIZE_BYTES = 256
_MAX_LENGTH_SIZE_BYTES = 10  # LEB128 of 64 bits
_FIXED_SIZES_BYTES = {code: struct.calcsize(f"<{letter}") for code, letter in FIXED_FORMATS.items()}
_LAST_KNOWN_CODE = Principal_.code
_NAMES: Final = {OPT_CODE: "opt", VEC_CODE: "vec", RECORD_CODE: "record", VARIANT_CODE: "variant"}


class _Mismatch(CandidError):
    """A well-formed value that is not of the expected type: an opt around it becomes None."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One composite type of the message: `parts` are (field id, type reference), one with id 0 for opt and vec.

    A reference is the number of an entry, or the negative code of a primitive type.
    """

    code: int
    parts: tuple[tuple[int, int], ...] = ()


def decode(
    types: Sequence[Type], data: bytes, *, max_size_bytes: int = 4 << 20, max_values: int = MAX_VALUES
) -> list[Any]:
    """The values of a message, one for each of `types`; surplus arguments are skipped. Raises CandidError."""
    if len(data) > max_size_bytes:
        raise CandidError(f"The Candid message has {len(data)} bytes, more than the {max_size_bytes} allowed.")
    reader = _Reader(bytes(data))
    if reader.take(len(MAGIC)) != MAGIC:
        raise CandidError("This is not a Candid message.")
    table = _read_table(reader)
    arguments = [_reference(reader, len(table)) for _ in range(reader.count(MAX_ARGUMENTS))]
    decoder = _Decoder(reader, table, max_values)
    values = [decoder.read(wire, type_, MAX_DEPTH) for wire, type_ in zip(arguments, types, strict=False)]
    for wire in arguments[len(types) :]:
        decoder.skip(wire, MAX_DEPTH)
    for type_ in types[len(arguments) :]:
        if not may_be_none(type_):
            raise CandidError("The Candid message has fewer values than expected.")
        values.append(None)
    if reader.position != len(data):
        raise CandidError("The Candid message has bytes after its end.")
    return values


class _Reader:
    """Bytes with a position; every read is checked."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, size_bytes: int) -> bytes:
        end = self.position + size_bytes
        if end > len(self._data):
            raise CandidError("The Candid message ends too early.")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def advance(self, size_bytes: int) -> None:
        if self.position + size_bytes > len(self._data):
            raise CandidError("The Candid message ends too early.")
        self.position += size_bytes

    def unsigned(self, max_size_bytes: int = MAX_NUMBER_SIZE_BYTES) -> int:
        return self._leb128(max_size_bytes)[0]

    def signed(self, max_size_bytes: int = MAX_NUMBER_SIZE_BYTES) -> int:
        value, bits = self._leb128(max_size_bytes)
        return value - (1 << bits) if value >> (bits - 1) else value

    def _leb128(self, max_size_bytes: int) -> tuple[int, int]:
        """The number's bits as they stand, and how many they are."""
        value = shift = 0
        for _ in range(max_size_bytes):
            if self.position >= len(self._data):
                raise CandidError("The Candid message ends too early.")
            byte = self._data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, shift
        raise CandidError("The Candid message has a number that is too long.")

    def count(self, maximum: int | None = None) -> int:
        """A length; `maximum` None: at most the bytes that are left, for items of a byte or more."""
        value = self.unsigned(_MAX_LENGTH_SIZE_BYTES)
        if value > (len(self._data) - self.position if maximum is None else maximum):
            raise CandidError("The Candid message announces more than it may hold.")
        return value


def _read_table(reader: _Reader) -> list[_Entry]:
    count = reader.count(MAX_TYPES)
    table: list[_Entry] = []
    fields_left = MAX_FIELDS
    for _ in range(count):
        entry = _read_entry(reader, count, fields_left)
        fields_left -= len(entry.parts)
        table.append(entry)
    return table


def _read_entry(reader: _Reader, types: int, fields_left: int) -> _Entry:
    code = reader.signed(_MAX_LENGTH_SIZE_BYTES)
    if code in (OPT_CODE, VEC_CODE):
        return _Entry(code, ((0, _reference(reader, types)),))
    if code in (RECORD_CODE, VARIANT_CODE):
        return _Entry(code, _read_fields(reader, types, fields_left))
    if code == FUNC_CODE:
        for _ in range(2):  # arguments, results
            for _ in range(reader.count(MAX_ARGUMENTS)):
                _reference(reader, types)
        reader.advance(reader.count(MAX_ARGUMENTS))  # annotations
    elif code == SERVICE_CODE:
        for _ in range(reader.count()):
            reader.advance(reader.count())
            _reference(reader, types)
    elif code < _LAST_KNOWN_CODE:  # a type of the future says how long it is
        reader.advance(reader.count())
    else:
        raise CandidError("The Candid message has a type table that is malformed.")
    return _Entry(code)


def _read_fields(reader: _Reader, types: int, fields_left: int) -> tuple[tuple[int, int], ...]:
    parts: list[tuple[int, int]] = []
    previous = -1
    for _ in range(reader.count(fields_left)):
        number = reader.unsigned(_MAX_LENGTH_SIZE_BYTES)
        if not previous < number <= 0xFFFFFFFF:
            raise CandidError("The Candid message has fields that are not sorted.")
        previous = number
        parts.append((number, _reference(reader, types)))
    return tuple(parts)


def _reference(reader: _Reader, types: int) -> int:
    reference = reader.signed(_MAX_LENGTH_SIZE_BYTES)
    primitive = reference == Principal_.code or Empty.code <= reference <= Null.code
    if not primitive and not 0 <= reference < types:
        raise CandidError("The Candid message refers to a type that is not there.")
    return reference


class _Decoder:
    """Reads values; `wire` is always a reference to the type that the message gives."""

    def __init__(self, reader: _Reader, table: list[_Entry], max_values: int) -> None:
        self._reader = reader
        self._table = table
        self._values_left = max_values

    def read(self, wire: int, expected: Type, depth_left: int) -> Any:
        self._count_value(depth_left)
        match resolve(expected):
            case Opt(inner):
                return self._read_opt(wire, inner, depth_left)
            case Vec(inner):
                return self._read_vec(wire, inner, depth_left)
            case Record() as record:
                return self._read_record(wire, record, depth_left)
            case Variant() as variant:
                return self._read_variant(wire, variant, depth_left)
            case Primitive() as primitive:
                return self._read_primitive(wire, primitive, depth_left)
        raise TypeError(f"{expected!r} is no Candid type")

    def _count_value(self, depth_left: int) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            raise CandidError("The Candid message holds too many values.")
        if depth_left <= 0:
            raise CandidError("The Candid message is nested too deeply.")

    def _entry(self, wire: int, code: int) -> _Entry:
        """The message's composite type if it is of the kind wanted, else _Mismatch."""
        if wire < 0 or self._table[wire].code != code:
            raise _Mismatch(f"The Candid message has another type where {_NAMES[code]} is expected.")
        return self._table[wire]

    def _read_opt(self, wire: int, inner: Type, depth_left: int) -> Any:
        if wire >= 0 and self._table[wire].code == OPT_CODE:
            flag = self._reader.take(1)
            if flag == b"\x00":
                return None
            if flag != b"\x01":
                raise CandidError("The Candid message has an opt that is malformed.")
            wire = self._table[wire].parts[0][1]
        elif may_be_none(inner):  # a bare value is not taken for a nested opt
            self.skip(wire, depth_left - 1)
            return None
        start = self._reader.position
        try:
            value = self.read(wire, inner, depth_left - 1)
        except _Mismatch:
            self._reader.position = start
            self.skip(wire, depth_left - 1)
            return None
        return Some(value) if may_be_none(inner) else value

    def _read_vec(self, wire: int, inner: Type, depth_left: int) -> Any:
        item = self._entry(wire, VEC_CODE).parts[0][1]
        if inner == Nat8:
            if item != Nat8.code:
                raise _Mismatch("The Candid message has another type where blob is expected.")
            return self._reader.take(self._reader.count())
        if isinstance(inner, Primitive) and inner.code in FIXED_FORMATS and item == inner.code:
            count = self._reader.count()
            packed = self._reader.take(count * _FIXED_SIZES_BYTES[item])
            return list(struct.unpack(f"<{count}{FIXED_FORMATS[item]}", packed))
        return [self.read(item, inner, depth_left - 1) for _ in range(self._reader.count(self._values_left))]

    def _read_record(self, wire: int, expected: Record, depth_left: int) -> dict[str | int, Any]:
        values: dict[str | int, Any] = {}
        for number, reference in self._entry(wire, RECORD_CODE).parts:
            one = expected.by_id.get(number)
            if one is None:
                self.skip(reference, depth_left - 1)
            else:
                values[one.label] = self.read(reference, one.type, depth_left - 1)
        for one in expected.fields:
            if one.label not in values:
                if not may_be_none(one.type):
                    raise _Mismatch(f"The Candid message lacks the field {one.label!r}.")
                values[one.label] = None
        return values

    def _read_variant(self, wire: int, expected: Variant, depth_left: int) -> tuple[str | int, Any]:
        number, reference = self._case(self._entry(wire, VARIANT_CODE))
        one = expected.by_id.get(number)
        if one is None:
            raise _Mismatch("The Candid message has a variant's case that is not known here.")
        return one.label, self.read(reference, one.type, depth_left - 1)

    def _case(self, entry: _Entry) -> tuple[int, int]:
        index = self._reader.unsigned(_MAX_LENGTH_SIZE_BYTES)
        if index >= len(entry.parts):
            raise CandidError("The Candid message has a variant that is malformed.")
        return entry.parts[index]

    def _read_primitive(self, wire: int, expected: Primitive, depth_left: int) -> Any:
        if expected == Reserved:
            return self.skip(wire, depth_left)
        if expected == Principal_ and wire >= 0 and self._table[wire].code == SERVICE_CODE:
            return self._principal()
        if wire != expected.code and (wire, expected.code) != (Nat.code, Int.code):
            raise _Mismatch(f"The Candid message has another type where {expected} is expected.")
        if wire in FIXED_FORMATS:
            return struct.unpack(f"<{FIXED_FORMATS[wire]}", self._reader.take(_FIXED_SIZES_BYTES[wire]))[0]
        return self._read_variable(wire)

    def _read_variable(self, wire: int) -> Any:
        """A primitive whose size is not fixed."""
        value: Any = None
        if wire == Nat.code:
            value = self._reader.unsigned()
        elif wire == Int.code:
            value = self._reader.signed()
        elif wire == Bool.code:
            value = self._bool()
        elif wire == Text.code:
            value = self._text()
        elif wire == Principal_.code:
            value = self._principal()
        elif wire == Empty.code:
            raise CandidError("The Candid message claims a value of the empty type.")
        return value  # null and reserved: nothing was sent

    def _bool(self) -> bool:
        byte = self._reader.take(1)[0]
        if byte > 1:
            raise CandidError("The Candid message has a bool that is malformed.")
        return byte == 1

    def _text(self) -> str:
        try:
            return self._reader.take(self._reader.count()).decode()
        except UnicodeDecodeError:
            raise CandidError("The Candid message has text that is not UTF-8.") from None

    def _principal(self) -> Principal:
        if self._reader.take(1) != b"\x01":
            raise CandidError("The Candid message has a principal that is not told.")
        return Principal(self._reader.take(self._reader.count(MAX_PRINCIPAL_SIZE_BYTES)))

    def skip(self, wire: int, depth_left: int) -> None:
        """Passes over a value of any type."""
        self._count_value(depth_left)
        if wire in _FIXED_SIZES_BYTES:
            self._reader.advance(_FIXED_SIZES_BYTES[wire])
        elif wire < 0:
            self._read_variable(wire)
        else:
            self._skip_composite(self._table[wire], depth_left - 1)

    def _skip_composite(self, entry: _Entry, depth_left: int) -> None:
        if entry.code == OPT_CODE:
            if self._bool():
                self.skip(entry.parts[0][1], depth_left)
        elif entry.code == VEC_CODE:
            self._skip_vec(entry.parts[0][1], depth_left)
        elif entry.code == RECORD_CODE:
            for _, reference in entry.parts:
                self.skip(reference, depth_left)
        elif entry.code == VARIANT_CODE:
            self.skip(self._case(entry)[1], depth_left)
        elif entry.code == SERVICE_CODE:
            self._principal()
        elif entry.code == FUNC_CODE:
            if self._bool():
                self._principal()
                self._text()
        else:  # a type of the future: its size, its references, its bytes
            size_bytes = self._reader.count()
            self._reader.count()
            self._reader.advance(size_bytes)

    def _skip_vec(self, item: int, depth_left: int) -> None:
        if item in _FIXED_SIZES_BYTES:
            self._reader.advance(self._reader.count() * _FIXED_SIZES_BYTES[item])
            return
        for _ in range(self._reader.count(self._values_left)):
            self.skip(item, depth_left)
