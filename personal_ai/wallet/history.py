"""What happened on an identity's accounts: the ledgers' blocks, with what the journal knows of one's own payments."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_ledger import IcpIndex
from personal_ai.ic.ledger_entries import LedgerEntry
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Payment, PaymentJournal

CYCLES_BLOCKS_READ = 2_000  # the cycles ledger has no index: its newest blocks are read and sifted
_PAGE = 100


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One movement, from the identity's side. change: in the token's smallest unit, with the fee; below 0: it went out.

    payment: the journal's, where it was made here. counterpart: the other account, as its ledger writes it.
    """

    token: Token
    time_ns: int
    block_index: int
    operation: str
    change: int
    counterpart: str | None
    payment: Payment | None


@dataclass(frozen=True, slots=True)
class History:
    """Newest first. cycles_from_block: how far back the cycles ledger was read; 0 is all of it.

    unsettled: payments of the journal that no block read here shows.
    """

    items: tuple[HistoryItem, ...]
    unsettled: tuple[Payment, ...]
    cycles_from_block: int

    def may_be_longer(self, count: int) -> bool:
        """Whether asking for more than `count` movements of each token may show more."""
        return any(sum(item.token is token for item in self.items) >= count for token in Token)


def read_history(
    agent: Agent, journal: PaymentJournal, count: int, on_progress: ProgressCallback, cancel: Cancel
) -> History:
    """The newest `count` movements of each token. Raises NetworkError, FormatError, Cancelled."""
    owner = agent.identity.principal
    payments = journal.payments(agent.profile.name, str(owner))
    known = {
        (payment.kind.token, payment.block_index): payment for payment in payments if payment.block_index is not None
    }
    cycles, from_block = _cycles_entries(CyclesLedger(agent), str(owner), count, on_progress, cancel)
    icp_account = AccountIdentifier.of(owner)
    icp = IcpIndex(agent).transactions(icp_account, count=count).entries
    items = [_item(Token.ICP, entry, str(icp_account), known) for entry in icp]
    items += [_item(Token.CYCLES, entry, str(owner), known) for entry in cycles]
    shown = {item.payment.id for item in items if item.payment is not None}
    unsettled = tuple(payment for payment in payments if payment.id not in shown)
    return History(tuple(sorted(items, key=lambda item: item.time_ns, reverse=True)), unsettled, from_block)


def _cycles_entries(
    ledger: CyclesLedger, owner: str, count: int, on_progress: ProgressCallback, cancel: Cancel
) -> tuple[list[LedgerEntry], int]:
    """The owner's newest entries, newest first, and the first block that was read for them."""
    end = ledger.length()
    oldest = max(end - CYCLES_BLOCKS_READ, 0)
    meter = Meter("Reading the cycles ledger", max(end - oldest, 1), "blocks", on_progress)
    found: list[LedgerEntry] = []
    while end > oldest and len(found) < count:
        cancel.raise_if_cancelled()
        start = max(end - _PAGE, oldest)
        page = ledger.entries(start, end - start)
        found += [entry for entry in reversed(page) if owner in (entry.sender, entry.receiver)]
        meter.advance(end - start)
        end = start
    return found[:count], end


def _item(token: Token, entry: LedgerEntry, own: str, known: dict[tuple[Token, int], Payment]) -> HistoryItem:
    spent = entry.amount + entry.fee if entry.sender == own and entry.operation != "approve" else 0
    received = entry.amount if entry.receiver == own else 0
    return HistoryItem(
        token=token,
        time_ns=entry.time_ns,
        block_index=entry.index,
        operation=entry.operation,
        change=received - spent,
        counterpart=entry.sender if received and not spent else entry.receiver,
        payment=known.get((token, entry.index)) if entry.sender == own else None,
    )
