"""`personal-ai canister`: the life of the canisters of one's deployments."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from personal_ai.app.workspace import Workspace
from personal_ai.cli import controllers, recover, runway, snapshots, upkeep
from personal_ai.cli.console import ProgressLine, amount, cycles, print_listing, stoppable
from personal_ai.cli.session import add_canister_command, named_deployment, workspace
from personal_ai.common.errors import BadInputError, Cancelled
from personal_ai.deployments import draining
from personal_ai.deployments.cycles_needed import SECONDS_PER_DAY
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import FREEZING_THRESHOLD_DAYS
from personal_ai.deployments.removal import Loss
from personal_ai.ic.management import CanisterSettings, CanisterStatus, LogLine
from personal_ai.ic.rejections import printable

_TRILLION = 10**12
_MIB = 1 << 20
_NS_PER_S = 10**9
_SETTING_MAX = 1e6  # of days, of trillions of cycles, of MiB: beyond it a number is a slip
_SETTINGS = """\
Frozen when its cycles last for less than {freezing_days:g} days of rent: it then answers nothing, and keeps all it has.
Reserved cycles, at most {reserved_limit:g} T: on a crowded part of the network, memory that grows is paid for ahead,
into an account that only pays its rent. With 0 it can grow only where there is room.
Memory of its program: at most {memory_limit_mib:g} MiB."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("canister", help="the canisters of your deployments").add_subparsers(required=True)
    listed = group.add_parser("list", help="the canisters that there are")
    listed.add_argument("--json", action="store_true", help="answer as JSON")
    listed.set_defaults(run=show_list)
    add_canister_command(group, "status", _status, "whether it runs, its cycles and its memory")
    add_canister_command(group, "bill", _bill, "what it was planned to cost, beside what it did cost")
    add_canister_command(group, "stop", _stop, "let it answer nothing; it goes on paying its rent")
    add_canister_command(group, "start", _start, "let it answer again")
    logs = add_canister_command(group, "logs", _logs, "what it wrote into its log")
    logs.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    settings = add_canister_command(group, "settings", _settings, "its settings explained, and changed")
    settings.add_argument("--freezing-days", type=float, help="days of rent that must be left, or it freezes")
    settings.add_argument("--reserved-limit", type=float, metavar="T", help="most cycles to be reserved, in trillions")
    settings.add_argument("--memory-limit", type=float, metavar="MIB", help="most memory of its program")
    runway.add_commands(group)
    snapshots.add_commands(group)
    upkeep.add_commands(group)
    controllers.add_commands(group)
    recover.add_command(group, "adopt", "take on a canister that one of your identities controls already")
    delete = add_canister_command(group, "delete", _delete, "delete it for ever, with all that is in it")
    delete.add_argument("--confirm", metavar="NAME", help="the deployment's name once more; asked for on a terminal")


