"""Which payments are warned about, because they tie identities together in public."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from personal_ai.app.money import link_warning
from personal_ai.app.workspace import Workspace
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import ANONYMOUS, Principal
from personal_ai.wallet.journal import Kind
from personal_ai.wallet.wallet import Preview

CANISTERS = {"Rowan": Principal(b"\x01\x01"), "Birch": Principal(b"\x02\x01")}


@dataclass
class FakeWallet:
    """Who pays, and which canisters it has paid for."""

    principal: Principal
    paid: frozenset[Principal] = frozenset()

    def paid_canisters(self) -> frozenset[Principal]:
        return self.paid


@pytest.fixture
def workspace(own_home: object) -> Iterator[Workspace]:
    """Two deployments, Rowan and Birch, each with an identity and a canister of its own."""
    opened = Workspace(Paths.default())
    opened.create_vault(opened.new_phrase(), "correct horse battery")
    for number, (name, canister) in enumerate(CANISTERS.items()):
        principal = str(opened.vault.new_identity(name).principal)
        state = DeploymentState.ACTIVE
        opened.journal.begin(
            Deployment(f"{number}" * 32, name, "ic", principal, "m", "00" * 32, state, number, str(canister))
        )
    yield opened
    opened.close()


def _warned(workspace: Workspace, wallet: FakeWallet, kind: Kind, target: object) -> str | None:
    warning = link_warning(workspace, wallet, Preview(kind, str(target), 1, 1, 10))  # type: ignore[arg-type]
    return None if warning is None else warning.ledger


def test_payments_between_ones_own_identities_and_for_several_canisters(workspace: Workspace) -> None:
    rowan, birch = (record.principal for record in workspace.identities())
    mine, stranger = FakeWallet(rowan), FakeWallet(ANONYMOUS)
    assert _warned(workspace, mine, Kind.SEND_ICP, AccountIdentifier.of(birch)) == "the ICP ledger"
    assert _warned(workspace, mine, Kind.SEND_CYCLES, birch) == "the cycles ledger"
    assert _warned(workspace, mine, Kind.SEND_CYCLES, ANONYMOUS) is None
    assert _warned(workspace, mine, Kind.CONVERT, rowan) is None
    assert _warned(workspace, mine, Kind.TOP_UP, CANISTERS["Rowan"]) is None
    assert _warned(workspace, mine, Kind.TOP_UP, CANISTERS["Birch"]) == "the cycles ledger"
    assert _warned(workspace, mine, Kind.CONVERT_TOP_UP, CANISTERS["Birch"]) == "the ICP ledger"
    assert _warned(workspace, stranger, Kind.TOP_UP, CANISTERS["Birch"]) is None
    stranger.paid = frozenset({CANISTERS["Rowan"]})
    assert _warned(workspace, stranger, Kind.TOP_UP, CANISTERS["Birch"]) == "the cycles ledger"
    assert _warned(workspace, stranger, Kind.TOP_UP, Principal(b"\x09\x01")) is None
