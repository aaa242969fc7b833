"""Account identifiers: made from a principal, read from text, and refused when a digit is wrong."""

from __future__ import annotations

import pytest

from personal_ai.common.errors import FormatError
from personal_ai.ic.account_identifier import AccountIdentifier, principal_subaccount
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal

ANONYMOUS_TEXT = "1c7a48ba6a562aa9eaa2481a9049cdf0433b9738c992d698c31d8abf89cadc79"


def test_it_has_its_checksum_and_depends_on_everything() -> None:
    anonymous = AccountIdentifier.of(ANONYMOUS)
    assert str(anonymous) == ANONYMOUS_TEXT
    assert AccountIdentifier.of(ANONYMOUS, bytes(32)) == anonymous
    assert AccountIdentifier.of(ANONYMOUS, bytes(31) + b"\x01") != anonymous
    assert AccountIdentifier.of(MANAGEMENT) != anonymous
    with pytest.raises(FormatError):
        AccountIdentifier.of(ANONYMOUS, b"\x01")


def test_text_is_read_and_checked() -> None:
    assert AccountIdentifier.from_text(ANONYMOUS_TEXT) == AccountIdentifier.of(ANONYMOUS)
    assert AccountIdentifier.from_text(ANONYMOUS_TEXT.upper()) == AccountIdentifier.of(ANONYMOUS)
    for wrong in ("", ANONYMOUS_TEXT[:-1] + "8", ANONYMOUS_TEXT[:-1], ANONYMOUS_TEXT + "00", "x" * 64, "\u0661" * 64):
        with pytest.raises(FormatError, match="account identifier"):
            AccountIdentifier.from_text(wrong)


def test_a_published_account() -> None:
    """The default account of the governance canister's principal, as other tools print it."""
    governance = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")
    expected = "082ecf2e3f647ac600f43f38a68342fba5b8e68b085f02592b77f39808a8d2b5"
    assert str(AccountIdentifier.of(governance)) == expected


def test_a_principal_as_a_subaccount() -> None:
    assert principal_subaccount(ANONYMOUS) == b"\x01\x04" + bytes(30)
    assert len(principal_subaccount(Principal(b"\x07" * 29))) == 32
