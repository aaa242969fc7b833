"""Money of one identity: previews that come true, and the errors that save fees."""

from __future__ import annotations

import time

import pytest

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.icp_types import E8S_PER_ICP, ICP_FEE_E8S
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import Management
from personal_ai.ic.principal import Principal
from personal_ai.replica.money.treasury import DEFAULT_XDR_PERMYRIAD_PER_ICP
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Kind, State
from personal_ai.wallet.wallet import Balances, Wallet, icp_account
from tests.replica.network.running import OWNER, TRILLION, identity
from tests.wallet.conftest import Purse

FRIEND = identity("a friend").principal
ABSENT = Principal((0xFFFF_FFFF_FFEF_FFFF).to_bytes(8, "big") + b"\x01\x01")
CYCLES_PER_ICP = E8S_PER_ICP * DEFAULT_XDR_PERMYRIAD_PER_ICP


def canister(purse: Purse) -> Principal:
    created = CyclesLedger(purse.agent).create_canister(
        2 * TRILLION, created_at_time_ns=time.time_ns(), controllers=[OWNER.principal]
    )
    return created.canister_id


def test_a_payment_does_what_its_preview_says(purse: Purse) -> None:
    assert purse.wallet.balances() == Balances(10 * E8S_PER_ICP, 10 * TRILLION)
    for kind, amount, target in (
        (Kind.SEND_ICP, E8S_PER_ICP, str(FRIEND)),
        (Kind.SEND_CYCLES, TRILLION, str(FRIEND)),
    ):
        preview = purse.wallet.preview(kind, amount, target)
        payment = purse.wallet.pay(preview)
        assert payment.state is State.DONE
        after = purse.wallet.balances()
        assert preview.available - preview.total == (after.icp_e8s if kind.token is Token.ICP else after.cycles)
    friend = balances_of(purse, "a friend")
    assert friend == Balances(E8S_PER_ICP, TRILLION)
    assert purse.balanced()


def balances_of(purse: Purse, name: str) -> Balances:
    return Wallet(purse.agent_of(identity(name)), purse.journal).balances()


def test_icp_become_cycles_here_or_in_a_canister(purse: Purse) -> None:
    before = purse.wallet.balances().cycles
    preview = purse.wallet.preview(Kind.CONVERT, E8S_PER_ICP)
    assert preview.cycles is not None and preview.cycles == CYCLES_PER_ICP - CYCLES_LEDGER_FEE
    payment = purse.wallet.pay(preview)
    assert (payment.state, payment.cycles) == (State.DONE, CYCLES_PER_ICP)
    assert purse.wallet.balances().cycles == before + preview.cycles
    canister_id = canister(purse)
    held = Management(purse.agent).canister_status(canister_id).cycles
    topped_up = purse.wallet.pay(purse.wallet.preview(Kind.CONVERT_TOP_UP, E8S_PER_ICP, str(canister_id)))
    assert topped_up.cycles == CYCLES_PER_ICP
    assert Management(purse.agent).canister_status(canister_id).cycles > held + CYCLES_PER_ICP * 99 // 100
    purse.wallet.pay(purse.wallet.preview(Kind.TOP_UP, TRILLION, str(canister_id)))
    assert purse.balanced()


def test_what_cannot_work_is_refused_before_it_costs(purse: Purse) -> None:
    for kind in (Kind.TOP_UP, Kind.CONVERT_TOP_UP):
        with pytest.raises(BadInputError, match="no such canister"):
            purse.wallet.preview(kind, 1000, str(ABSENT))
    with pytest.raises(BadInputError, match="somebody"):
        purse.wallet.preview(Kind.SEND_ICP, 1)
    with pytest.raises(FormatError, match="neither"):
        purse.wallet.preview(Kind.SEND_ICP, 1, "my friend")
    too_much = purse.wallet.preview(Kind.SEND_ICP, 10 * E8S_PER_ICP, str(FRIEND))
    assert not too_much.affordable
    with pytest.raises(BadInputError, match="are there"):
        purse.wallet.pay(too_much)
    assert purse.journal.payments("practice", str(OWNER.principal)) == []


def test_addresses_for_icp() -> None:
    account = AccountIdentifier.of(FRIEND)
    assert icp_account(str(FRIEND)) == icp_account(f" {account} ") == account


def test_history_tells_who_and_what_for(purse: Purse) -> None:
    purse.wallet.pay(purse.wallet.preview(Kind.SEND_ICP, E8S_PER_ICP, str(FRIEND)))
    purse.wallet.pay(purse.wallet.preview(Kind.CONVERT, E8S_PER_ICP))
    purse.wallet.pay(purse.wallet.preview(Kind.SEND_CYCLES, TRILLION, str(FRIEND)))
    history = purse.wallet.history(50, ignore_progress, Cancel())
    balances = purse.wallet.balances()
    for token, held in ((Token.ICP, balances.icp_e8s), (Token.CYCLES, balances.cycles)):
        assert sum(item.change for item in history.items if item.token is token) == held
    mine = {item.payment.kind: item for item in history.items if item.payment is not None}
    assert mine.keys() == {Kind.SEND_ICP, Kind.CONVERT, Kind.SEND_CYCLES}
    assert mine[Kind.SEND_ICP].counterpart == str(AccountIdentifier.of(FRIEND))
    assert mine[Kind.SEND_ICP].change == -(E8S_PER_ICP + ICP_FEE_E8S)
    assert history.cycles_from_block == 0
    assert history.unsettled == ()
    assert len(purse.wallet.history(1, ignore_progress, Cancel()).items) == 2
