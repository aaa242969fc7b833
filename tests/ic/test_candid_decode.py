"""Messages that mean harm, or that are only large: refused in words, and never at a price beyond their size."""

from __future__ import annotations

import struct

import pytest

from personal_ai.ic import leb128
from personal_ai.ic.candid import (
    Blob,
    CandidError,
    Nat,
    Nat32,
    Null,
    Opt,
    Principal_,
    Reserved,
    Type,
    Vec,
    decode,
    encode,
)
from personal_ai.ic.principal import ANONYMOUS
from tests.support.work import counted


def message(table: bytes, arguments: bytes, content: bytes) -> bytes:
    return b"DIDL" + table + arguments + content


ENDLESS = leb128.unsigned(2**40)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"DIDX\x00\x00",
        message(b"\x00", b"\x00", b"\x00"),  # trailing byte
        message(ENDLESS, b"\x00", b""),  # endless type table
        message(b"\x01\x6c" + ENDLESS, b"\x00", b""),  # endless record type
        message(b"\x00", ENDLESS, b""),  # endless arguments
        message(b"\x01\x6d\x7f", b"\x01\x00", ENDLESS),  # a vec of 2^40 nulls
        message(b"\x02\x6c\x00\x6d\x00", b"\x01\x01", ENDLESS),  # a vec of 2^40 empty records
        message(b"\x01\x6d\x7b", b"\x01\x00", ENDLESS),  # a blob of 2^40 bytes
        message(b"\x01\x6d\x78", b"\x01\x00", leb128.unsigned(2**61)),
        message(b"\x01\x6e\x00", b"\x01\x00", b"\x01" * 200_000 + b"\x00"),  # nested opts
        message(b"\x01\x6c\x01\x00\x00", b"\x01\x00", b""),  # a record that holds itself
        message(b"\x01\x6c\x02\x01\x7d\x01\x7d", b"\x00", b""),  # a field twice
        message(b"\x01\x6c\x02\x02\x7d\x01\x7d", b"\x00", b""),  # fields not sorted
        message(b"\x01\x6c\x01\x80\x80\x80\x80\x10\x7d", b"\x00", b""),  # a field id of 33 bits
        message(b"\x01\x6e\x01", b"\x00", b""),  # a type that is not there
        message(b"\x01\x7d", b"\x00", b""),  # a primitive type in the table
        message(b"\x00", b"\x01\x6e", b""),  # opt as a primitive
        message(b"\x00", b"\x01\x00", b""),
        message(b"\x01\x6b\x01\x00\x7f", b"\x01\x00", b"\x01"),  # a case that is not there
        message(b"\x01\x6b\x00", b"\x01\x00", b"\x00"),  # a variant without cases
        message(b"\x00", b"\x01\x7e", b"\x02"),  # bool
        message(b"\x00", b"\x01\x71", b"\x01\xff"),  # text
        message(b"\x00", b"\x01\x7d", b"\xff" * 1000 + b"\x01"),  # a number of 7000 bits
        message(b"\x00", b"\x01\x68", b"\x00"),  # a hidden principal
        message(b"\x00", b"\x01\x68", b"\x01\x1e" + bytes(30)),  # a principal of 30 bytes
        message(b"\x00", b"\x01\x6f", b""),  # empty
        message(b"\x01\x6e\x7d", b"\x01\x00", b"\x02"),  # opt flag
    ],
)
@pytest.mark.parametrize("wanted", [[], [Reserved], [Opt(Nat)]])
def test_hostile_messages_are_refused_quickly(data: bytes, wanted: list[Type]) -> None:
    with counted() as work, pytest.raises(CandidError):
        decode(wanted, data)
    assert work.calls < 10_000


def test_many_empty_values_are_bounded() -> None:
    nulls = message(b"\x01\x6d\x7f", b"\x01\x00", leb128.unsigned(2000))
    assert decode([Vec(Null)], nulls) == [[None] * 2000]
    with pytest.raises(CandidError):
        decode([Vec(Null)], nulls, max_values=1000)
    nested = message(b"\x02\x6d\x01\x6d\x7f", b"\x01\x00", leb128.unsigned(100) + leb128.unsigned(100) * 100)
    with pytest.raises(CandidError):
        decode([Vec(Vec(Null))], nested, max_values=5000)


def test_size_is_bounded() -> None:
    with pytest.raises(CandidError, match="more than"):
        decode([Blob], encode([Blob], [bytes(1000)]), max_size_bytes=1000)


def test_references_to_functions_and_services_are_passed_over() -> None:
    table = b"\x02" + b"\x6a\x01\x7d\x01\x71\x01\x01" + b"\x69\x01\x03get\x00"
    function = b"\x01\x01\x01\x04\x03get"
    service = b"\x01\x01\x04"
    data = message(table, b"\x03\x00\x01\x7d", function + service + b"\x05")
    assert decode([Reserved, Opt(Nat), Nat], data) == [None, None, 5]
    assert decode([Reserved, Principal_, Nat], data) == [None, ANONYMOUS, 5]  # a service is known by its principal


def test_types_of_the_future_are_passed_over() -> None:
    data = message(b"\x01\x67\x03abc", b"\x02\x00\x7d", b"\x02\x00xy\x05")
    assert decode([Reserved, Nat], data) == [None, 5]


def test_two_megabytes_are_not_read_element_by_element() -> None:
    blob, tokens = bytes(2_000_000), list(range(500_000))
    sent_blob, sent_tokens = encode([Blob], [blob]), encode([Vec(Nat32)], [tokens])
    with counted() as work:
        assert decode([Blob], sent_blob) == [blob]
        assert decode([Vec(Nat32)], sent_tokens) == [tokens]
        assert decode([], sent_tokens) == []
    assert work.calls < 1000
    assert encode([Vec(Nat32)], [[1, 2]])[-8:] == struct.pack("<2I", 1, 2)
