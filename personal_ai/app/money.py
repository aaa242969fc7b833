"""The wallet of one of the vault's identities, opened for both front ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from personal_ai.app.workspace import PRACTICE, Workspace
from personal_ai.common.errors import BadInputError
from personal_ai.ic.agent import Agent
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import NetworkProfile, load_profiles
from personal_ai.ic.transport import connect
from personal_ai.wallet.journal import PaymentJournal
from personal_ai.wallet.wallet import Wallet

WALLET_LABEL = "Wallet"


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
