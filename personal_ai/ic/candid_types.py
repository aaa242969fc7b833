"""The types of Candid, and the values that stand for them.

    Null, Reserved        None                      Nat, Int, Nat8..Int64     int
    Bool                  bool                      Float32, Float64          float
    Text                  str                       Principal_                Principal
    Vec(Nat8) = Blob      bytes                     Vec(T)                    list
    Record({name: T})     dict, keys as declared    Variant({name: T})        (name, value)
    Opt(T)                None or the value; where T itself may be None: None or Some(value)

A recursive type is `tree = Rec(); tree.define(Record({"left": Opt(tree)}))`.
Source: the Candid specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from personal_ai.common.errors import FormatError


class CandidError(FormatError):
    """A Candid message that is malformed or is not of the type expected, or a value that its type cannot hold."""


class Type:
    """Base of all types."""


@dataclass(frozen=True, slots=True)
class Primitive(Type):
    """A type without parts; `code` is its number on the wire."""

    name: str
    code: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Opt(Type):
    """A value or None."""

    inner: Type

    def __str__(self) -> str:
        return "opt"


@dataclass(frozen=True, slots=True)
class Vec(Type):
    """A list; Vec(Nat8) is bytes."""

    inner: Type

    def __str__(self) -> str:
        return "vec"


Label = str | int


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record or a variant; `id` is the hash of its name, or the number that it is named by."""

    id: int
    label: Label
    type: Type


@dataclass(frozen=True, init=False)
class _Fields(Type):
    fields: tuple[Field, ...]
    by_id: dict[int, Field] = field(compare=False, repr=False)
    by_label: dict[Label, Field] = field(compare=False, repr=False)

    def __init__(self, fields: Mapping[Any, Type]) -> None:
        """`fields`: types by name (str) or number (int: tuples count from 0)."""
        ordered = sorted(
            (
                Field(label if isinstance(label, int) else field_id(label), label, type_)
                for label, type_ in fields.items()
            ),
            key=lambda one: one.id,
        )
        object.__setattr__(self, "fields", tuple(ordered))
        object.__setattr__(self, "by_id", {one.id: one for one in ordered})
        object.__setattr__(self, "by_label", {one.label: one for one in ordered})
        if len(self.by_id) != len(ordered):
            raise ValueError("two fields share one id")

    def __str__(self) -> str:
        return type(self).__name__.lower()


class Record(_Fields):
    """Named fields; Record({0: T, 1: U}) is a tuple."""


class Variant(_Fields):
    """One of several named cases; a case without a value has type Null."""


class Rec(Type):
    """A type that is defined after it is used; two of them are equal only if they are the same object."""

    def __init__(self) -> None:
        self._definition: Type | None = None

    def define(self, definition: Type) -> None:
        """Says what it stands for: once, and not another Rec."""
        if self._definition is not None or isinstance(definition, Rec):
            raise ValueError("a Rec is defined once, as a type that is no Rec")
        self._definition = definition

    @property
    def definition(self) -> Type:
        if self._definition is None:
            raise ValueError("this Rec is not defined yet")
        return self._definition


@dataclass(frozen=True, slots=True)
class Some:
    """A value that is there, where the bare value would look like none."""

    value: Any


def resolve(type_: Type) -> Type:
    """The type itself, or what a Rec stands for."""
    return type_.definition if isinstance(type_, Rec) else type_


def field_id(name: str) -> int:
    """The 32-bit hash by which a field's name travels."""
    number = 0
    for byte in name.encode():
        number = (number * 223 + byte) & 0xFFFFFFFF
    return number


Null = Primitive("null", -1)
Bool = Primitive("bool", -2)
Nat = Primitive("nat", -3)
Int = Primitive("int", -4)
Nat8 = Primitive("nat8", -5)
Nat16 = Primitive("nat16", -6)
Nat32 = Primitive("nat32", -7)
Nat64 = Primitive("nat64", -8)
Int8 = Primitive("int8", -9)
Int16 = Primitive("int16", -10)
Int32 = Primitive("int32", -11)
Int64 = Primitive("int64", -12)
Float32 = Primitive("float32", -13)
Float64 = Primitive("float64", -14)
Text = Primitive("text", -15)
Reserved = Primitive("reserved", -16)
Empty = Primitive("empty", -17)
Principal_ = Primitive("principal", -24)
Blob = Vec(Nat8)

OPT_CODE, VEC_CODE, RECORD_CODE, VARIANT_CODE, FUNC_CODE, SERVICE_CODE = -18, -19, -20, -21, -22, -23

# Types of fixed size, by wire code: their `struct` letter, little endian.
FIXED_FORMATS = {
    Nat8.code: "B",
    Nat16.code: "H",
    Nat32.code: "I",
    Nat64.code: "Q",
    Int8.code: "b",
    Int16.code: "h",
    Int32.code: "i",
    Int64.code: "q",
    Float32.code: "f",
    Float64.code: "d",
}


def may_be_none(type_: Type) -> bool:
    """Whether None is a value of the type, so that an Opt around it needs Some."""
    type_ = resolve(type_)
    return isinstance(type_, Opt) or type_ in (Null, Reserved)
