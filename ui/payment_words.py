"""Payments in plain words, for the wallet and the activity page."""

from __future__ import annotations

from personal_ai.wallet.history import HistoryItem
from personal_ai.wallet.journal import Kind, State
from ui.text import shortened, tr

_HEX_SHOWN = 8


def kind_words(kind: Kind) -> str:
    """What a payment is for."""
    return {
        Kind.SEND_ICP: tr("Send ICP"),
        Kind.SEND_CYCLES: tr("Send cycles"),
        Kind.TOP_UP: tr("Put cycles into a canister"),
        Kind.CONVERT: tr("Turn ICP into cycles"),
        Kind.CONVERT_TOP_UP: tr("Turn ICP into cycles in a canister"),
        Kind.CREATE: tr("Make a canister with ICP"),
    }[kind]


def state_words(state: State) -> tuple[str, str]:
    """How far a payment is, and the tone of a mark that says so."""
    return {
        State.INTENDED: (tr("Interrupted"), "warning"),
        State.PAID: (tr("Paid, cycles still to come"), "warning"),
        State.DONE: (tr("Done"), "good"),
        State.REFUNDED: (tr("Came back"), "warning"),
        State.REFUSED: (tr("Refused"), "bad"),
        State.NOT_SENT: (tr("Never sent"), "bad"),
    }[state]


def movement_words(item: HistoryItem) -> str:
    """What a movement on an account was."""
    if item.payment is not None:
        return kind_words(item.payment.kind)
    named = {
        "mint": tr("Newly made"),
        "burn": tr("Turned into cycles, or put into a canister"),
        "approve": tr("Permission given"),
    }
    return named.get(item.operation, tr("Received") if item.change > 0 else tr("Sent"))


def short_address(address: str) -> str:
    """A long address by its ends: a principal by its groups, an account id by its digits."""
    if "-" in address or len(address) <= 2 * _HEX_SHOWN:
        return shortened(address)
    return f"{address[:_HEX_SHOWN]}…{address[-_HEX_SHOWN:]}"


def whole_address(address: str) -> str:
    """All of an address or a hash, in groups that wrap and can be compared: bare digits have none of their own."""
    if "-" in address:
        return address.replace("-", "-\N{ZERO WIDTH SPACE}")
    return " ".join(address[at : at + _HEX_SHOWN] for at in range(0, len(address), _HEX_SHOWN))
