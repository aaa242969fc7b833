"""The wallet of one of the vault's identities, opened for both front ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from personal_ai.app.workspace import PRACTICE, Workspace
from personal_ai.common.errors import BadInputError
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import NetworkProfile, load_profiles
from personal_ai.ic.transport import connect
from personal_ai.identities import linking
from personal_ai.identities.linking import LinkWarning
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Kind, PaymentJournal
from personal_ai.wallet.wallet import Preview, Wallet

WALLET_LABEL = "Wallet"
_LEDGERS = {Token.ICP: "the ICP ledger", Token.CYCLES: "the cycles ledger"}


@contextmanager
def open_wallet(workspace: Workspace, network: str, identity: str | None) -> Iterator[Wallet]:
    """The wallet of an identity, named by label or principal; without a name that of `Wallet`, made at first need.

    Raises BadInputError, VaultLockedError and what starting a network raises.
    """
    profile = _profile(workspace, network)
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
    if preview.kind is Kind.CONVERT:
        return None
    if not preview.kind.into_canister:
        icp = preview.kind is Kind.SEND_ICP
        recipient = (AccountIdentifier if icp else Principal).from_text(preview.target)
        return linking.transfer(wallet.principal, recipient, ledger, own)
    owners = {one.canister_id: Principal.from_text(one.principal) for one in workspace.deployments()}
    owner = owners.get(preview.target)
    if owner is None:
        return None
    paid = {owners[canister] for canister in map(str, wallet.paid_canisters()) if canister in owners}
    return linking.fund(wallet.principal, owner, paid, ledger, own)


def _profile(workspace: Workspace, network: str) -> NetworkProfile:
    if network == PRACTICE:
        return workspace.practice_network.start()
    profiles = load_profiles(workspace.paths.networks)
    if network not in profiles:
        known = ", ".join(sorted((PRACTICE, *profiles)))
        raise BadInputError(f"There is no network named {network}.", next_step=f"Known are: {known}.")
    return profiles[network]


def _principal(workspace: Workspace, identity: str | None) -> Principal:
    for record in workspace.identities():
        if identity in (str(record.principal), record.label) or (identity is None and record.label == WALLET_LABEL):
            return record.principal
    if identity is not None:
        raise BadInputError(f"There is no identity {identity} in the vault.")
    return workspace.vault.new_identity(WALLET_LABEL).principal
