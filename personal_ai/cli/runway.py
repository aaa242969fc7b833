"""`personal-ai canister runway` and `topup`: how long a canister lasts, and making it last longer."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from personal_ai.app.runway import BUDGET_DAYS, Outlook
from personal_ai.cli.console import cycles, stoppable
from personal_ai.cli.session import add_canister_command, add_password_option, named_deployment, workspace
from personal_ai.cli.wallet import confirmed, described, payment_fields, payment_line
from personal_ai.common.errors import BadInputError, NetworkError
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.runway import Level, Runway
from personal_ai.wallet.amounts import Token

_KEEP_DAYS = 90
_WARNINGS = {
    Level.LOW: "Top it up in the next weeks.",
    Level.URGENT: "Top it up now.",
    Level.FROZEN: "It is frozen and answers nothing, but has lost nothing: top it up.",
}


def add_commands(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    runway = add_canister_command(group, "runway", _runway, "how long its cycles last and why; a budget to keep it")
    budget = runway.add_mutually_exclusive_group()
    budget.add_argument(
        "--budget", metavar="T", help=f"trillions of cycles to be spent by itself in {BUDGET_DAYS} days"
    )
    budget.add_argument("--no-budget", action="store_true", help="spend nothing by itself any more")
    runway.add_argument("--keep-days", type=int, default=_KEEP_DAYS, help="with --budget: how long it shall last")
    tended = group.add_parser("tend", help="top up every canister whose budget says so; for a timer, once a day")
    tended.add_argument("--json", action="store_true", help="answer as JSON")
    add_password_option(tended)
    tended.set_defaults(run=_tend)
    topup = add_canister_command(group, "topup", _topup, "put cycles into it")
    topup.add_argument("amount", help="trillions of cycles, like 1.5")
    topup.add_argument("--from", dest="payer", metavar="IDENTITY", help="who pays; its own identity if not given")
    topup.add_argument("--yes", action="store_true", help="pay without asking")
    topup.add_argument("--linked", action="store_true", help="pay although that ties identities together in public")


def _runway(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        if arguments.budget is not None:
            opened.runway.set_budget(deployment, Budget(Token.CYCLES.parse(arguments.budget), arguments.keep_days))
        elif arguments.no_budget:
            opened.runway.set_budget(deployment, None)
        seen = opened.runway.outlook(deployment)
    if arguments.json:
        print(json.dumps(_fields(seen)))
        return
    for line in _lines(seen):
        print(line)


def _fields(seen: Outlook) -> dict[str, object]:
    runway = seen.runway
    days_left = runway.days_left if runway.burned_per_day else None
    budget = None if seen.budget is None else asdict(seen.budget)
    return {**asdict(runway), "days_left": days_left, "level": runway.level.value, "budget": budget}


def _lines(seen: Outlook) -> list[str]:
    runway = seen.runway
    lines = [f"It lasts {runway.days_left:,.0f} days.", *_reasons(runway)]
    if runway.level in _WARNINGS:
        lines.append(_WARNINGS[runway.level])
    if seen.budget is not None:
        allowed = cycles(seen.budget.cycles_per_30_days)
        lines.append(f"By itself: up to {allowed} in {BUDGET_DAYS} days, to last {seen.budget.keep_days} days.")
        if seen.budget.paused:
            lines.append("That came from a backup and rests; the computer before may still spend it. Set it to go on.")
    return lines


def _reasons(runway: Runway) -> list[str]:
    held_days = f"{runway.freezing_days:g} days of rent"
    reasons = [
        f"It has {cycles(runway.cycles)}.",
        f"{cycles(runway.held_back)} of them are held back for {held_days}; below that it freezes.",
        f"Its rent takes {cycles(runway.rent_per_day)} a day.",
    ]
    if runway.used_per_day is None:
        reasons.append("What answering takes on top is not known yet: too little was seen.")
    elif runway.used_per_day > runway.rent_per_day:
        on_top = cycles(runway.used_per_day - runway.rent_per_day)
        reasons.append(f"Answering took {on_top} a day on top, over the last two weeks.")
    return reasons


def _tend(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened, stoppable() as cancel:
        done = opened.runway.tend(cancel)
    if arguments.json:
        paid = [payment_fields(payment) for _, payment in done.paid]
        problems = {deployment.name: str(error) for deployment, error in done.troubled}
        print(json.dumps({"paid": paid, "problems": problems, "elsewhere": done.elsewhere}))
    else:
        if done.elsewhere:
            print("The window, or another command, is looking after them just now.")
        for deployment, payment in done.paid:
            print(f"{deployment.name}: {payment_line(payment)}")
    if done.troubled:
        told = "\n".join(f"{deployment.name}: {error}" for deployment, error in done.troubled)
        raise NetworkError(told, next_step="The others were looked after.")


def _topup(arguments: argparse.Namespace) -> None:
    amount = Token.CYCLES.parse(arguments.amount)
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        offer = opened.runway.offer(deployment, amount, arguments.payer)
        print(described(offer.preview), file=sys.stderr)
        if offer.warning is not None and not arguments.linked:
            raise BadInputError(str(offer.warning), not_lost="Nothing was paid.", next_step="To pay anyway: --linked")
        if not arguments.yes and not confirmed():
            raise BadInputError("Nothing was paid.", next_step="Use --yes to pay without being asked.")
        payment = opened.runway.top_up(deployment, offer.preview, cancel, arguments.payer)
    print(json.dumps(payment_fields(payment)) if arguments.json else payment_line(payment))
