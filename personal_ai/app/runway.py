"""How long the canisters last, and topping them up: when their owner says so, or within a budget by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from personal_ai.app.canisters import open_canister
from personal_ai.app.money import open_wallet
from personal_ai.app.workspace import PRACTICE, Workspace
from personal_ai.common.errors import NetworkUnreachableError, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.burn_history import Budget, BurnHistory
from personal_ai.deployments.funds import SECONDS_PER_DAY
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.runway import Runway, forecast
from personal_ai.wallet.journal import Kind, Payment
from personal_ai.wallet.wallet import Preview, Wallet

BUDGET_DAYS = 30
_BEYOND_DAYS = 30  # that a top-up lasts longer than it must, so that fees are paid once a month at most
_NS_PER_S = 10**9


class BudgetSpentError(UserFacingError):
    """A canister needs cycles, and what its owner allowed for 30 days is used up."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A canister's runway and what may be spent on it."""

    runway: Runway
    budget: Budget | None


def outlook(workspace: Workspace, deployment: Deployment) -> Outlook:
    """Asks the network, writes the reading down, and forecasts. Raises NetworkError, SecurityError."""
    with open_canister(workspace, deployment) as canister, _history(workspace) as history:
        status = canister.status()
        place = (deployment.network, str(canister.id))
        history.note(*place, status.cycles)
        return Outlook(forecast(status, history.readings(*place)), history.budget(*place))


def set_budget(workspace: Workspace, deployment: Deployment, budget: Budget | None) -> None:
    """None ends it."""
    with _history(workspace) as history:
        history.set_budget(deployment.network, _canister_id(deployment), budget)


def preview_top_up(deployment: Deployment, wallet: Wallet, cycles: int) -> Preview:
    """What putting cycles into the canister would cost. Raises BadInputError, NetworkError."""
    return wallet.preview(Kind.TOP_UP, cycles, _canister_id(deployment))


def top_up(workspace: Workspace, deployment: Deployment, wallet: Wallet, preview: Preview, cancel: Cancel) -> Payment:
    """Pays what was previewed. On the practice network its faucet gives what is lacking: money that is worth nothing.

    Raises BadInputError where the account has too little, and what `Wallet.pay` raises.
    """
    lacking = preview.total - preview.available
    if lacking > 0 and deployment.network == PRACTICE:
        workspace.practice_network.fund(wallet.principal, lacking)
        preview = preview_top_up(deployment, wallet, preview.amount)
    return wallet.pay(preview, cancel)


def tend_all(
    workspace: Workspace, cancel: Cancel
) -> tuple[list[tuple[Deployment, Payment]], list[tuple[Deployment, UserFacingError]]]:
    """Tends every canister, to be called every day or so: what was paid, and what went wrong for which.

    One that goes wrong keeps none of the others waiting.
    """
    paid: list[tuple[Deployment, Payment]] = []
    troubled: list[tuple[Deployment, UserFacingError]] = []
    for deployment in workspace.deployments():
        if deployment.canister_id is None:
            continue
        cancel.raise_if_cancelled()
        try:
            payment = tend(workspace, deployment, cancel)
        except UserFacingError as error:
            troubled.append((deployment, error))
        else:
            paid += [] if payment is None else [(deployment, payment)]
    return paid, troubled


def tend(workspace: Workspace, deployment: Deployment, cancel: Cancel) -> Payment | None:
    """Tops the canister up where its budget says that it should last longer; None where nothing was due.

    The deployment's own identity pays, so that nothing is tied together. A payment that was interrupted is gone on
    with first, so that nothing is paid twice. Raises BudgetSpentError, BadInputError where the account has too little.
    """
    with _history(workspace) as history:
        if history.budget(deployment.network, _canister_id(deployment)) is None:
            return None
    seen = outlook(workspace, deployment)
    assert seen.budget is not None
    with open_wallet(workspace, deployment.network, deployment.principal) as wallet:
        for payment in wallet.open_payments():
            if payment.kind is Kind.TOP_UP and payment.target == deployment.canister_id:
                return wallet.go_on(payment, cancel)
        if not seen.runway.lacking(seen.budget.keep_days):
            return None
        allowed = _allowed(deployment, wallet, seen.budget)
        wanted = min(seen.runway.lacking(seen.budget.keep_days + _BEYOND_DAYS), allowed)
        return top_up(workspace, deployment, wallet, preview_top_up(deployment, wallet, wanted), cancel)


def _allowed(deployment: Deployment, wallet: Wallet, budget: Budget) -> int:
    """What one top-up may still bring, its fee taken off. Raises BudgetSpentError where that is nothing."""
    since_ns = time.time_ns() - BUDGET_DAYS * SECONDS_PER_DAY * _NS_PER_S
    left = budget.cycles_per_30_days - wallet.topped_up(_canister_id(deployment), since_ns)
    fee = preview_top_up(deployment, wallet, 1).fee
    if left <= fee:
        raise BudgetSpentError(
            f"{deployment.name} needs cycles, and its budget for {BUDGET_DAYS} days is used up.",
            not_lost="Nothing was paid.",
            next_step="Top it up yourself, or allow more.",
        )
    return left - fee


def _canister_id(deployment: Deployment) -> str:
    if deployment.canister_id is None:
        raise NetworkUnreachableError(f"{deployment.name} has no canister yet.", next_step="Finish deploying it.")
    return deployment.canister_id


@contextmanager
def _history(workspace: Workspace) -> Iterator[BurnHistory]:
    with closing(BurnHistory(workspace.paths.burn)) as history:
        yield history
