"""Finding a payment in a ledger's blocks, where the ledger no longer compares it with what it took before.

Found or not, the answer is certain: an index that is behind its ledger raises instead of answering.
"""

from __future__ import annotations

from personal_ai.common.errors import NetworkTimeoutError
from personal_ai.common.jobs import Cancel
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_ledger import IcpIndex, IcpLedger
from personal_ai.ic.ledger_entries import LedgerEntry
from personal_ai.ic.ledger_types import DEDUPLICATION_WINDOW_NS, PERMITTED_DRIFT_NS, WITHDRAWAL_FAILED_MEMO
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Payment

_REFUND_WITHIN_BLOCKS = 100  # it follows within seconds


def find(agent: Agent, payment: Payment, cancel: Cancel) -> int | None:
    """The index of the payment's block, None where the ledger has not taken it. Raises NetworkError, Cancelled."""
    sender = Principal.from_text(payment.principal)
    if payment.kind.token is Token.ICP:
        return _find_icp(agent, AccountIdentifier.of(sender), payment, cancel)
    return _find_cycles(CyclesLedger(agent), payment, cancel)


def came_back(agent: Agent, payment: Payment, block_index: int, cancel: Cancel) -> bool:
    """Whether the cycles ledger gave a top-up back, less its fee: there was no such canister any more.

    A repeat is answered with the block all the same, so the blocks after it are looked at.
    """
    cancel.raise_if_cancelled()
    ledger = CyclesLedger(agent)
    given_back = ("mint", payment.amount - ledger.fee(), payment.principal, WITHDRAWAL_FAILED_MEMO)
    return any(
        (entry.operation, entry.amount, entry.receiver, entry.memo) == given_back
        for entry in ledger.entries(block_index + 1, _REFUND_WITHIN_BLOCKS)
    )


def _is_block_of(payment: Payment, entry: LedgerEntry, sender: str) -> bool:
    """Its time alone would do: the journal gives each payment one of its own."""
    return (entry.sender, entry.created_at_ns, entry.amount) == (sender, payment.created_at_time_ns, payment.amount)


def _find_icp(agent: Agent, account: AccountIdentifier, payment: Payment, cancel: Cancel) -> int | None:
    """Reads the account's entries from the newest back to before the payment."""
    index = IcpIndex(agent)
    if index.blocks_synced() < IcpLedger(agent).chain_length():
        raise NetworkTimeoutError(
            "The index of the ICP ledger has not read the newest blocks yet.",
            not_lost="Nothing is paid twice.",
            next_step="Go on with the payment in a few minutes.",
        )
    before: int | None = None
    while True:
        cancel.raise_if_cancelled()
        entries = index.transactions(account, before=before).entries
        for entry in entries:
            if _is_block_of(payment, entry, str(account)):
                return entry.index
        if not entries or entries[-1].time_ns < payment.created_at_time_ns - PERMITTED_DRIFT_NS:
            return None
        before = entries[-1].index


def _find_cycles(ledger: CyclesLedger, payment: Payment, cancel: Cancel) -> int | None:
    """Halves the way to the first block that may hold the payment, then reads on to the last that may."""
    low, high = 0, ledger.length()
    earliest_ns = payment.created_at_time_ns - PERMITTED_DRIFT_NS
    while low < high:
        cancel.raise_if_cancelled()
        middle = (low + high) // 2
        (entry,) = ledger.entries(middle, 1)
        low, high = (middle + 1, high) if entry.time_ns < earliest_ns else (low, middle)
    latest_ns = payment.created_at_time_ns + DEDUPLICATION_WINDOW_NS + PERMITTED_DRIFT_NS
    while entries := ledger.entries(low, 100):
        cancel.raise_if_cancelled()
        for entry in entries:
            if _is_block_of(payment, entry, payment.principal):
                return entry.index
        if entries[-1].time_ns > latest_ns:
            break
        low = entries[-1].index + 1
    return None
