"""Which payments are warned about, because they tie identities together in public; money as the window asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from personal_ai.app.money import Purse, link_warning
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import ANONYMOUS, Principal
from personal_ai.wallet.journal import Kind, State
from personal_ai.wallet.wallet import Preview

CANISTERS = {"Rowan": Principal(b"\x01\x01"), "Birch": Principal(b"\x02\x01")}


@dataclass
class FakeWallet:
    """Who pays, and which canisters it has paid for."""

    principal: Principal
    network: str = "ic"
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


@pytest.fixture
def network(workspace: Workspace) -> Iterator[None]:
    yield
    workspace.practice_network.stop()


def test_from_practice_money_to_a_payment_through_the_windows_door(workspace: Workspace, network: None) -> None:
    money = workspace.money
    assert money.networks() == ("practice", "ic")
    assert [one.label for one in money.purses("practice")] == ["Rowan", "Birch"]
    purse = money.new_purse("practice")
    assert money.new_purse("practice") == purse == money.purses("practice")[-1]
    assert money.give_practice_money(purse) == "10 ICP"
    with pytest.raises(BadInputError, match="practice network only"):
        money.give_practice_money(Purse("ic", purse.principal, purse.label))

    account = money.account(purse)
    assert (account.balances.icp_e8s, account.balances.cycles, account.open_payments) == (10**9, 0, ())
    assert account.account == str(AccountIdentifier.of(Principal.from_text(purse.principal)))
    offer = money.offer(purse, Kind.SEND_ICP, 10**8, str(ANONYMOUS))
    assert (offer.preview.total, offer.warning) == (100_010_000, None)
    paid = money.pay(purse, offer.preview, Cancel())
    assert paid.state is State.DONE
    history = money.history(purse, 1, lambda _: None, Cancel())
    assert [item.change for item in history.items] == [-100_010_000]
    assert history.may_be_longer(1)
    assert not money.history(purse, 3, lambda _: None, Cancel()).may_be_longer(3)
    to_birch = money.offer(purse, Kind.SEND_ICP, 1, money.purses("practice")[1].principal)
    assert to_birch.warning is not None


def test_who_is_suggested_can_receive_it(workspace: Workspace) -> None:
    account = str(AccountIdentifier.of(ANONYMOUS))
    workspace.vault.change_notes(lambda notes: notes.with_contact("Ada", account).with_contact("Bo", str(ANONYMOUS)))
    workspace.vault.change_notes(lambda notes: notes.with_contact("Web", "https://example.org"))
    purse = workspace.money.purses("ic")[0]

    def names(kind: Kind, purse: Purse = purse) -> list[str]:
        return [one.name for one in workspace.money.receivers(purse, kind)]

    assert names(Kind.SEND_ICP) == ["Ada", "Bo"]
    assert names(Kind.SEND_CYCLES) == ["Bo"]
    assert names(Kind.TOP_UP) == ["Birch", "Rowan"]
    assert names(Kind.TOP_UP, workspace.money.purses("practice")[0]) == []
