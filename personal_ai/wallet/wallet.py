"""One identity's money on one network: what there is, what a payment would cost, and making it."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.cycles_minting import ConversionRate, CyclesMinting
from personal_ai.ic.hash_tree import Found
from personal_ai.ic.icp_ledger import IcpLedger
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.history import History, read_history
from personal_ai.wallet.journal import Kind, Payment, PaymentJournal, State
from personal_ai.wallet.payments import Payments


@dataclass(frozen=True, slots=True)
class Balances:
    """What lies on the identity's default accounts."""

    icp_e8s: int
    cycles: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a payment would do, before it is made. Amounts in the smallest unit of the kind's token.

    cycles: what a conversion would deliver at today's `rate`, fees taken off; the rate may have moved by then.
    """

    kind: Kind
    target: str
    amount: int
    fee: int
    available: int
    cycles: int | None = None
    rate: ConversionRate | None = None

    @property
    def total(self) -> int:
        """What leaves the account."""
        return self.amount + self.fee

    @property
    def affordable(self) -> bool:
        return self.total <= self.available


class Wallet:
    """The wallet of the agent's identity. Raises what ledgers and networks raise."""

    def __init__(self, agent: Agent, journal: PaymentJournal) -> None:
        self._agent, self._journal = agent, journal
        self._payments = Payments(agent, journal)

    @property
    def network(self) -> str:
        """The name of its profile."""
        return self._agent.profile.name

    @property
    def principal(self) -> Principal:
        """Where cycles are received."""
        return self._agent.identity.principal

    @property
    def account(self) -> AccountIdentifier:
        """Where ICP are received."""
        return AccountIdentifier.of(self.principal)

    def balances(self) -> Balances:
        return Balances(IcpLedger(self._agent).balance(self.account), CyclesLedger(self._agent).balance(self.principal))

    def rate(self) -> ConversionRate:
        return CyclesMinting(self._agent).rate()

    def preview(self, kind: Kind, amount: int, target: str | None = None) -> Preview:
        """What a payment would cost and bring. `target` as `Kind` says; a conversion needs none.

        Raises BadInputError for a target that does not fit, or a canister that the network does not know.
        """
        checked = self._target(kind, target)
        if kind.token is Token.ICP:
            ledger = IcpLedger(self._agent)
            fee, available = ledger.fee(), ledger.balance(self.account)
        else:
            cycles_ledger = CyclesLedger(self._agent)
            fee, available = cycles_ledger.fee(), cycles_ledger.balance(self.principal)
        rate = self.rate() if kind.converts else None
        cycles = None if rate is None else self._delivered(kind, rate.cycles(amount))
        return Preview(kind, checked, amount, fee, available, cycles, rate)

    def pay(self, preview: Preview, cancel: Cancel | None = None) -> Payment:
        """Makes the payment that was previewed. Interrupted, it is gone on with by `go_on`, never made twice."""
        if not preview.affordable:
            token = preview.kind.token
            raise BadInputError(
                f"This takes {token.show(preview.total)}, and {token.show(preview.available)} are there.",
                not_lost="Nothing was paid.",
                next_step="Pay less, or receive more first.",
            )
        return self._payments.make(
            preview.kind, target=preview.target, amount=preview.amount, fee=preview.fee, cancel=cancel or Cancel()
        )

    def paid_canisters(self) -> frozenset[Principal]:
        """The canisters that this identity has put cycles into, or may have."""
        made = self._journal.payments(self._agent.profile.name, str(self.principal))
        unpaid = (State.REFUSED, State.NOT_SENT)
        return frozenset(
            Principal.from_text(payment.target)
            for payment in made
            if payment.kind.into_canister and payment.state not in unpaid
        )

    def topped_up(self, canister_id: str, since_ns: int) -> int:
        """Cycles that this identity has put into a canister since then, or may have: with fees, from any token."""
        made = self._journal.payments(self._agent.profile.name, str(self.principal))
        return sum(
            payment.amount + payment.fee if payment.kind is Kind.TOP_UP else payment.cycles or 0
            for payment in made
            if payment.kind.into_canister
            and payment.target == canister_id
            and payment.created_at_time_ns >= since_ns
            and payment.state not in (State.REFUSED, State.NOT_SENT, State.REFUNDED)
        )

    def created(self) -> list[Principal]:
        """The canisters that this identity's ICP have bought, the newest first."""
        made = self._journal.payments(self._agent.profile.name, str(self.principal))
        return [
            Principal.from_text(payment.said)
            for payment in made
            if (payment.kind, payment.state) == (Kind.CREATE, State.DONE) and payment.said is not None
        ]

    def open_payments(self) -> list[Payment]:
        """Payments that were interrupted, the oldest first."""
        return self._payments.open_payments()

    def go_on(self, payment: Payment, cancel: Cancel | None = None) -> Payment:
        """Finishes an interrupted payment; see `Payments.go_on`."""
        return self._payments.go_on(payment, cancel or Cancel())

    def history(self, count: int, on_progress: ProgressCallback, cancel: Cancel) -> History:
        return read_history(self._agent, self._journal, count, on_progress, cancel)

    def _delivered(self, kind: Kind, cycles: int) -> int:
        """The cycles ledger takes its fee from what is put there; a canister is made at a price."""
        costs = self._agent.profile.costs
        taken = {Kind.CONVERT: CyclesLedger(self._agent).fee(), Kind.CREATE: costs.on_subnet(costs.creation)}
        return max(cycles - taken.get(kind, 0), 0)

    def _target(self, kind: Kind, target: str | None) -> str:
        if kind in (Kind.CONVERT, Kind.CREATE):
            return str(self.principal)
        if target is None:
            raise BadInputError("A payment needs somebody to pay.")
        if kind is Kind.SEND_ICP:
            return str(icp_account(target))
        principal = Principal.from_text(target)
        if kind.into_canister:
            self._check_canister(principal)
        return str(principal)

    def _check_canister(self, canister_id: Principal) -> None:
        """Cycles sent to a canister that does not exist cost fees twice and come back."""
        path = (b"canister", canister_id.bytes, b"controllers")
        if not isinstance(self._agent.read_state(canister_id, [path]).lookup(path), Found):
            raise BadInputError("There is no such canister on this network.", next_step="Check its id.")


def icp_account(text: str) -> AccountIdentifier:
    """An address for ICP: an account identifier, or the default account of a principal. Raises FormatError."""
    for read in (AccountIdentifier.from_text, lambda text: AccountIdentifier.of(Principal.from_text(text))):
        try:
            return read(text.strip())
        except FormatError:
            continue
    raise FormatError(
        "This is neither an account identifier nor a principal.",
        next_step="Check it for missing or mistyped characters.",
    )
