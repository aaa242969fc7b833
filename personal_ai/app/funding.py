"""Paying for a deployment from its own identity's account: the cost, what is there, and ICP for what is lacking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from personal_ai.app.money import open_wallet
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import Plan, contents_of, plan
from personal_ai.deployments.prepayment import Needs, NotFundedError, needs
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.principal import Principal
from personal_ai.identities import linking
from personal_ai.identities.linking import LinkWarning
from personal_ai.wallet.journal import Kind
from personal_ai.wallet.wallet import Preview, Wallet

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

_RATE_MARGIN_PERCENT = 1  # the rate moves between the preview and the payment


@dataclass(frozen=True, slots=True)
class Offer:
    """What a deployment costs and how it can be paid, before anything is.

    conversion: of the ICP that bring what is lacking; None where nothing is lacking. warning: what paying would tie
    together in public.
    """

    bill: Plan
    needs: Needs
    conversion: Preview | None
    warning: LinkWarning | None


class Till:
    """The account that one deployment is paid from."""

    def __init__(self, workspace: Workspace, deployment: Deployment, wallet: Wallet) -> None:
        self._workspace, self._deployment, self._wallet = workspace, deployment, wallet

    def offer(self, cancel: Cancel) -> Offer:
        """Goes on with conversions that were interrupted, then asks the network.

        Raises NotFundedError where neither cycles nor ICP are enough, ModelObstaclesError, NetworkError, SecurityError.
        """
        for payment in self._wallet.open_payments():
            self._wallet.go_on(payment, cancel)
        workspace, deployment = self._workspace, self._deployment
        profile = workspace.networks.started(deployment.network, cancel)
        owner = Principal.from_text(deployment.principal)
        bill = plan(profile, contents_of(workspace.model(deployment.model)))
        with closing(workspace.agent(profile, owner)) as agent:
            found = needs(agent, bill.total)
        converting = conversion(self._wallet, found.lacking) if found.lacking else None
        if converting is not None and not converting.affordable:
            raise NotFundedError(owner, found)
        return Offer(bill, found, converting, self._warning(owner))

    def price(self, lacking_cycles: int) -> Preview:
        """What they take in ICP, whether those are there or not. Raises NetworkError, SecurityError."""
        return conversion(self._wallet, lacking_cycles)

    def convert(self, preview: Preview, cancel: Cancel) -> None:
        """Raises what `Wallet.pay` raises."""
        self._wallet.pay(preview, cancel)

    def _warning(self, owner: Principal) -> LinkWarning | None:
        """An account that has paid for another identity's canister ties this one to it."""
        workspace = self._workspace
        own = {record.principal: record.label for record in workspace.identities()}
        owners = {one.canister_id: Principal.from_text(one.principal) for one in workspace.deployments()}
        paid = {owners[canister] for canister in map(str, self._wallet.paid_canisters()) if canister in owners}
        return linking.fund(owner, owner, paid, "the cycles ledger", own)


@contextmanager
def open_till(workspace: Workspace, deployment: Deployment) -> Iterator[Till]:
    """Raises BadInputError, VaultLockedError and what starting a network raises."""
    with open_wallet(workspace, deployment.network, deployment.principal) as wallet:
        yield Till(workspace, deployment, wallet)


def conversion(wallet: Wallet, lacking_cycles: int) -> Preview:
    """How many of the identity's ICP bring at least `lacking_cycles` onto its account of the cycles ledger.

    Raises NetworkError, SecurityError.
    """
    e8s = wallet.rate().e8s(lacking_cycles + CYCLES_LEDGER_FEE)
    return wallet.preview(Kind.CONVERT, e8s + -(-e8s * _RATE_MARGIN_PERCENT // 100))
