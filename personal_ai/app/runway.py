"""How long the canisters last, and topping them up: when their owner says so, or within a budget by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from personal_ai.app.canisters import id_of, open_canister
from personal_ai.app.money import Offer, link_warning, open_wallet
from personal_ai.app.networks import PRACTICE
from personal_ai.app.notices import Notice, NoticeKind, Told
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Cancel, interruptible
from personal_ai.common.locks import holding
from personal_ai.deployments.burn_history import Budget, BurnHistory
from personal_ai.deployments.cycles_needed import SECONDS_PER_DAY
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.runway import Reading, Runway, forecast
from personal_ai.ic.management import CanisterStatus
from personal_ai.wallet.journal import Kind, Payment
from personal_ai.wallet.wallet import Preview, Wallet

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

BUDGET_DAYS = 30
_BEYOND_DAYS = 30  # that a top-up lasts longer than it must, so that fees are paid once a month at most
_NS_PER_S = 10**9


class BudgetSpentError(UserFacingError):
    """A canister needs cycles, and what its owner allowed for 30 days is used up."""


class BudgetPausedError(UserFacingError):
    """A canister needs cycles, and its budget came back from a backup and was not allowed anew."""


_TROUBLES = {BudgetSpentError: NoticeKind.BUDGET_SPENT, BudgetPausedError: NoticeKind.BUDGET_PAUSED}


@dataclass(frozen=True, slots=True)
class Outlook:
    """A canister's runway and what may be spent on it."""

    runway: Runway
    budget: Budget | None


