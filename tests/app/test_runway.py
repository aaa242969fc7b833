"""Keeping a canister alive on the practice network: the forecast, paying for it, and never more than was allowed."""

from __future__ import annotations

import pytest

from personal_ai.app.money import open_wallet
from personal_ai.app.runway import BudgetSpentError, outlook, preview_top_up, set_budget, tend, tend_all, top_up
from personal_ai.app.workspace import Workspace
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.wallet.journal import State

T = 10**12


def test_a_new_canister_holds_back_ninety_days_of_rent(profile: Workspace, deployed: Deployment) -> None:
    runway = outlook(profile, deployed).runway
    assert runway.freezing_days == 90
    assert runway.held_back == pytest.approx(90 * runway.rent_per_day)
    assert runway.days_left > 30 and runway.used_per_day is None


def test_its_own_identity_pays_and_the_faucet_helps_out(profile: Workspace, deployed: Deployment) -> None:
    before = outlook(profile, deployed).runway
    with open_wallet(profile, deployed.network, deployed.principal) as wallet:
        preview = preview_top_up(deployed, wallet, T)
        assert not preview.affordable
        assert top_up(profile, deployed, wallet, preview, Cancel()).state is State.DONE
        assert wallet.topped_up(deployed.canister_id or "", 0) == T + preview.fee
        assert wallet.topped_up("2vxsx-fae", 0) == 0
    after = outlook(profile, deployed).runway
    assert after.cycles - before.cycles == pytest.approx(T, rel=0.001)
    assert after.used_per_day is None, "a top-up hides what was used"


def test_by_itself_it_pays_what_is_due_and_no_more_than_was_allowed(profile: Workspace, deployed: Deployment) -> None:
    assert tend(profile, deployed, Cancel()) is None, "no budget"
    runway = outlook(profile, deployed).runway
    with open_wallet(profile, deployed.network, deployed.principal) as wallet:
        spent = wallet.topped_up(deployed.canister_id or "", 0)
    lasts = int(runway.days_left)
    set_budget(profile, deployed, Budget(spent + 100 * T, lasts - 1))
    assert tend(profile, deployed, Cancel()) is None, "nothing is due"

    set_budget(profile, deployed, Budget(spent + T, 3650))
    paid = tend(profile, deployed, Cancel())
    assert paid is not None and paid.state is State.DONE
    assert paid.amount + paid.fee <= T
    with pytest.raises(BudgetSpentError, match="used up"):
        tend(profile, deployed, Cancel())
    paid_for, [(troubled, error)] = tend_all(profile, Cancel())
    assert (paid_for, troubled.name) == ([], deployed.name) and isinstance(error, BudgetSpentError)
    set_budget(profile, deployed, None)
    assert outlook(profile, deployed).budget is None and tend(profile, deployed, Cancel()) is None


def test_an_interrupted_payment_is_finished_before_another_is_begun(
    profile: Workspace, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget(profile, deployed, Budget(1000 * T, 3650))
    withdraw = CyclesLedger.withdraw
    before = outlook(profile, deployed).runway.cycles

    def paid_and_lost(self: CyclesLedger, *values: object) -> int:
        withdraw(self, *values)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CyclesLedger, "withdraw", paid_and_lost)
        with pytest.raises(KeyboardInterrupt):
            tend(profile, deployed, Cancel())
    [(_, paid)], troubled = tend_all(profile, Cancel())
    assert paid.state is State.DONE and troubled == []
    arrived = outlook(profile, deployed).runway.cycles - before
    assert arrived == pytest.approx(paid.amount, rel=0.001), "once, not twice"
    set_budget(profile, deployed, None)
