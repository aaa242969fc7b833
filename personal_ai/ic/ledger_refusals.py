"""What ledgers say when they refuse, as typed errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from personal_ai.common.errors import CanisterRefusedError
from personal_ai.ic.rejections import printable

ShowAmount = Callable[[int], str]


class LedgerError(CanisterRefusedError):
    """The ledger refused; `variant` is its word for why, `details` what it sent with it."""

    def __init__(self, what: str, *, variant: str, details: Any = None, next_step: str = "") -> None:
        super().__init__(what, variant=variant, next_step=next_step)
        self.details = details


class InsufficientFundsError(LedgerError):
    """Too little on the account: `balance`, in the ledger's smallest unit, is there."""

    @property
    def balance(self) -> int:
        held = self.details["balance"]
        return int(held["e8s"] if isinstance(held, dict) else held)


# Twice what the network lets a message wait: an older one can no longer arrive.
MESSAGES_LIVE_NS = 10 * 60 * 10**9


class LedgerWindowError(LedgerError):
    """The payment's time is outside the ledger's 24 hours (`too_old`) or ahead of its clock.

    When it is too old only the ledger's blocks can tell whether an earlier attempt went through.
    """

    @property
    def too_old(self) -> bool:
        return self.variant in ("TooOld", "TxTooOld")


def refusal(ledger: str, error: tuple[str, Any], show: ShowAmount) -> LedgerError:
    """The error for what `ledger` answered; `show` writes amounts with their unit."""
    variant, details = error
    match variant:
        case "InsufficientFunds":
            poor = InsufficientFundsError("", variant=variant, details=details)
            what = f"There are only {show(poor.balance)} on the account."
            return InsufficientFundsError(what, variant=variant, details=details, next_step="Add some, then try again.")
        case "TooOld" | "TxTooOld":
            what = "The payment was first tried more than a day ago, and the ledger no longer compares it with that."
            step = "Look at the ledger's blocks before paying again."
            return LedgerWindowError(what, variant=variant, details=details, next_step=step)
        case "CreatedInFuture" | "TxCreatedInFuture":
            what = "The payment's time is ahead of the ledger's clock."
            step = "Check the time and date of this computer, then try again."
            return LedgerWindowError(what, variant=variant, details=details, next_step=step)
    fields = details if isinstance(details, dict) else {}
    said = fields.get("message") or fields.get("error") or fields.get("rejection_reason")
    what = f"The {ledger} refused: {variant}." + (f" It said: {printable(said)}" if said else "")
    step = "Try again." if variant == "TemporarilyUnavailable" else ""
    return LedgerError(what, variant=variant, details=details, next_step=step)
