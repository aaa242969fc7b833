"""`personal-ai network`: the practice network, by hand."""

from __future__ import annotations

import argparse
import json
import sys

from personal_ai.cli.session import workspace
from personal_ai.cli.wallet import confirmed
from personal_ai.common.errors import BadInputError


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("network", help="the practice network on this computer").add_subparsers(required=True)
    made = {}
    for name, run, text in (
        ("start", _start, "start it; it goes on running"),
        ("stop", _stop, "stop it; its state stays on disk"),
        ("status", _status, "whether it runs, and where"),
        ("reset", _reset, "throw it away, with its canisters and its money, and begin anew"),
        ("calls", _calls, "its own log of calls, one JSON object a line"),
    ):
        made[name] = group.add_parser(name, help=text)
        made[name].set_defaults(run=run)
        if name != "calls":
            made[name].add_argument("--json", action="store_true", help="answer as JSON")
    paces = "ic: with the rounds and the latency of the Internet Computer; one that runs is started anew"
    made["start"].add_argument("--pace", choices=("none", "ic"), help=paces)
    made["reset"].add_argument("--yes", action="store_true", help="do it without asking")


def _start(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        if arguments.pace is not None:
            opened.practice_network.stop()
        profile = opened.practice_network.start(pace=arguments.pace or "none")
    _tell(arguments, profile.gateways[0], f"The practice network runs at {profile.gateways[0]}.")


def _stop(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        opened.practice_network.stop()
    _tell(arguments, None, "The practice network is stopped.")


def _status(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        running = opened.practice_network.running
        url = opened.practice_network.profile().gateways[0] if running else None
    _tell(arguments, url, url or "not running")


def _tell(arguments: argparse.Namespace, url: str | None, text: str) -> None:
    print(json.dumps({"running": url is not None, "url": url}) if arguments.json else text)


def _reset(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        if not arguments.yes:
            print("All that was deployed and paid on the practice network goes; it is worth nothing.", file=sys.stderr)
            if not confirmed():
                raise BadInputError("Nothing was thrown away.", next_step="Use --yes to do it without being asked.")
        gone = [deployment.name for deployment in opened.reset_practice_network()]
    if arguments.json:
        print(json.dumps({"deleted": gone}))
    else:
        print(" ".join(["The practice network begins anew.", *(f"{name} is gone." for name in gone)]))


def _calls(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        for call in opened.practice_network.calls():
            print(json.dumps(call))
