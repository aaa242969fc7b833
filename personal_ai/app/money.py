"""The wallet of one of the vault's identities, opened for both front ends, and for the window one call at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from personal_ai.app.networks import PRACTICE, as_on
from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.cycles_minting import ConversionRate
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import load_profiles
from personal_ai.ic.transport import connect
from personal_ai.identities import linking
from personal_ai.identities.linking import LinkWarning
from personal_ai.identities.vault_notes import Contact
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.history import History
from personal_ai.wallet.journal import Kind, Payment, PaymentJournal
from personal_ai.wallet.wallet import Balances, Preview, Wallet, icp_account

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

WALLET_LABEL = "Wallet"
PRACTICE_GIFT = (Token.ICP, 10 * 10**Token.ICP.digits)
_LEDGERS = {Token.ICP: "the ICP ledger", Token.CYCLES: "the cycles ledger"}


@dataclass(frozen=True, slots=True)
class Purse:
    """Whose money, and on which network. principal: as text; label: what the vault calls it."""

    network: str
    principal: str
    label: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a purse holds, read in one go. account, principal: where ICP and cycles are received."""

    account: str
    principal: str
    balances: Balances
    rate: ConversionRate
    open_payments: tuple[Payment, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A payment that could be made, and what it would tie together in public."""

    preview: Preview
    warning: LinkWarning | None


class Money:
    """What the window asks about money; each call opens the purse's wallet and closes it. Raises as `open_wallet`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def networks(self) -> tuple[str, ...]:
        """The practice network first."""
        return (PRACTICE, *load_profiles(self._workspace.paths.networks))

    def purses(self, network: str) -> tuple[Purse, ...]:
        """One for each identity of the vault."""
        return tuple(Purse(network, str(one.principal), one.label) for one in self._workspace.identities())

    def new_purse(self, network: str) -> Purse:
        """That of the identity `Wallet`, which is made if it is not there."""
        return Purse(network, str(_principal(self._workspace, None)), WALLET_LABEL)

    def account(self, purse: Purse) -> Account:
        with self._wallet(purse) as wallet:
            return Account(
                str(wallet.account),
                str(wallet.principal),
                wallet.balances(),
                wallet.rate(),
                tuple(wallet.open_payments()),
            )

    def receivers(self, purse: Purse, kind: Kind) -> tuple[Contact, ...]:
        """Who may be meant: of the address book whoever can receive this kind, or one's own canisters."""
        if kind.into_canister:
            return tuple(
                Contact(one.name, one.canister_id)
                for one in self._workspace.deployments()
                if one.canister_id is not None and one.network == purse.network
            )
        return tuple(one for one in self._workspace.vault.notes.contacts if _can_receive(one.address, kind))

    def offer(self, purse: Purse, kind: Kind, amount: int, target: str | None) -> Offer:
        """What a payment would cost and bring. Raises BadInputError as `Wallet.preview`."""
        with self._wallet(purse) as wallet:
            preview = wallet.preview(kind, amount, target)
            return Offer(preview, link_warning(self._workspace, wallet, preview))

    def pay(self, purse: Purse, preview: Preview, cancel: Cancel) -> Payment:
        with self._wallet(purse) as wallet:
            return wallet.pay(preview, cancel)

    def go_on(self, purse: Purse, payment: Payment, cancel: Cancel) -> Payment:
        """Finishes a payment that was interrupted; it is not made twice."""
        with self._wallet(purse) as wallet:
            return wallet.go_on(payment, cancel)

    def history(self, purse: Purse, count: int, on_progress: ProgressCallback, cancel: Cancel) -> History:
        with self._wallet(purse) as wallet:
            return wallet.history(count, on_progress, cancel)

    def give_practice_money(self, purse: Purse) -> str:
        """Practice ICP, worth nothing: how much, in words. Raises BadInputError on any other network."""
        if purse.network != PRACTICE:
            raise BadInputError("Money comes out of nothing on the practice network only.")
        token, amount = PRACTICE_GIFT
        self._workspace.practice_network.start()
        self._workspace.practice_network.fund_icp(Principal.from_text(purse.principal), amount)
        return token.show(amount)

    def _wallet(self, purse: Purse) -> AbstractContextManager[Wallet]:
        return open_wallet(self._workspace, purse.network, purse.principal)


@contextmanager
def open_wallet(workspace: Workspace, network: str, identity: str | None) -> Iterator[Wallet]:
    """The wallet of an identity, named by label or principal; without a name that of `Wallet`, made at first need.

    Raises BadInputError, VaultLockedError and what starting a network raises.
    """
    profile = workspace.networks.started(network)
    principal = _principal(workspace, identity)
    transport = connect(profile, workspace.proxy_for(principal))
    with (
        closing(Agent(profile, workspace.vault.signer(principal), transport)) as agent,
        closing(PaymentJournal(workspace.paths.payments)) as journal,
    ):
        yield Wallet(agent, journal)


def link_warning(workspace: Workspace, wallet: Wallet, preview: Preview) -> LinkWarning | None:
    """What to show before a payment that ties identities of this vault together in public."""
    own = {record.principal: record.label for record in workspace.identities()}
    ledger = _LEDGERS[preview.kind.token]
    if preview.kind in (Kind.CONVERT, Kind.CREATE):
        return None
    if not preview.kind.into_canister:
        icp = preview.kind is Kind.SEND_ICP
        recipient = (AccountIdentifier if icp else Principal).from_text(preview.target)
        return as_on(wallet.network, linking.transfer(wallet.principal, recipient, ledger, own))
    owners = {one.canister_id: Principal.from_text(one.principal) for one in workspace.deployments()}
    owner = owners.get(preview.target)
    if owner is None:
        return None
    paid = {owners[canister] for canister in map(str, wallet.paid_canisters()) if canister in owners}
    return as_on(wallet.network, linking.fund(wallet.principal, owner, paid, ledger, own))


def _principal(workspace: Workspace, identity: str | None) -> Principal:
    for record in workspace.identities():
        if identity in (str(record.principal), record.label) or (identity is None and record.label == WALLET_LABEL):
            return record.principal
    if identity is not None:
        raise BadInputError(f"There is no identity {identity} in the vault.")
    return workspace.vault.new_identity(WALLET_LABEL).principal


def _can_receive(address: str, kind: Kind) -> bool:
    """ICP go to accounts and principals, cycles to principals only."""
    try:
        icp_account(address) if kind is Kind.SEND_ICP else Principal.from_text(address)
    except FormatError:
        return False
    return True