@dataclass(slots=True)
class Tended:
    """What looking after all canisters brought. elsewhere: somebody else was at it, and nothing was looked at."""

    paid: list[tuple[Deployment, Payment]] = field(default_factory=list)
    troubled: list[tuple[Deployment, UserFacingError]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    elsewhere: bool = False


class Runways:
    """Of all canisters. Raises what opening them and their identities' wallets raises."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._told = Told()

    def outlook(self, deployment: Deployment) -> Outlook:
        """Asks the network, writes the reading down, and forecasts. Raises NetworkError, SecurityError."""
        with open_canister(self._workspace, deployment) as canister:
            status = canister.status()
        return self.note(deployment, status)

    def note(self, deployment: Deployment, status: CanisterStatus) -> Outlook:
        """Writes down what the network said just now, and forecasts."""
        place = (deployment.network, id_of(deployment))
        with self._history() as history:
            history.note(*place, status.cycles)
            return Outlook(forecast(status, history.readings(*place)), history.budget(*place))

    def readings(self, deployment: Deployment) -> list[Reading]:
        """What was seen of its cycles so far, in the order of time; asks nobody."""
        with self._history() as history:
            return history.readings(deployment.network, id_of(deployment))

    def set_budget(self, deployment: Deployment, budget: Budget | None) -> None:
        """None ends it."""
        with self._history() as history:
            history.set_budget(deployment.network, id_of(deployment), budget)

    def forget(self, network: str) -> None:
        """Readings and budgets of a network that is no more."""
        with self._history() as history:
            history.forget(network)

    def offer(self, deployment: Deployment, cycles: int, payer: str | None = None) -> Offer:
        """What putting cycles into the canister costs, and what it ties together in public.

        payer: an identity's label or principal, who pays from its account of the cycles ledger; else its own identity.
        On the practice network `top_up` fetches what is lacking from the faucet. Raises BadInputError, NetworkError.
        """
        with self._wallet(deployment, payer) as wallet:
            preview = _preview(deployment, wallet, cycles)
            return Offer(preview, link_warning(self._workspace, wallet, preview))

    def top_up(self, deployment: Deployment, preview: Preview, cancel: Cancel, payer: str | None = None) -> Payment:
        """Pays what was offered to the same payer.

        Raises BadInputError where the account has too little, and what `Wallet.pay` raises.
        """
        with self._wallet(deployment, payer) as wallet:
            return self._pay(deployment, wallet, preview, cancel)

    def tend(self, cancel: Cancel) -> Tended:
        """Looks after every canister: what a timer calls, every hour or every day.

        Nothing is paid but within budgets. One caller at a time, in whichever process; it counts as no use of the
        vault; a canister that goes wrong keeps none of the others waiting. Raises VaultLockedError, Cancelled.
        """
        with self._workspace.door.unattended(), holding(self._workspace.paths.tending) as held:
            done = Tended(elsewhere=not held)
            if held:
                self._workspace.door.vault()
                for deployment in self._tendable():
                    cancel.raise_if_cancelled()
                    self._tend_into(done, deployment, cancel)
            return done

    def _tendable(self) -> list[Deployment]:
        """Those with a canister; the practice network is not started for its own."""
        practising = self._workspace.practice_network_running()
        there = [one for one in self._workspace.deployments() if one.canister_id is not None]
        return [one for one in there if practising or one.network != PRACTICE]

    def _tend_into(self, done: Tended, deployment: Deployment, cancel: Cancel) -> None:
        try:
            seen = interruptible(lambda: self._outlook_unattended(deployment), cancel)
        except UserFacingError as error:  # out of reach: no reason to disturb anybody
            done.troubled.append((deployment, error))
            return
        done.notices += self._told.runway(deployment, seen.runway)
        try:
            payment = self._tend_one(deployment, seen, cancel)
        except UserFacingError as error:
            kind = _TROUBLES.get(type(error), NoticeKind.TOP_UP_FAILED)
            done.troubled.append((deployment, error))
            done.notices += self._told.trouble(kind, deployment, error)
        else:
            done.paid += [] if payment is None else [(deployment, payment)]
            done.notices += self._told.well(deployment, payment)

    def _outlook_unattended(self, deployment: Deployment) -> Outlook:
        with self._workspace.door.unattended():
            return self.outlook(deployment)

    def _tend_one(self, deployment: Deployment, seen: Outlook, cancel: Cancel) -> Payment | None:
        """Tops the canister up where its budget says that it should last longer; None where nothing was due.

        The deployment's own identity pays, so that nothing is tied together. A payment that was interrupted is gone on
        with first, so that nothing is paid twice. Raises BudgetSpentError, BudgetPausedError, BadInputError where the
        account is short.
        """
        if seen.budget is None:
            return None
        with self._wallet(deployment, None) as wallet:
            for payment in wallet.open_payments():
                if payment.kind is Kind.TOP_UP and payment.target == deployment.canister_id:
                    return wallet.go_on(payment, cancel)
            if not seen.runway.lacking(seen.budget.keep_days):
                return None
            if seen.budget.paused:
                raise BudgetPausedError(
                    f"{deployment.name} needs cycles, and its budget came back from a backup.",
                    not_lost="Nothing was paid: the computer before may still be looking after it.",
                    next_step="Allow the budget again if this computer shall, or top it up yourself.",
                )
            allowed = _allowed(deployment, wallet, seen.budget)
            wanted = min(seen.runway.lacking(seen.budget.keep_days + _BEYOND_DAYS), allowed)
            return self._pay(deployment, wallet, _preview(deployment, wallet, wanted), cancel)

    def _pay(self, deployment: Deployment, wallet: Wallet, preview: Preview, cancel: Cancel) -> Payment:
        """The practice network's faucet gives what is lacking: money that is worth nothing."""
        lacking = preview.total - preview.available
        if lacking > 0 and deployment.network == PRACTICE:
            self._workspace.practice_network.fund(wallet.principal, lacking)
            preview = _preview(deployment, wallet, preview.amount)
        return wallet.pay(preview, cancel)

    @contextmanager
    def _wallet(self, deployment: Deployment, payer: str | None) -> Iterator[Wallet]:
        with open_wallet(self._workspace, deployment.network, payer or deployment.principal) as wallet:
            yield wallet

    @contextmanager
    def _history(self) -> Iterator[BurnHistory]:
        with closing(BurnHistory(self._workspace.paths.burn)) as history:
            yield history


def _preview(deployment: Deployment, wallet: Wallet, cycles: int) -> Preview:
    return wallet.preview(Kind.TOP_UP, cycles, id_of(deployment))


def _allowed(deployment: Deployment, wallet: Wallet, budget: Budget) -> int:
    """What one top-up may still bring, its fee taken off. Raises BudgetSpentError where that is nothing."""
    since_ns = time.time_ns() - BUDGET_DAYS * SECONDS_PER_DAY * _NS_PER_S
    left = budget.cycles_per_30_days - wallet.topped_up(id_of(deployment), since_ns)
    fee = _preview(deployment, wallet, 1).fee
    if left <= fee:
        raise BudgetSpentError(
            f"{deployment.name} needs cycles, and its budget for {BUDGET_DAYS} days is used up.",
            not_lost="Nothing was paid.",
            next_step="Top it up yourself, or allow more.",
        )
    return left - fee
