from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.ic.candid import (
    Blob,
    Bool,
    CandidError,
    Empty,
    Float32,
    Float64,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Nat,
    Nat8,
    Nat16,
    Nat32,
    Nat64,
    Null,
    Opt,
    Principal_,
    Rec,
    Record,
    Reserved,
    Some,
    Text,
    Type,
    Variant,
    Vec,
    decode,
    encode,
    field_id,
)
from personal_ai.ic.principal import ANONYMOUS, Principal


def one(type_: Type, value: Any) -> bytes:
    return encode([type_], [value])


# ---- known bytes (worked out by hand from the specification)


@pytest.mark.parametrize(
    ("type_", "value", "wire"),
    [
        (Null, None, "4449444c00017f"),
        (Bool, True, "4449444c00017e01"),
        (Nat, 300, "4449444c00017dac02"),
        (Int, -1, "4449444c00017c7f"),
        (Nat64, 1, "4449444c0001780100000000000000"),
        (Int16, -2, "4449444c000176feff"),
        (Float32, 1.0, "4449444c0001730000803f"),
        (Text, "hé", "4449444c0001710368c3a9"),
        (Reserved, None, "4449444c000170"),
        (Principal_, ANONYMOUS, "4449444c000168010104"),
        (Blob, b"\x01\x02", "4449444c016d7b01000201" + "02"),
        (Opt(Nat), None, "4449444c016e7d010000"),
        (Opt(Nat), 5, "4449444c016e7d01000105"),
        (Vec(Nat), [1, 2], "4449444c016d7d0100020102"),
        (Record({}), {}, "4449444c016c000100"),
        (Record({0: Nat, 1: Nat}), {0: 1, 1: 2}, "4449444c016c02007d017d01000102"),
        (Variant({"ok": Null}), ("ok", None), "4449444c016b019cc2017f010000"),
    ],
)
def test_known_messages(type_: Type, value: Any, wire: str) -> None:
    assert one(type_, value).hex() == wire
    assert decode([type_], bytes.fromhex(wire)) == [value]


def test_field_ids() -> None:
    assert (field_id(""), field_id("ok"), field_id("id"), field_id("description")) == (0, 24860, 23515, 1595738364)


# ---- any type, any value

PRIMITIVES: dict[Type, st.SearchStrategy[Any]] = {
    Null: st.none(),
    Bool: st.booleans(),
    Nat: st.integers(0, 2**200),
    Int: st.integers(-(2**200), 2**200),
    Nat8: st.integers(0, 2**8 - 1),
    Nat16: st.integers(0, 2**16 - 1),
    Nat32: st.integers(0, 2**32 - 1),
    Nat64: st.integers(0, 2**64 - 1),
    Int8: st.integers(-(2**7), 2**7 - 1),
    Int16: st.integers(-(2**15), 2**15 - 1),
    Int32: st.integers(-(2**31), 2**31 - 1),
    Int64: st.integers(-(2**63), 2**63 - 1),
    Float32: st.floats(width=32, allow_nan=False),
    Float64: st.floats(allow_nan=False),
    Text: st.text(),
    Principal_: st.binary(max_size=29).map(Principal),
    Reserved: st.none(),
}
LABELS = st.text(max_size=6) | st.integers(0, 2**32 - 1)


def types(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    fields = st.dictionaries(LABELS, inner, max_size=4).filter(_distinct)
    return st.one_of(inner.map(Opt), inner.map(Vec), fields.map(Record), fields.filter(bool).map(Variant))


def _distinct(fields: dict[str | int, Type]) -> bool:
    return len({label if isinstance(label, int) else field_id(label) for label in fields}) == len(fields)


TYPES = st.recursive(st.sampled_from(list(PRIMITIVES)), types, max_leaves=8)


def values(type_: Type) -> st.SearchStrategy[Any]:
    match type_:
        case Opt(inner):
            wrapped = isinstance(inner, Opt) or inner in (Null, Reserved)
            return st.none() | (values(inner).map(Some) if wrapped else values(inner))
        case Vec(inner):
            return st.binary() if inner == Nat8 else st.lists(values(inner), max_size=4)
        case Record():
            return st.fixed_dictionaries({field.label: values(field.type) for field in type_.fields})
        case Variant():
            return st.one_of([st.tuples(st.just(field.label), values(field.type)) for field in type_.fields])
    return PRIMITIVES[type_]


@given(st.data())
def test_any_value_of_any_type_round_trips(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(TYPES, max_size=3))
    content = [data.draw(values(type_)) for type_ in chosen]
    encoded = encode(chosen, content)
    assert decode(chosen, encoded) == content
    assert decode([], encoded) == []  # surplus values are skipped, whatever they are
    assert decode([Reserved] * len(chosen), encoded) == [None] * len(chosen)


@given(st.data())
def test_any_value_decodes_as_any_type_or_is_refused(data: st.DataObject) -> None:
    actual, wanted = data.draw(TYPES), data.draw(TYPES)
    encoded = one(actual, data.draw(values(actual)))
    with contextlib.suppress(CandidError):
        decode([wanted], encoded)
    decode([Opt(wanted)], encoded)  # an opt takes anything and may be None


@settings(max_examples=300)
@given(st.data())
def test_changed_messages_decode_or_are_refused(data: st.DataObject) -> None:
    type_ = data.draw(TYPES)
    encoded = bytearray(one(type_, data.draw(values(type_))))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] = data.draw(st.integers(0, 255))
    for wanted in (type_, Reserved):
        with contextlib.suppress(CandidError):
            decode([wanted], bytes(encoded))


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for wanted in (Reserved, Blob, Record({"a": Opt(Text)})):
        with contextlib.suppress(CandidError):
            decode([wanted], b"DIDL" + data)


