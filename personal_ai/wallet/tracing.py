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
from personal_ai.ic.ledger_types import PERMITTED_DRIFT_NS, WITHDRAWAL_FAILED_MEMO
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Payment


def find(agent: Agent, payment: Payment, cancel: Cancel) -> int | None:
    """The index of the payment's block, None where the ledger has not taken it. Raises NetworkError, Cancelled."""
    sender = Principal.from_text(payment.principal)
    if payment.kind.token is Token.ICP:
        return _find_icp(agent, AccountIdentifier.of(sender), payment, cancel)
    found = CyclesLedger(agent).find(sender, payment.amount, payment.created_at_time_ns, cancel)
    return None if found is None else found.index


def came_back(agent: Agent, payment: Payment, block_index: int, cancel: Cancel) -> bool:
    """Whether the cycles ledger gave a top-up back, less its fee: there was no such canister any more.

    A repeat is answered with the block all the same, so the blocks after it are looked at.
    """
    cancel.raise_if_cancelled()
    receiver = Principal.from_text(payment.principal)
    return CyclesLedger(agent).came_back(receiver, payment.amount, block_index, WITHDRAWAL_FAILED_MEMO)


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