def show_list(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        found = opened.deployments()
    if arguments.json:
        print(json.dumps({"canisters": [asdict(one) for one in found]}))
        return
    print_listing([_line(one) for one in found], "There is none yet. Make one with: personal-ai deploy")


def _line(one: Deployment) -> str:
    return f"{one.name}  {one.state}  {one.model}  {one.network}  {one.canister_id or 'no canister yet'}"


def _status(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        _show_status(arguments, opened, deployment, opened.canisters.status(deployment))


def _show_status(
    arguments: argparse.Namespace, opened: Workspace, deployment: Deployment, found: CanisterStatus
) -> None:
    if arguments.json:
        print(json.dumps(_status_fields(found)))
        return
    print(f"It is {found.state.value}.")
    print(f"{cycles(found.cycles)}; its rent takes {cycles(found.idle_cycles_per_day)} a day.")
    print(f"{amount(found.memory_bytes, 'bytes')} of memory, snapshots included.")
    print(f"Engine {found.module_hash.hex()}" if found.module_hash else "There is no engine in it.")
    if draining.begun(found):
        print("Deleting it was begun, and its model is gone: delete it again to get its cycles back.")
    if not found.freezing_threshold_s:
        before_days = draining.threshold_before(opened.journal, deployment.id) / SECONDS_PER_DAY
        days = f"--freezing-days {before_days or FREEZING_THRESHOLD_DAYS:g}"
        print("No cycles are held back for its rent, so that it can run dry and be lost. To change that:")
        print(f"personal-ai canister settings {shlex.quote(deployment.name)} {days}")


def _status_fields(found: CanisterStatus) -> dict[str, object]:
    """Plain values; units are in the names."""
    hash_hex = found.module_hash.hex() if found.module_hash else None
    named = {"state": found.state.value, "controllers": list(map(str, found.controllers)), "module_hash": hash_hex}
    return {**asdict(found), **named}


def _bill(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        lines = opened.canisters.look(deployment, cancel).bill
    if arguments.json:
        print(json.dumps({"bill": [asdict(line) for line in lines]}))
        return
    for line in lines:
        spent = "not known" if line.spent is None else cycles(line.spent)
        print(f"{line.what:<20} planned {cycles(line.planned):>18}   really {spent:>18}")
    if not lines:
        print("There was no plan: it was adopted, or deployed by an older version.", file=sys.stderr)


def _stop(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        _show_status(arguments, opened, deployment, opened.canisters.stop(deployment))


def _start(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        _show_status(arguments, opened, deployment, opened.canisters.start(deployment))


def _logs(arguments: argparse.Namespace) -> None:
    show = partial(_show_line, arguments)
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        if arguments.follow:
            with suppress(Cancelled):
                opened.canisters.follow(deployment, show, cancel)
            return
        found = opened.canisters.log(deployment)
        for line in found:
            show(line)
        if not found:
            print("It has written nothing.", file=sys.stderr)


def _show_line(arguments: argparse.Namespace, line: LogLine) -> None:
    """One line at once, whole: whoever follows a log reads it through a pipe."""
    text = line.content.decode(errors="replace")
    if arguments.json:
        print(json.dumps({"index": line.index, "time_ns": line.time_ns, "text": text}), flush=True)
        return
    when = datetime.fromtimestamp(line.time_ns / _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")
    print(f"{when}  {printable(text)}", flush=True)


def _settings(arguments: argparse.Namespace) -> None:
    wanted = CanisterSettings(
        freezing_threshold=_scaled(arguments.freezing_days, SECONDS_PER_DAY),
        reserved_cycles_limit=_scaled(arguments.reserved_limit, _TRILLION),
        wasm_memory_limit=_scaled(arguments.memory_limit, _MIB),
    )
    with named_deployment(arguments) as (opened, deployment):
        unchanged = wanted == CanisterSettings()
        found = opened.canisters.status(deployment) if unchanged else opened.canisters.change(deployment, wanted)
    if arguments.json:
        print(json.dumps(_status_fields(found)))
        return
    print(
        _SETTINGS.format(
            freezing_days=found.freezing_threshold_s / SECONDS_PER_DAY,
            reserved_limit=(found.reserved_cycles_limit or 0) / _TRILLION,
            memory_limit_mib=(found.wasm_memory_limit_bytes or 0) / _MIB,
        )
    )


def _scaled(given: float | None, unit: int) -> int | None:
    if given is not None and not 0 <= given < _SETTING_MAX:
        raise BadInputError(f"A setting of {given:g} makes no sense.", not_lost="Nothing was changed.")
    return None if given is None else round(given * unit)


def _delete(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        lost = opened.canisters.loss(deployment)
        print(_warning(lost), file=sys.stderr)
        confirmed = _confirmed(arguments, deployment.name)
        recovered = opened.canisters.delete(deployment, confirmed=confirmed, on_progress=ProgressLine(), cancel=cancel)
    if arguments.json:
        fields = None if lost is None else asdict(lost)
        print(json.dumps({"deleted": deployment.id, "lost": fields, "recovered_cycles": recovered}))
        return
    print(f"Deleted {deployment.name}. {cycles(recovered)} came back, onto its identity's account.")


def _warning(lost: Loss | None) -> str:
    if lost is None:
        return "Its canister is gone already; only the entry is left."
    return (
        f"With it go for ever: {amount(lost.memory_bytes, 'bytes')} of memory and {lost.snapshots} snapshot(s). "
        f"Of its {cycles(lost.cycles)} about {cycles(lost.recoverable_cycles)} come back to its identity's account."
    )


def _confirmed(arguments: argparse.Namespace, name: str) -> str:
    if arguments.confirm is None and sys.stdin.isatty():
        return input(f"Type {name} to delete it: ").strip()
    return arguments.confirm or ""
