"""The Python types say what resources/canister.did says."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from personal_ai.canister import interface
from personal_ai.common.paths import resource
from personal_ai.ic import candid
from personal_ai.ic.candid import Null, Opt, Record, Type, Variant, Vec
from tests.canister.test_canister import ARGUMENTS, QUERIES, RESULTS

_PRIMITIVES: dict[str, Type] = {
    name: getattr(candid, name.capitalize())
    for name in ("null", "bool", "nat", "nat8", "nat32", "nat64", "float32", "float64", "text")
} | {"blob": candid.Blob}


class _Reader:
    """Reads the part of the interface language that the file uses."""

    def __init__(self, text: str) -> None:
        self._tokens = re.findall(r"->|[\w]+|[{}():;=,]", re.sub(r"//.*", "", text))
        self._types: dict[str, Type] = {}
        self.methods: dict[str, tuple[list[Type], list[Type], bool]] = dict(self._read())

    def _read(self) -> Iterator[tuple[str, tuple[list[Type], list[Type], bool]]]:
        while self._take() == "type":
            name = self._take()
            self._take("=")
            self._types[name] = self._type()
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
        return self._types[word] if word in self._types else _PRIMITIVES[word]

    def _fields(self) -> dict[str, Type]:
        self._take("{")
        fields = {}
        while not self._ended("}"):
            name = self._take()
            fields[name] = self._type() if self._ended(":") else Null
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


@pytest.fixture(scope="module")
def definition() -> _Reader:
    return _Reader(resource("canister.did").read_text())


def test_the_same_methods(definition: _Reader) -> None:
    assert definition.methods.keys() == ARGUMENTS.keys()
    assert sorted(name for name, (_, _, query) in definition.methods.items() if query) == sorted(QUERIES)


@pytest.mark.parametrize("method", [*ARGUMENTS])
def test_the_same_types(definition: _Reader, method: str) -> None:
    arguments, results, _ = definition.methods[method]
    assert arguments == ARGUMENTS[method][0]
    assert results == [interface.STATUS if method == "status" else RESULTS[method]]
