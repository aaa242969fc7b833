"""Paying for a deployment: what its identity has, what it needs, and ICP turned into what is lacking."""

from __future__ import annotations

from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.wallet.journal import Kind
from personal_ai.wallet.wallet import Preview, Wallet

_RATE_MARGIN_PERCENT = 1  # the rate moves between the preview and the payment


def conversion(wallet: Wallet, lacking_cycles: int) -> Preview:
    """How many of the identity's ICP bring at least `lacking_cycles` onto its account of the cycles ledger.

    Raises NetworkError, SecurityError.
    """
    e8s = wallet.rate().e8s(lacking_cycles + CYCLES_LEDGER_FEE)
    return wallet.preview(Kind.CONVERT, e8s + -(-e8s * _RATE_MARGIN_PERCENT // 100))
