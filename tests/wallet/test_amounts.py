"""Amounts are exact, and nothing that could be misread is accepted."""

from __future__ import annotations

import pytest

from personal_ai.common.errors import BadInputError
from personal_ai.wallet.amounts import Token


@pytest.mark.parametrize(
    ("token", "text", "amount", "shown"),
    [
        (Token.ICP, "1", 100_000_000, "1 ICP"),
        (Token.ICP, "0.00000001", 1, "0.00000001 ICP"),
        (Token.ICP, " 1234.5 ", 123_450_000_000, "1,234.5 ICP"),
        (Token.CYCLES, "2.000000000001", 2_000_000_000_001, "2.000000000001 T cycles"),
    ],
)
def test_both_ways(token: Token, text: str, amount: int, shown: str) -> None:
    assert token.parse(text) == amount
    assert token.show(amount) == shown


@pytest.mark.parametrize(
    "text", ["", "0", "0.0", "-1", "1,5", "1e3", "0.000000001", ".5", "1.", "\u0661", "nan", "1" * 40]
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(BadInputError):
        Token.ICP.parse(text)


def test_tokens_by_their_code() -> None:
    assert [Token.of(token.code) for token in Token] == list(Token)
    with pytest.raises(BadInputError):
        Token.of("btc")
