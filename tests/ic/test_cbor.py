from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError
from personal_ai.ic import cbor

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_round_trips_and_agrees_with_another_implementation(value: object) -> None:
    assert cbor.decode(cbor.encode(value)) == value
    assert cbor2.loads(cbor.encode(value, self_described=False)) == value
    assert cbor.decode(cbor2.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        cbor.decode(data)


@given(VALUES, st.data())
def test_a_cut_message_is_refused(value: object, data: st.DataObject) -> None:
    encoded = cbor.encode(value)
    with pytest.raises(FormatError):
        cbor.decode(encoded[: data.draw(st.integers(3, len(encoded) - 1))])


def test_the_self_described_tag_is_written_unless_told_not_to() -> None:
    assert cbor.encode(0) == b"\xd9\xd9\xf7\x00"
    assert cbor.encode(0, self_described=False) == b"\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",  # trailing byte
        b"\xd9\xd9\xf7\xd9\xd9\xf7\x00",  # the tag twice
        b"\x9f\xff",  # indefinite length
        b"\x9b" + b"\xff" * 8,  # an array of 2^64 items
        b"\x5b" + b"\xff" * 8,  # as many bytes
        b"\xa2\x61a\x00\x61a\x00",  # a key twice
        b"\xa1\x00\x00",  # a key that is a number
        b"\x61\xff",  # no UTF-8
        b"\xfb" + bytes(8),  # a float
        b"\xc1\x00",  # a date
        b"\xd8\x1d\x00",  # a shared reference
        b"\xc2\x58\x21" + bytes(33),  # a big number that is too long
        b"\xf8\x20",  # an unassigned simple value
    ],
)
def test_what_the_interface_does_not_use_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        cbor.decode(data)


def test_big_numbers_of_other_agents_are_read() -> None:
    assert cbor.decode(cbor2.dumps(2**70)) == 2**70
    assert cbor.decode(b"\xc2\x42\x01\x00") == 256


def test_bounds_on_size_depth_and_number_of_values() -> None:
    with pytest.raises(FormatError, match="more than"):
        cbor.decode(bytes(11), max_size_bytes=10)
    deep = b"\x81" * 100_000 + b"\x00"
    with pytest.raises(FormatError, match="nested"):
        cbor.decode(deep)
    with pytest.raises(FormatError, match="too many"):
        cbor.decode(b"\x99\xff\xff" + b"\x00" * 0xFFFF, max_items=1000)


@pytest.mark.parametrize("value", [1.5, {1: 2}, object()])
def test_other_values_are_not_encoded(value: object) -> None:
    with pytest.raises(TypeError):
        cbor.encode(value)


def test_a_number_of_more_than_64_bits_is_not_encoded() -> None:
    with pytest.raises(OverflowError):
        cbor.encode(1 << 64)
