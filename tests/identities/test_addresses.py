"""Addresses are known in both their forms, and slips are found."""

from __future__ import annotations

import pytest

from personal_ai.common.errors import BadInputError
from personal_ai.identities.addresses import checked_address

PRINCIPAL = "2vxsx-fae"
ACCOUNT = "1c7a48ba6a562aa9eaa2481a9049cdf0433b9738c992d698c31d8abf89cadc79"


@pytest.mark.parametrize("address", [PRINCIPAL, ACCOUNT])
def test_an_address_is_given_back_in_its_one_spelling(address: str) -> None:
    assert checked_address(f"  {address}\n") == address


@pytest.mark.parametrize("address", ["", "2vxsx-fad", ACCOUNT[:-1] + "8", "somebody"])
def test_slips_are_refused(address: str) -> None:
    with pytest.raises(BadInputError, match="neither a principal nor an account id"):
        checked_address(address)
