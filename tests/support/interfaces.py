"""Candid interfaces as they are written down, and whether one type can stand where another is expected."""

from __future__ import annotations

import re
from collections.abc import Iterator

from personal_ai.ic import candid
from personal_ai.ic.candid import Null, Opt, Rec, Record, Type, Variant, Vec
from personal_ai.ic.candid_types import resolve

_PRIMITIVES: dict[str, Type] = {
    name: getattr(candid, name.capitalize())
    for name in ("null", "bool", "nat", "int", "nat8", "nat32", "nat64", "float32", "float64", "text")
} | {"blob": candid.Blob, "principal": candid.Principal_}


class InterfaceReader:
    """Reads the part of the interface language that our files use. A type may name itself."""

    def __init__(self, text: str) -> None:
        self._tokens = re.findall(r"->|[\w]+|[{}():;=,]", re.sub(r"//.*", "", text))
        self._types: dict[str, Type] = {}
        self._named_itself = False
        self.methods: dict[str, tuple[list[Type], list[Type], bool]] = dict(self._read())

    def _read(self) -> Iterator[tuple[str, tuple[list[Type], list[Type], bool]]]:
        while self._take() == "type":
            name = self._take()
            self._take("=")
            self._types[name] = itself = Rec()
            found = self._type()
            if self._named_itself:
                itself.define(found)
            else:
                self._types[name] = found
            self._take(";")
        self._take(":")
        self._take("{")
        while not self._ended("}"):
            name = self._take()
            self._take(":")
            arguments = self._arguments()
            self._take("->")
            results = self._arguments()
            yield name, (arguments, results, self._ended("query"))
            self._take(";")

    def _arguments(self) -> list[Type]:
        self._take("(")
        arguments = []
        while not self._ended(")"):
            if self._tokens[1] == ":":
                self._take()
                self._take(":")
            arguments.append(self._type())
            self._ended(",")
        return arguments

    def _type(self) -> Type:
        word = self._take()
        if word == "vec":
            return Vec(self._type())
        if word == "opt":
            return Opt(self._type())
        if word in ("record", "variant"):
            return (Record if word == "record" else Variant)(self._fields())
        if word not in self._types:
            return _PRIMITIVES[word]
        self._named_itself |= isinstance(self._types[word], Rec)
        return self._types[word]

    def _fields(self) -> dict[str | int, Type]:
        self._take("{")
        fields: dict[str | int, Type] = {}
        while not self._ended("}"):
            word, after = self._tokens[:2]
            if after == ":":
                name = self._take()
                self._take(":")
                fields[name] = self._type()
            elif after in (";", "}") and word not in {**_PRIMITIVES, **self._types}:
                fields[self._take()] = Null
            else:  # of a tuple
                fields[len(fields)] = self._type()
            self._ended(";")
        return fields

    def _ended(self, token: str) -> bool:
        """Takes the token if it is the next one."""
        if self._tokens[0] != token:
            return False
        self._take()
        return True

    def _take(self, expected: str | None = None) -> str:
        token = self._tokens.pop(0)
        assert expected is None or token == expected, f"{token} instead of {expected}"
        return token


def fits(given: Type, expected: Type, assumed: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether every value of `given` is one of `expected`: subtyping without the rules that lose values silently.

    What is left out of a record must be opt on the other side. Source: the Candid specification, "Subtyping".
    """
    pair = (id(given), id(expected))
    if pair in assumed:
        return True
    assumed |= {pair}
    match resolve(given), resolve(expected):
        case one, Opt() as other:
            return fits(one.inner if isinstance(one, Opt) else one, other.inner, assumed)
        case Vec() as one, Vec() as other:
            return fits(one.inner, other.inner, assumed)
        case Record() as one, Record() as other:
            return all(
                fits(one.by_id[field.id].type, field.type, assumed)
                if field.id in one.by_id
                else isinstance(resolve(field.type), Opt)
                for field in other.fields
            )
        case Variant() as one, Variant() as other:
            return all(
                field.id in other.by_id and fits(field.type, other.by_id[field.id].type, assumed)
                for field in one.fields
            )
        case one, other:
            return one == other or (one, other) == (candid.Nat, candid.Int)
    raise AssertionError("all cases are above")