@given(st.data())
def test_a_cut_message_is_refused(data: st.DataObject) -> None:
    type_ = data.draw(TYPES)
    encoded = one(type_, data.draw(values(type_)))
    with pytest.raises(CandidError):
        decode([type_], encoded[: data.draw(st.integers(0, len(encoded) - 1))])


# ---- coercion


@pytest.mark.parametrize(
    ("sent", "value", "wanted", "read"),
    [
        (Nat, 5, Int, 5),
        (Nat, 5, Opt(Nat), 5),
        (Nat, 5, Opt(Int), 5),
        (Text, "a", Opt(Nat), None),
        (Null, None, Opt(Nat), None),
        (Reserved, None, Opt(Nat), None),
        (Opt(Text), "a", Opt(Nat), None),
        (Opt(Nat), 5, Opt(Opt(Nat)), Some(5)),
        (Opt(Opt(Nat)), Some(5), Opt(Opt(Nat)), Some(5)),
        (Opt(Opt(Nat)), Some(None), Opt(Opt(Nat)), Some(None)),
        (Nat, 5, Opt(Opt(Nat)), None),
        (Record({"a": Nat, "b": Text}), {"a": 1, "b": "x"}, Record({"a": Nat}), {"a": 1}),
        (Record({"a": Nat}), {"a": 1}, Record({"a": Int, "c": Opt(Text)}), {"a": 1, "c": None}),
        (Record({"a": Nat}), {"a": 1}, Record({"c": Null, "d": Reserved}), {"c": None, "d": None}),
        (Record({"a": Nat}), {"a": 1}, Opt(Record({"b": Nat})), None),
        (Variant({"a": Nat, "new": Text}), ("a", 1), Variant({"a": Nat, "b": Null}), ("a", 1)),
        (Opt(Variant({"a": Nat, "new": Text})), ("new", "x"), Opt(Variant({"a": Nat})), None),
        (Vec(Nat), [1, 2], Vec(Int), [1, 2]),
        (Vec(Nat), [1, 2], Vec(Opt(Int)), [1, 2]),
        (Blob, b"ab", Reserved, None),
        (Record({0: Nat, 1: Text}), {0: 1, 1: "x"}, Record({0: Int}), {0: 1}),
    ],
)
def test_coercion(sent: Type, value: Any, wanted: Type, read: Any) -> None:
    follower = encode([sent, Text], [value, "after"])
    assert decode([wanted, Text], follower) == [read, "after"]


@pytest.mark.parametrize(
    ("sent", "value", "wanted"),
    [
        (Int, 5, Nat),
        (Nat8, 5, Nat),
        (Nat64, 5, Nat32),
        (Text, "a", Principal_),
        (Opt(Nat), 5, Nat),
        (Record({"a": Nat}), {"a": 1}, Record({"b": Nat})),
        (Variant({"a": Nat, "new": Text}), ("new", "x"), Variant({"a": Nat})),
        (Vec(Nat16), [1], Blob),
        (Blob, b"a", Vec(Nat16)),
        (Nat, 1, Empty),
    ],
)
def test_what_does_not_fit_is_refused(sent: Type, value: Any, wanted: Type) -> None:
    with pytest.raises(CandidError):
        decode([wanted], one(sent, value))


def test_missing_arguments_are_none_where_they_may_be() -> None:
    assert decode([Nat, Opt(Text), Null, Reserved], one(Nat, 1)) == [1, None, None, None]
    with pytest.raises(CandidError, match="fewer"):
        decode([Nat, Text], one(Nat, 1))


def test_recursive_types() -> None:
    chain = Rec()
    chain.define(Opt(Record({"head": Int, "tail": chain})))
    value = {"head": 1, "tail": {"head": -2, "tail": None}}
    assert decode([chain], one(chain, value)) == [value]
    assert decode([], one(chain, value)) == []

    tree = Rec()
    tree.define(Variant({"leaf": Nat, "node": Vec(tree)}))
    forest = ("node", [("leaf", 1), ("node", [("leaf", 2)])])
    assert decode([tree], one(tree, forest)) == [forest]


def test_a_recursive_type_is_defined_once_and_before_use() -> None:
    unfinished = Rec()
    with pytest.raises(ValueError, match="not defined"):
        one(unfinished, None)
    with pytest.raises(ValueError, match="once"):
        unfinished.define(Rec())
    unfinished.define(Nat)
    with pytest.raises(ValueError, match="once"):
        unfinished.define(Text)


def test_fields_whose_names_collide_are_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        Record({"ok": Nat, 24860: Text})


# ---- what cannot be encoded


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Nat, -1),
        (Nat, True),
        (Nat8, 256),
        (Nat8, True),
        (Nat8, "1"),
        (Int64, 2**63),
        (Float32, "1"),
        (Float32, 1e300),
        (Bool, 1),
        (Text, b"bytes"),
        (Text, "\ud800"),
        (Null, 0),
        (Empty, None),
        (Principal_, "aaaaa-aa"),
        (Blob, "text"),
        (Vec(Nat), 5),
        (Vec(Nat32), [1, -1]),
        (Vec(Nat32), [True]),
        (Opt(Opt(Nat)), 5),
        (Record({"a": Nat}), {}),
        (Record({"a": Nat}), {"a": 1, "b": 2}),
        (Record({"a": Nat}), [1]),
        (Variant({"a": Nat}), ("b", 1)),
        (Variant({"a": Nat}), "a"),
    ],
)
def test_values_that_do_not_fit_their_type(type_: Type, value: Any) -> None:
    with pytest.raises(CandidError):
        one(type_, value)


def test_as_many_values_as_types() -> None:
    with pytest.raises(CandidError):
        encode([Nat], [])
