"""Keeping a canister alive on the practice network: the forecast, paying for it, and never more than was allowed."""

from __future__ import annotations

import pytest

from personal_ai.app.money import open_wallet
from personal_ai.app.notices import NoticeKind, Told
from personal_ai.app.runway import BudgetPausedError, BudgetSpentError, Tended
from personal_ai.app.workspace import Workspace
from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel
from personal_ai.common.locks import holding
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.runway import Level, Runway
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.management import CanisterSettings
from personal_ai.wallet.journal import State

T = 10**12


def test_a_new_canister_holds_back_ninety_days_of_rent(profile: Workspace, deployed: Deployment) -> None:
    runway = profile.runway.outlook(deployed).runway
    assert runway.freezing_days == 90
    assert runway.held_back == pytest.approx(90 * runway.rent_per_day)
    assert runway.days_left > 30 and runway.used_per_day is None


def test_its_own_identity_pays_and_the_faucet_helps_out(profile: Workspace, deployed: Deployment) -> None:
    before = profile.runway.outlook(deployed).runway
    offer = profile.runway.offer(deployed, T)
    assert not offer.preview.affordable and offer.warning is None
    assert profile.runway.top_up(deployed, offer.preview, Cancel()).state is State.DONE
    assert _topped_up(profile, deployed) == T + offer.preview.fee
    after = profile.runway.outlook(deployed).runway
    assert after.cycles - before.cycles == pytest.approx(T, rel=0.001)
    assert after.used_per_day is None, "a top-up hides what was used"
    assert [one.cycles for one in profile.runway.readings(deployed)][-1] == after.cycles


def test_another_payer_is_warned_of_the_tie(profile: Workspace, deployed: Deployment) -> None:
    profile.vault.new_identity("Purse")
    warning = profile.runway.offer(deployed, T, "Purse").warning
    assert warning is not None and "Purse" in warning.what


def test_by_itself_it_pays_what_is_due_and_no_more_than_was_allowed(profile: Workspace, deployed: Deployment) -> None:
    assert profile.runway.tend(Cancel()) == Tended(), "no budget"
    spent, runway = _topped_up(profile, deployed), profile.runway.outlook(deployed).runway
    profile.runway.set_budget(deployed, Budget(spent + 100 * T, int(runway.days_left) - 1))
    assert profile.runway.tend(Cancel()) == Tended(), "nothing is due"

    profile.runway.set_budget(deployed, Budget(spent + T, 3650))
    done = profile.runway.tend(Cancel())
    [(_, paid)], [told] = done.paid, done.notices
    assert (told.kind, told.payment, paid.state) == (NoticeKind.TOPPED_UP, paid, State.DONE)
    assert paid.amount + paid.fee <= T
    done = profile.runway.tend(Cancel())
    [(troubled, error)], [told] = done.troubled, done.notices
    assert (done.paid, troubled.name, told.kind) == ([], deployed.name, NoticeKind.BUDGET_SPENT)
    assert isinstance(error, BudgetSpentError) and "used up" in error.what
    again = profile.runway.tend(Cancel())
    assert len(again.troubled) == 1 and again.notices == [], "told once"
    profile.runway.set_budget(deployed, Budget(spent + 100 * T, 3650, paused=True))
    done = profile.runway.tend(Cancel())
    [(_, error)], [told] = done.troubled, done.notices
    assert (done.paid, told.kind) == ([], NoticeKind.BUDGET_PAUSED) and isinstance(error, BudgetPausedError)
    profile.runway.set_budget(deployed, None)
    assert profile.runway.outlook(deployed).budget is None and profile.runway.tend(Cancel()) == Tended()


def test_an_interrupted_payment_is_finished_before_another_is_begun(
    profile: Workspace, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.runway.set_budget(deployed, Budget(1000 * T, 3650))
    withdraw = CyclesLedger.withdraw
    before = profile.runway.outlook(deployed).runway.cycles

    def paid_and_lost(self: CyclesLedger, *values: object) -> int:
        withdraw(self, *values)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CyclesLedger, "withdraw", paid_and_lost)
        with pytest.raises(KeyboardInterrupt):
            profile.runway.tend(Cancel())
    done = profile.runway.tend(Cancel())
    [(_, paid)] = done.paid
    assert paid.state is State.DONE and done.troubled == []
    arrived = profile.runway.outlook(deployed).runway.cycles - before
    assert arrived == pytest.approx(paid.amount, rel=0.001), "once, not twice"
    profile.runway.set_budget(deployed, None)


def test_a_frozen_canister_is_brought_back_within_its_budget(profile: Workspace, deployed: Deployment) -> None:
    status = profile.canisters.status(deployed)
    much_s = 2 * (status.cycles // status.idle_cycles_per_day) * 86_400
    profile.canisters.change(deployed, CanisterSettings(freezing_threshold=much_s))
    assert profile.runway.outlook(deployed).runway.level is Level.FROZEN
    profile.runway.set_budget(deployed, Budget(100_000 * T, 40))
    kinds = [one.kind for one in profile.runway.tend(Cancel()).notices]
    assert kinds == [NoticeKind.FROZEN, NoticeKind.TOPPED_UP]
    assert profile.canisters.look(deployed, Cancel()).health is Health.ANSWERING
    profile.canisters.change(deployed, CanisterSettings(freezing_threshold=status.freezing_threshold_s))
    profile.runway.set_budget(deployed, None)


def test_two_do_not_look_after_them_at_once(profile: Workspace, deployed: Deployment) -> None:
    """Another process holds the same lock in the same way."""
    profile.runway.set_budget(deployed, Budget(1000 * T, 3650))
    with holding(profile.paths.tending) as held:
        assert held
        assert profile.runway.tend(Cancel()) == Tended(elsewhere=True)
    profile.runway.set_budget(deployed, None)


def test_a_timer_keeps_no_vault_open_and_can_be_stopped(
    profile: Workspace, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.vault.change_notes(lambda notes: notes.with_idle_lock(60))
    monkeypatch.setattr(profile.door, "_clock", lambda: profile.door._used_s + 61)
    profile.runway.tend(Cancel())
    assert profile.door.idle
    profile.door.use()
    stopped = Cancel()
    stopped.cancel()
    with pytest.raises(Cancelled):
        profile.runway.tend(stopped)


def test_a_warning_comes_once_and_again_when_it_is_worse(deployed: Deployment) -> None:
    def runway(days: float) -> Runway:
        return Runway(round(days * T), 0, 90, T, None)

    told = Told()
    seen = [told.runway(deployed, runway(days)) for days in (100, 20, 19, 5, 4, 0, 100, 20)]
    assert [[one.kind for one in notices] for notices in seen] == [
        [],
        [NoticeKind.RUNWAY_LOW],
        [],
        [NoticeKind.RUNWAY_URGENT],
        [],
        [NoticeKind.FROZEN],
        [],
        [NoticeKind.RUNWAY_LOW],
    ]
    assert seen[1][0].days_left == 20


def _topped_up(profile: Workspace, deployed: Deployment) -> int:
    with open_wallet(profile, deployed.network, deployed.principal) as wallet:
        assert wallet.topped_up("2vxsx-fae", 0) == 0
        return wallet.topped_up(deployed.canister_id or "", 0)
