from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ic.principal import Principal as Oracle

from personal_ai.common.errors import FormatError
from personal_ai.ic.principal import (
    ANONYMOUS,
    MANAGEMENT,
    Principal,
    self_authenticating,
)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("aaaaa-aa", ""),
        ("2vxsx-fae", "04"),
        ("ryjl3-tyaaa-aaaaa-aaaba-cai", "00000000000000020101"),
        ("um5iw-rqaaa-aaaaq-qaaba-cai", "00000000021000020101"),
        ("w3gef-eqbai", "0102"),
    ],
)
def test_known_principals_in_both_forms(text: str, content: str) -> None:
    assert Principal.from_text(text) == Principal(bytes.fromhex(content))
    assert str(Principal(bytes.fromhex(content))) == text


def test_constants() -> None:
    assert (str(MANAGEMENT), str(ANONYMOUS)) == ("aaaaa-aa", "2vxsx-fae")


@given(st.binary(max_size=29))
def test_text_form_round_trips_and_agrees_with_another_implementation(content: bytes) -> None:
    principal = Principal(content)
    assert Principal.from_text(str(principal)) == principal
    assert str(principal) == Oracle(bytes=content).to_str()


@given(st.text(max_size=70))
def test_any_text_is_a_principal_or_refused(text: str) -> None:
    with contextlib.suppress(FormatError):
        assert str(Principal.from_text(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aaaaa-ab",  # checksum
        "AAAAA-AA",  # capitals
        "aaaaaaa",  # no hyphen
        "um5iw-rqaaa-aaaaq-qaaba-ca",  # cut
        "um5iw-rqaaa-aaaaq-qaaba-cai ",
        "um5iw-rqaaa-aaaaq-qaaba-ca\u0131",
        "a" * 1_000_000,
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Principal.from_text(text)


def test_at_most_29_bytes() -> None:
    with pytest.raises(FormatError):
        Principal(bytes(30))


def test_order_is_that_of_the_bytes() -> None:
    assert Principal(b"\x01") < Principal(b"\x01\x00") < Principal(b"\x02")


def test_self_authenticating_ends_with_its_class() -> None:
    assert self_authenticating(b"key").bytes[-1] == 2
    assert len(self_authenticating(b"key").bytes) == 29
