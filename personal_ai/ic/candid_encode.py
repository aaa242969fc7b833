"""Candid values to bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from personal_ai.ic import leb128
from personal_ai.ic.candid_types import (
    FIXED_FORMATS,
    OPT_CODE,
    RECORD_CODE,
    VARIANT_CODE,
    VEC_CODE,
    Blob,
    Bool,
    CandidError,
    Int,
    Nat,
    Null,
    Opt,
    Primitive,
    Principal_,
    Rec,
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
from personal_ai.ic.principal import Principal

MAGIC = b"DIDL"


def encode(types: Sequence[Type], values: Sequence[Any]) -> bytes:
    """The message of `values` typed `types`. A record's opt fields may be left out. Raises CandidError."""
    if len(types) != len(values):
        raise CandidError(f"{len(types)} types for {len(values)} values.")
    table = _TypeTable()
    references = [table.reference(type_) for type_ in types]
    out = [MAGIC, leb128.unsigned(len(table.entries)), *table.entries, leb128.unsigned(len(types)), *references]
    for type_, value in zip(types, values, strict=True):
        _write(out, type_, value)
    return b"".join(out)


class _TypeTable:
    """Gives every composite type one number, before its parts are looked at: so recursive types end."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self._numbers: dict[Type, int] = {}

    def reference(self, type_: Type) -> bytes:
        type_ = resolve(type_)
        if isinstance(type_, Primitive):
            return leb128.signed(type_.code)
        if type_ not in self._numbers:
            number = self._numbers[type_] = len(self.entries)
            self.entries.append(b"")
            self.entries[number] = self._entry(type_)
        return leb128.signed(self._numbers[type_])

    def _entry(self, type_: Type) -> bytes:
        match type_:
            case Opt(inner):
                return leb128.signed(OPT_CODE) + self.reference(inner)
            case Vec(inner):
                return leb128.signed(VEC_CODE) + self.reference(inner)
            case Record() | Variant():
                code = RECORD_CODE if isinstance(type_, Record) else VARIANT_CODE
                fields = [leb128.unsigned(one.id) + self.reference(one.type) for one in type_.fields]
                return leb128.signed(code) + leb128.unsigned(len(fields)) + b"".join(fields)
        raise TypeError(f"{type_!r} is no Candid type")


def _write(out: list[bytes], type_: Type, value: Any) -> None:
    match type_:
        case Rec():
            _write(out, type_.definition, value)
        case Primitive():
            out.append(_primitive(type_, value))
        case Opt(inner):
            _write_opt(out, inner, value)
        case Vec(inner):
            _write_vec(out, inner, value)
        case Record():
            _write_record(out, type_, value)
        case Variant():
            _write_variant(out, type_, value)


def _write_opt(out: list[bytes], inner: Type, value: Any) -> None:
    if value is None:
        out.append(b"\x00")
        return
    if may_be_none(inner):
        if not isinstance(value, Some):
            raise CandidError("An opt of a type that may be none takes Some(value).")
        value = value.value
    out.append(b"\x01")
    _write(out, inner, value)


def _write_vec(out: list[bytes], inner: Type, value: Any) -> None:
    if inner == Blob.inner:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise _wrong(Blob, value)
        content = bytes(value)
        out += (leb128.unsigned(len(content)), content)
        return
    if not isinstance(value, list | tuple):
        raise _wrong(Vec(inner), value)
    out.append(leb128.unsigned(len(value)))
    if isinstance(inner, Primitive) and inner.code in FIXED_FORMATS:
        out.append(_fixed(inner, value))
        return
    for item in value:
        _write(out, inner, item)


def _write_record(out: list[bytes], type_: Record, value: Any) -> None:
    if not isinstance(value, dict):
        raise _wrong(type_, value)
    if surplus := value.keys() - type_.by_label.keys():
        raise CandidError(f"The record has no field {sorted(map(str, surplus))[0]!r}.")
    for one in type_.fields:
        if one.label not in value and not may_be_none(one.type):
            raise CandidError(f"The record lacks its field {one.label!r}.")
        _write(out, one.type, value.get(one.label))


def _write_variant(out: list[bytes], type_: Variant, value: Any) -> None:
    match value:
        case (label, inner) if isinstance(label, str | int) and label in type_.by_label:
            one = type_.by_label[label]
            out.append(leb128.unsigned(type_.fields.index(one)))
            _write(out, one.type, inner)
        case _:
            raise _wrong(type_, value)


def _primitive(type_: Primitive, value: Any) -> bytes:
    if type_.code in FIXED_FORMATS:
        return _fixed(type_, (value,))
    encoded: bytes | None = None
    match value:
        case _ if type_ == Reserved:
            encoded = b""
        case None if type_ == Null:
            encoded = b""
        case bool():
            encoded = bytes((value,)) if type_ == Bool else None
        case int() if type_ == Int:
            encoded = leb128.signed(value)
        case int() if type_ == Nat and value >= 0:
            encoded = leb128.unsigned(value)
        case str() if type_ == Text:
            encoded = _text(value)
        case Principal() if type_ == Principal_:
            encoded = b"\x01" + leb128.unsigned(len(value.bytes)) + value.bytes
    if encoded is None:
        raise _wrong(type_, value)
    return encoded


def _text(value: str) -> bytes:
    try:
        content = value.encode()
    except UnicodeEncodeError:
        raise CandidError("Text with half of a surrogate pair has no UTF-8.") from None
    return leb128.unsigned(len(content)) + content


def _fixed(type_: Primitive, values: Sequence[Any]) -> bytes:
    if any(isinstance(value, bool) for value in values):
        raise _wrong(type_, True)
    try:
        return struct.pack(f"<{len(values)}{FIXED_FORMATS[type_.code]}", *values)
    except (struct.error, OverflowError) as error:
        raise CandidError(f"A value does not fit into {type_}.") from error


def _wrong(type_: Type, value: Any) -> CandidError:
    return CandidError(f"A value of type {type(value).__name__} does not fit into {type_}.")
