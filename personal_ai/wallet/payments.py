"""Carrying payments out: written down, sent, and gone on with after any interruption, but never made twice.

A repeat carries the time of the first attempt, so that the ledger answers with the first block. After the ledger's
24 hours, and wherever a repeat is refused, its blocks are read to find out whether the first attempt went through.
"""

from __future__ import annotations

from personal_ai.common.errors import NetworkError
from personal_ai.common.jobs import Cancel
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.cycles_minting import (
    MEMO_CREATE_CANISTER,
    MEMO_MINT_CYCLES,
    MEMO_TOP_UP,
    CyclesMinting,
    PaymentRefundedError,
)
from personal_ai.ic.icp_ledger import IcpLedger
from personal_ai.ic.ledger_refusals import MESSAGES_LIVE_NS, LedgerError, LedgerWindowError
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from personal_ai.wallet.journal import Kind, Payment, PaymentJournal, State
from personal_ai.wallet.tracing import came_back, find

_MEMOS = {Kind.CONVERT: MEMO_MINT_CYCLES, Kind.CONVERT_TOP_UP: MEMO_TOP_UP, Kind.CREATE: MEMO_CREATE_CANISTER}


class PaymentNotSentError(NetworkError):
    """A payment that was begun more than a day ago never reached the ledger: nothing was paid."""


class PaymentCameBackError(NetworkError):
    """Cycles that could not be delivered are on the account again, less fees."""


class Payments:
    """The payments of the agent's identity on its network."""

    def __init__(self, agent: Agent, journal: PaymentJournal) -> None:
        self._agent, self._journal = agent, journal

    def make(self, kind: Kind, *, target: str, amount: int, fee: int, cancel: Cancel) -> Payment:
        """Begins a payment and carries it out. Raises LedgerError, NetworkError, Cancelled; see `go_on`."""
        network, principal = self._agent.profile.name, str(self._agent.identity.principal)
        payment = self._journal.intend(network, principal, kind, target=target, amount=amount, fee=fee)
        return self._carry_on(payment, cancel, first=True)

    def go_on(self, payment: Payment, cancel: Cancel) -> Payment:
        """Goes on with a payment that was interrupted; gives it as it ended.

        Raises PaymentNotSentError, PaymentRefundedError, PaymentCameBackError, LedgerError, NetworkError, Cancelled.
        """
        return self._carry_on(payment, cancel, first=False)

    def open_payments(self) -> list[Payment]:
        """Those that were begun and have not ended, the oldest first."""
        payments = self._journal.payments(self._agent.profile.name, str(self._agent.identity.principal))
        return [payment for payment in reversed(payments) if payment.state.open]

    def _carry_on(self, payment: Payment, cancel: Cancel, *, first: bool) -> Payment:
        if payment.state is State.INTENDED:
            payment = self._pay(payment, cancel, first=first)
        if payment.state is State.PAID:
            payment = self._deliver(payment, cancel)
        return payment

    def _pay(self, payment: Payment, cancel: Cancel, *, first: bool) -> Payment:
        cancel.raise_if_cancelled()
        try:
            block_index = self._transfer(payment)
        except LedgerError as error:
            if error.variant == "TemporarilyUnavailable":
                raise
            found = None if first else find(self._agent, payment, cancel)
            if found is None:
                raise self._given_up(payment, error, first=first) from error
            block_index = found
        if payment.kind is Kind.TOP_UP and not first and came_back(self._agent, payment, block_index, cancel):
            self._journal.change(payment.id, State.REFUNDED, block_index=block_index)
            raise PaymentCameBackError(
                "The canister was gone when the cycles arrived, and they came back, less fees.",
                not_lost="The cycles are on the account again.",
            )
        state = State.PAID if payment.kind.converts else State.DONE
        return self._journal.change(payment.id, state, block_index=block_index)

    def _given_up(self, payment: Payment, error: LedgerError, *, first: bool) -> NetworkError:
        """What to raise where the ledger has not taken the payment: it has ended, unless an attempt may yet arrive."""
        if isinstance(error, LedgerWindowError) and not error.too_old and not first and self._may_arrive(payment):
            return error
        if first or error.variant not in ("TooOld", "TxTooOld"):
            self._journal.change(payment.id, State.REFUSED, said=error.what)
            return error
        self._journal.change(payment.id, State.NOT_SENT, said=error.what)
        return PaymentNotSentError(
            "The payment was begun more than a day ago and never reached the ledger.",
            not_lost="Nothing was paid.",
            next_step="Make it again if you still want it.",
        )

    def _may_arrive(self, payment: Payment) -> bool:
        """Whether the ledger's clock may reach the payment's time before all that was sent has expired."""
        return payment.created_at_time_ns < self._agent.clock_ns() + MESSAGES_LIVE_NS

    def _transfer(self, payment: Payment) -> int:
        created_at_time_ns, amount = payment.created_at_time_ns, payment.amount
        if payment.kind is Kind.SEND_CYCLES:
            to = Principal.from_text(payment.target)
            return CyclesLedger(self._agent).transfer(to, amount, created_at_time_ns)
        if payment.kind is Kind.TOP_UP:
            return CyclesLedger(self._agent).withdraw(Principal.from_text(payment.target), amount, created_at_time_ns)
        account, memo = self._icp_receiver(payment)
        ledger = IcpLedger(self._agent)
        return ledger.transfer(account, amount, created_at_time_ns, memo=memo, fee=payment.fee)

    def _icp_receiver(self, payment: Payment) -> tuple[AccountIdentifier, int]:
        """Where the ICP go, and the memo that says what for."""
        if not payment.kind.converts:
            return AccountIdentifier.from_text(payment.target), 0
        account = CyclesMinting(self._agent).payment_account(Principal.from_text(payment.target))
        return account, _MEMOS[payment.kind]

    def _deliver(self, payment: Payment, cancel: Cancel) -> Payment:
        """Has the cycles delivered for ICP that are paid; a repeat is answered with the first outcome."""
        assert payment.block_index is not None
        minting = CyclesMinting(self._agent)
        try:
            if payment.kind is Kind.CREATE:
                controller = Principal.from_text(payment.target)
                made = minting.notify_create_canister(payment.block_index, controllers=(controller,), cancel=cancel)
                return self._journal.change(payment.id, State.DONE, said=str(made))
            if payment.kind is Kind.CONVERT:
                cycles = minting.notify_mint_cycles(payment.block_index, cancel).cycles
            else:
                cycles = minting.notify_top_up(payment.block_index, Principal.from_text(payment.target), cancel)
        except PaymentRefundedError as error:
            self._journal.change(payment.id, State.REFUNDED, said=error.what)
            raise
        return self._journal.change(payment.id, State.DONE, cycles=cycles)
