"""Paying for a deployment from its own identity's account: the cost, what is there, and ICP for what is lacking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from personal_ai.app.money import open_wallet
from personal_ai.app.networks import as_on
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments import controllers
from personal_ai.deployments.creation import Creation
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import Plan, contents_of, plan
from personal_ai.deployments.prepayment import Needs, NotFundedError, needs
from personal_ai.ic.agent import Agent
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import NetworkProfile
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

    conversion: of the ICP that bring what is lacking, or the canister; None where nothing is lacking. warning: what
    paying would tie together in public.
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
        """Goes on with payments that were interrupted, then asks the network.

        A canister that was bought and not yet noted is taken: then nothing is needed any more. Raises NotFundedError
        where neither cycles nor ICP are enough, ModelObstaclesError, NetworkError, SecurityError.
        """
        for payment in self._wallet.open_payments():
            self._wallet.go_on(payment, cancel)
        profile = self._workspace.networks.started(self._deployment.network, cancel)
        bill = plan(profile, contents_of(self._workspace.model(self._deployment.model)))
        with self._creation(profile) as creation:
            warning = self._warning(creation.agent.identity.principal)
            found = needs(creation.agent, bill.total)
            if take_bought(self._wallet, creation):
                return Offer(bill, Needs(0, found.available), None, warning)
            conversion = purchase(self._wallet, found)
            if conversion is not None and not conversion.affordable:
                raise NotFundedError(creation.agent.identity.principal, found)
        return Offer(bill, found, conversion, warning)

    def price(self, found: Needs) -> Preview | None:
        """What is lacking, in ICP, whether those are there or not. Raises NetworkError, SecurityError."""
        return purchase(self._wallet, found)

    def convert(self, preview: Preview, cancel: Cancel) -> None:
        """Raises what `Wallet.pay` raises."""
        self._wallet.pay(preview, cancel)
        if preview.kind is Kind.CREATE:
            with self._creation(self._workspace.networks.known(self._deployment.network)) as creation:
                take_bought(self._wallet, creation)

    @contextmanager
    def _creation(self, profile: NetworkProfile) -> Iterator[Creation]:
        owner = Principal.from_text(self._deployment.principal)
        with closing(self._workspace.agent(profile, owner)) as agent:
            yield Creation(self._workspace.journal, agent, self._deployment.id)

    def _warning(self, owner: Principal) -> LinkWarning | None:
        """An account that has paid for another identity's canister ties this one to it."""
        workspace = self._workspace
        own = {record.principal: record.label for record in workspace.identities()}
        owners = {one.canister_id: Principal.from_text(one.principal) for one in workspace.deployments()}
        paid = {owners[canister] for canister in map(str, self._wallet.paid_canisters()) if canister in owners}
        return as_on(self._deployment.network, linking.fund(owner, owner, paid, "the cycles ledger", own))


@contextmanager
def open_till(workspace: Workspace, deployment: Deployment) -> Iterator[Till]:
    """Raises BadInputError, VaultLockedError and what starting a network raises."""
    with open_wallet(workspace, deployment.network, deployment.principal) as wallet:
        yield Till(workspace, deployment, wallet)


def purchase(wallet: Wallet, found: Needs) -> Preview | None:
    """How the identity's ICP pay for a deployment; None where its cycles do.

    Where no cycles lie on its account, ICP buy the canister itself: the cycles minting canister answers a repeat with
    the same canister, a day later too. Else they bring what is lacking onto the account. Raises NetworkError,
    SecurityError.
    """
    if not found.lacking:
        return None
    if found.available < CYCLES_LEDGER_FEE:
        return wallet.preview(Kind.CREATE, _e8s(wallet, found.cycles))
    return wallet.preview(Kind.CONVERT, _e8s(wallet, found.lacking + CYCLES_LEDGER_FEE))


def take_bought(wallet: Wallet, creation: Creation) -> bool:
    """Whether a canister that the identity has bought and not used is now the deployment's own, or was before."""
    if creation.begun:
        return True
    taken = {one.canister_id for one in creation.journal.deployments()}
    for canister_id in wallet.created():
        if str(canister_id) not in taken and _unused(creation.agent, canister_id):
            creation.take(canister_id)
            return True
    return False


def _unused(agent: Agent, canister_id: Principal) -> bool:
    """Whether it is there, in the agent's own hands, and empty. Times say nothing: clocks are set."""
    try:
        present = controllers.read(agent, canister_id)
    except BadInputError:  # deleted
        return False
    return agent.identity.principal in present and agent.module_hash(canister_id) is None


def _e8s(wallet: Wallet, cycles: int) -> int:
    e8s = wallet.rate().e8s(cycles)
    return e8s + -(-e8s * _RATE_MARGIN_PERCENT // 100)
