"""Another implementation as oracle, where it is right: no coercion, no opt of opt, no reserved."""

from __future__ import annotations

from typing import Any

import ic.candid as oracle
import pytest
from ic.principal import Principal as OraclePrincipal

from personal_ai.ic.candid import (
    Bool,
    Float64,
    Int,
    Nat,
    Nat32,
    Nat64,
    Null,
    Opt,
    Principal_,
    Record,
    Text,
    Type,
    Variant,
    Vec,
    decode,
    encode,
    field_id,
)
from personal_ai.ic.principal import ANONYMOUS

T = oracle.Types
CASES: list[tuple[Type, Any, Any, Any]] = [
    (Nat, T.Nat, 2**100, 2**100),
    (Int, T.Int, -(2**100), -(2**100)),
    (Nat32, T.Nat32, 7, 7),
    (Nat64, T.Nat64, 2**64 - 1, 2**64 - 1),
    (Float64, T.Float64, 1.25, 1.25),
    (Bool, T.Bool, True, True),
    (Text, T.Text, "grüezi", "grüezi"),
    (Opt(Text), T.Opt(T.Text), "x", ["x"]),
    (Opt(Text), T.Opt(T.Text), None, []),
    (Vec(Nat), T.Vec(T.Nat), [1, 300], [1, 300]),
    (Record({"a": Nat, "b": Text}), T.Record({"a": T.Nat, "b": T.Text}), {"a": 1, "b": "x"}, {"a": 1, "b": "x"}),
    (Variant({"a": Null, "b": Text}), T.Variant({"a": T.Null, "b": T.Text}), ("b", "x"), {"b": "x"}),
]


@pytest.mark.parametrize(("ours", "theirs", "value", "their_value"), CASES)
def test_each_reads_what_the_other_wrote(ours: Type, theirs: Any, value: Any, their_value: Any) -> None:
    written = oracle.encode([{"type": theirs, "value": their_value}])
    assert decode([ours], written) == [value]
    [read] = oracle.decode(encode([ours], [value]), theirs)
    assert _named(read["value"], ours) == their_value


def _named(value: Any, type_: Type) -> Any:
    """The oracle gives fields by hash unless it is told the names; this names them again."""
    if isinstance(value, dict) and isinstance(type_, Record | Variant):
        names = {f"_{field_id(str(field.label))}": field.label for field in type_.fields}
        return {names.get(name, name): item for name, item in value.items()}
    return value


def test_principals() -> None:
    written = oracle.encode([{"type": T.Principal, "value": OraclePrincipal.anonymous().to_str()}])
    assert decode([Principal_], written) == [ANONYMOUS]
    [read] = oracle.decode(encode([Principal_], [ANONYMOUS]), T.Principal)
    assert read["value"].to_str() == str(ANONYMOUS)
