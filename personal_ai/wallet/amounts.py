"""Amounts as people write them: ICP and trillions of cycles, exact to the last unit."""

from __future__ import annotations

import re
from enum import Enum

from personal_ai.common.errors import BadInputError

_DECIMAL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?")


class Token(Enum):
    """What is paid with: name, symbol, and how many digits stand after the point."""

    ICP = ("icp", "ICP", 8)
    CYCLES = ("cycles", "T cycles", 12)

    def __init__(self, code: str, symbol: str, digits: int) -> None:
        self.code, self.symbol, self.digits = code, symbol, digits

    @classmethod
    def of(cls, code: str) -> Token:
        """The token by its code. Raises BadInputError."""
        for token in cls:
            if token.code == code:
                return token
        raise BadInputError(f"There is no token {code!r}.", next_step="Use icp or cycles.")

    def parse(self, text: str) -> int:
        """The smallest units in a decimal number like "1.25". Raises BadInputError."""
        match = _DECIMAL.fullmatch(text.strip())
        if match is None or len(match[2] or "") > self.digits:
            raise BadInputError(
                f"This is not an amount in {self.symbol}.",
                next_step=f"Write it like 1.25, with up to {self.digits} digits after the point.",
            )
        amount = int(match[1] + (match[2] or "").ljust(self.digits, "0"))
        if amount == 0:
            raise BadInputError("An amount of nothing cannot be paid.", next_step="Give an amount above 0.")
        return amount

    def show(self, amount: int) -> str:
        """The amount with its symbol, without zeros at the end."""
        whole, rest = divmod(amount, 10**self.digits)
        fraction = f"{rest:0{self.digits}}".rstrip("0")
        return f"{whole:,}{'.' if fraction else ''}{fraction} {self.symbol}"
