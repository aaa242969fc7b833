"""Money that plays a script: sums in memory, with the fees and words of the real one, and a hook before each call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from personal_ai.app.money import Account, Offer, Purse
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.cycles_minting import ConversionRate
from personal_ai.ic.principal import Principal
from personal_ai.identities.linking import LinkWarning
from personal_ai.identities.vault_notes import Contact
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.history import History, HistoryItem
from personal_ai.wallet.journal import Kind, Payment, State
from personal_ai.wallet.wallet import Balances, Preview, icp_account

OWN = Principal(b"\x07\x02\x02")
FRIEND = Principal(b"\x09\x09\x02")
CANISTER = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
LINKED = LinkWarning(
    "This payment ties Wallet and Rowan together.",
    "the ICP ledger",
    "Fund Rowan from somewhere that does not know Wallet.",
)
_ICP, _TRILLION = 10**8, 10**12
_FEES = {Token.ICP: 10_000, Token.CYCLES: 100_000_000}
_RATE_AGE_S = 240
_DAY_NS = 86_400 * 10**9


@dataclass
class ScriptedMoney:
    """`before` is called with the name of each call and its cancel token: it may raise, wait or tell."""

    labels: list[str] = field(default_factory=lambda: ["Wallet", "Rowan"])
    icp_e8s: int = 0
    cycles: int = 0
    movements: list[HistoryItem] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=lambda: [Contact("Ada", str(FRIEND))])
    warning: LinkWarning | None = None
    before: Callable[[str, Cancel], None] = lambda _, __: None

    def networks(self) -> tuple[str, ...]:
        return ("practice", "ic")

    def purses(self, network: str) -> tuple[Purse, ...]:
        return tuple(
            Purse(network, str(Principal(bytes([7 + at, 2, 2]))), label) for at, label in enumerate(self.labels)
        )

    def new_purse(self, network: str) -> Purse:
        self.labels.append("Wallet")
        return self.purses(network)[-1]

    def account(self, purse: Purse) -> Account:
        self.before("account", Cancel())
        principal = Principal.from_text(purse.principal)
        rate = ConversionRate(30_000, round(time.time()) - _RATE_AGE_S)
        waiting = tuple(one for one in self.payments if one.state.open)
        balances = Balances(self.icp_e8s, self.cycles)
        return Account(str(AccountIdentifier.of(principal)), purse.principal, balances, rate, waiting)

    def receivers(self, purse: Purse, kind: Kind) -> tuple[Contact, ...]:
        return (Contact("Rowan", CANISTER),) if kind.into_canister else tuple(self.contacts)

    def offer(self, purse: Purse, kind: Kind, amount: int, target: str | None) -> Offer:
        self.before("offer", Cancel())
        if kind is Kind.CONVERT:
            checked = purse.principal
        elif target is None:
            raise BadInputError("A payment needs somebody to pay.")
        else:
            checked = str(icp_account(target) if kind is Kind.SEND_ICP else Principal.from_text(target))
        available = self.icp_e8s if kind.token is Token.ICP else self.cycles
        rate = ConversionRate(30_000, round(time.time())) if kind.converts else None
        brought = None if rate is None else rate.cycles(amount)
        return Offer(Preview(kind, checked, amount, _FEES[kind.token], available, brought, rate), self.warning)

    def pay(self, purse: Purse, preview: Preview, cancel: Cancel) -> Payment:
        made = payment(preview.kind, preview.amount, preview.target, State.INTENDED)
        self.payments.insert(0, made)
        self.before("pay", cancel)
        cancel.raise_if_cancelled()
        return self._settle(made)

    def go_on(self, purse: Purse, payment: Payment, cancel: Cancel) -> Payment:
        self.before("go_on", cancel)
        cancel.raise_if_cancelled()
        return self._settle(payment)

    def history(self, purse: Purse, count: int, on_progress: ProgressCallback, cancel: Cancel) -> History:
        self.before("history", cancel)
        return History(tuple(self.movements[:count]), tuple(self.payments), 0)

    def give_practice_money(self, purse: Purse) -> str:
        self.before("give", Cancel())
        self.icp_e8s += 10 * _ICP
        return Token.ICP.show(10 * _ICP)

    def _settle(self, made: Payment) -> Payment:
        settled = replace(made, state=State.DONE, block_index=len(self.movements))
        self.payments[self.payments.index(made)] = settled
        if made.kind.token is Token.ICP:
            self.icp_e8s -= made.amount + made.fee
        else:
            self.cycles -= made.amount + made.fee
        change = -made.amount - made.fee
        self.movements.insert(
            0,
            HistoryItem(made.kind.token, time.time_ns(), len(self.movements), "transfer", change, made.target, settled),
        )
        return settled


def payment(kind: Kind, amount: int, target: str, state: State, *, days_ago: float = 0) -> Payment:
    """A payment as the journal gives it."""
    began_ns = time.time_ns() - round(days_ago * _DAY_NS)
    return Payment(f"{began_ns:x}", "practice", str(OWN), kind, target, amount, _FEES[kind.token], began_ns, state)


def filled_money() -> ScriptedMoney:
    """A purse with a past: money in, out and converted, one payment refused and one interrupted."""
    friend_account, own_account = str(AccountIdentifier.of(FRIEND)), str(AccountIdentifier.of(OWN))
    now_ns = time.time_ns()

    def movement(days_ago: float, kind: Kind | None, change: int, counterpart: str, token: Token) -> HistoryItem:
        made = None if kind is None else payment(kind, abs(change), counterpart, State.DONE, days_ago=days_ago)
        operation = "mint" if counterpart == "" else "transfer"
        return HistoryItem(token, now_ns - round(days_ago * _DAY_NS), 0, operation, change, counterpart or None, made)

    return ScriptedMoney(
        icp_e8s=649_980_000,
        cycles=4_999_700_000_000,
        movements=[
            movement(0.1, Kind.SEND_CYCLES, -_TRILLION - 100_000_000, str(FRIEND), Token.CYCLES),
            movement(1.2, None, 6 * _TRILLION - 100_000_000, "", Token.CYCLES),
            movement(1.2, Kind.CONVERT, -2 * _ICP - 10_000, own_account, Token.ICP),
            movement(3, Kind.SEND_ICP, -150_010_000, friend_account, Token.ICP),
            movement(9, None, 10 * _ICP, "", Token.ICP),
        ],
        payments=[
            payment(Kind.CONVERT_TOP_UP, _ICP // 2, CANISTER, State.PAID, days_ago=0.2),
            replace(
                payment(Kind.SEND_ICP, 40 * _ICP, friend_account, State.REFUSED, days_ago=2),
                said="The account does not hold enough ICP.",
            ),
        ],
    )
