from __future__ import annotations

import hashlib

import pytest

from personal_ai.common.errors import FormatError
from personal_ai.ic import leb128
from personal_ai.ic.request_id import hash_of_map, request_id


def test_the_specifications_vector() -> None:
    content = {
        "request_type": "call",
        "sender": b"\x04",
        "ingress_expiry": 1685570400000000000,
        "canister_id": bytes.fromhex("00000000000004D2"),
        "method_name": "hello",
        "arg": b"DIDL\x00\xfd*",
    }
    assert request_id(content).hex() == "1d1091364d6bb8a6c16b203ee75467d59ead468f523eb058880ae8ec80e2b101"


def test_order_of_fields_and_missing_fields_do_not_matter() -> None:
    assert hash_of_map({"a": 1, "b": "x"}) == hash_of_map({"b": "x", "c": None, "a": 1})


def test_arrays_hash_as_the_hash_of_their_items_hashes() -> None:
    def sha(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    expected = sha(sha(b"a") + sha(sha(b"x") + sha(sha(b"y"))))
    assert hash_of_map({"a": [b"x", [b"y"]]}) == expected


@pytest.mark.parametrize("value", [True, -1, 1.5, object()])
def test_values_without_a_hash(value: object) -> None:
    with pytest.raises(FormatError):
        hash_of_map({"a": value})


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (2**64 - 1, "ff" * 9 + "01")])
def test_unsigned_numbers(number: int, encoded: str) -> None:
    assert leb128.unsigned(number).hex() == encoded
    assert leb128.read_unsigned(bytes.fromhex(encoded)) == number


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, "00"), (-1, "7f"), (63, "3f"), (64, "c000"), (-64, "40"), (-65, "bf7f")]
)
def test_signed_numbers(number: int, encoded: str) -> None:
    assert leb128.signed(number).hex() == encoded


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x00\x00", b"\xff" * 9 + b"\x02", b"\xff" * 10 + b"\x01"])
def test_malformed_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        leb128.read_unsigned(data)


def test_negative_numbers_have_no_unsigned_form() -> None:
    with pytest.raises(ValueError, match="negative"):
        leb128.unsigned(-1)
