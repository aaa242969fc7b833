"""`personal-ai model fit` and `personal-ai deploy --plan`: what a model would be like and cost."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from personal_ai.app import advice
from personal_ai.app.workspace import Workspace
from personal_ai.cli.console import ProgressLine, amount, cycles, duration, first_line, stoppable
from personal_ai.cli.session import workspace
from personal_ai.common.paths import Paths
from personal_ai.deployments.fit import Fit, InCanister
from personal_ai.deployments.plan import CYCLES_PER_XDR, STORAGE_DAYS, USD_PER_XDR, Plan, usd
from personal_ai.models.catalogue import catalogue
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.endpoint import endpoint
from personal_ai.models.hub.names import is_hub_name
from personal_ai.models.hub.planning import plan as look_up


def add_to(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `fit` to the commands about models."""
    fit = group.add_parser("fit", help="what a model would be like and cost, before it is fetched")
    fit.add_argument("model", metavar="MODEL|OWNER/NAME[@REVISION]", help="a model of the library, else of the hub")
    add_endpoint_option(fit)
    fit.add_argument("--proxy", metavar="URL", help="the way to the hub, such as socks5://127.0.0.1:9050")
    fit.add_argument("--token-file", metavar="FILE", help="file with the hub's access token (-: standard input)")
    fit.add_argument("--json", action="store_true", help="all figures as JSON")
    fit.set_defaults(run=_fit)
    known = group.add_parser("catalogue", help="models that fit, with their licences; nothing is fetched")
    known.add_argument("--json", action="store_true", help="all facts as JSON")
    known.set_defaults(run=_catalogue)


def add_endpoint_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--endpoint", metavar="URL", help="another hub than `personal-ai model hub` says")


def _catalogue(arguments: argparse.Namespace) -> None:
    own = Paths.default().catalogue
    entries = catalogue(own)
    if arguments.json:
        print(json.dumps([asdict(entry) for entry in entries]))
        return
    for entry in entries:
        gated = ", terms to accept on the hub" if entry.gated else ""
        facts = f"{entry.parameters / 1e6:,.0f} million weights, licence: {entry.licence}{gated}"
        print(f"{entry.id}  {entry.label}  ({facts}; languages: {', '.join(entry.languages)})")
    print(f"A list of your own goes into {own}; docs/formats/catalogue.md says how.", file=sys.stderr)


def _fit(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        progress = ProgressLine()
        if is_hub_name(arguments.model):
            token = first_line(arguments.token_file, "the token file") if arguments.token_file else None
            with Hub(
                arguments.endpoint or endpoint(opened.paths.settings), proxy=arguments.proxy, token=lambda: token
            ) as hub:
                found = look_up(hub, arguments.model, cancel)
            fits = advice.fit_of_hub(opened, found, progress, cancel)
        else:
            fits = advice.fit_of_library(opened, arguments.model, progress, cancel)
    if arguments.json:
        print(json.dumps([fit_fields(each) for each in fits]))
    else:
        print("\n\n".join("\n".join(fit_lines(each)) for each in fits))


def show_plan(opened: Workspace, model: str, network: str, as_json: bool) -> None:
    """`deploy --plan`: the bill, and nothing is done."""
    bill, fit = advice.deployment_plan(opened, model, network)
    if as_json:
        print(json.dumps({**plan_fields(bill), "fit": fit_fields(fit)}))
    else:
        print("\n".join((f"{model} on {network}:", *plan_lines(bill), "", *fit_lines(fit))))


def plan_fields(bill: Plan) -> dict[str, Any]:
    """The bill as JSON. storage: for each number of days, at the price planned with and at the documented one."""
    return {
        "items": [asdict(item) for item in bill.items],
        "total_cycles": bill.total,
        "xdr": bill.total / CYCLES_PER_XDR,
        "currency": {"code": "USD", "amount": round(usd(bill.total), 2), "per_xdr": USD_PER_XDR},
        "storage": [
            {
                "days": days,
                "cycles": days * bill.rent_per_day,
                "cycles_at_documented_price": days * bill.rent_per_day_documented,
                "snapshot_cycles": days * bill.snapshot_per_day,
                "snapshot_cycles_at_documented_price": days * bill.snapshot_per_day_documented,
            }
            for days in STORAGE_DAYS
        ],
        "assumptions": list(bill.assumptions),
    }


def fit_fields(fit: Fit) -> dict[str, Any]:
    """One model in one quantisation as JSON."""
    canister = fit.canister
    figures = {name: value for name, value in asdict(canister).items() if name != "plan"}
    if canister.plan is not None:
        figures["upload_cycles"] = canister.plan.cycles("upload")
        figures["month_cycles"] = 30 * canister.plan.rent_per_day
    return {
        "model": fit.name,
        "licence": fit.licence,
        "quantisation": fit.quantisation,
        "parameters": fit.parameters,
        "here": asdict(fit.here),
        "canister": figures,
        "privacy": list(fit.privacy),
    }


def plan_lines(bill: Plan) -> list[str]:
    lines = [f"  {item.what:<10} {cycles(item.cycles):>20}" for item in bill.items]
    lines.append(f"  {'total':<10} {cycles(bill.total):>20}   about {usd(bill.total):.2f} USD")
    for days in STORAGE_DAYS:
        planned, documented = (days * rent for rent in (bill.rent_per_day, bill.rent_per_day_documented))
        lines.append(f"  storage for {days} days: {cycles(planned)}, or {cycles(documented)} at the documented price")
        planned, documented = (days * rent for rent in (bill.snapshot_per_day, bill.snapshot_per_day_documented))
        lines.append(f"    and a snapshot beside it: {cycles(planned)}, or {cycles(documented)}")
    return [*lines, *(f"  Assumed: {each}." for each in bill.assumptions)]


def fit_lines(fit: Fit) -> list[str]:
    """What a model is like, in words."""
    here = fit.here
    return [
        f"{fit.name}, {fit.quantisation}: {fit.parameters / 1e6:,.0f} million weights, licence: {fit.licence}",
        f"  Here: {_VERDICTS[here.verdict]}. {here.reason}",
        f"    {amount(here.size_bytes, 'bytes')} on disk, about {amount(here.memory_bytes, 'bytes')} of memory",
        f"  In a canister: {_VERDICTS[fit.canister.verdict]}. {fit.canister.reason}",
        *_canister_lines(fit.canister),
        *(f"  {line}" for line in fit.privacy),
    ]


_VERDICTS = {"well": "runs well", "slowly": "runs slowly", "not": "does not run"}


def _canister_lines(canister: InCanister) -> list[str]:
    if canister.plan is None:
        return []
    upload, month = canister.plan.cycles("upload"), 30 * canister.plan.rent_per_day
    return [
        f"    {amount(canister.heap_bytes, 'bytes')} of heap, context {canister.context_length} tokens, "
        f"{canister.tokens_per_call} tokens per call, {duration(canister.reply_s)} for a reply of "
        f"{canister.plan.replies.reply_tokens} tokens",
        f"    holds {canister.conversations} conversations at a time, keys and values in {canister.kept_bits} bits",
        f"    upload: {duration(canister.upload_s)} or more, {cycles(upload)} ({usd(upload):.2f} USD); "
        f"a month of storage: {cycles(month)} ({usd(month):.2f} USD)",
    ]
