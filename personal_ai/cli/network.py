"""`personal-ai network`: the practice network by hand, and networks of one's own."""

from __future__ import annotations

import argparse
import json
import sys

from personal_ai.app.own_networks import Described
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.cli.wallet import confirmed
from personal_ai.common.errors import BadInputError


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    network = commands.add_parser("network", help="the practice network, and networks of your own")
    group = network.add_subparsers(required=True)
    _add_practice_commands(group)
    listing = group.add_parser("list", help="networks beside the practice network, and what they are checked against")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(run=_list)
    for name, run, text in (
        ("add", _add, "describe a network of your own"),
        ("change", _change, "give a network of your own other addresses or another key"),
    ):
        described = group.add_parser(name, help=text)
        described.add_argument("name")
        described.add_argument("gateway", nargs="+", help="like https://example.org or http://127.0.0.1:4943")
        described.add_argument("--root-key", default="", metavar="HEX", help="needed where it is on another computer")
        described.set_defaults(run=run)
    remove = group.add_parser("remove", help="forget how a network of your own is reached; what lives there stays")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)
    check = group.add_parser("check", help="go there, and have it prove with its root key that it is the one")
    check.add_argument("name")
    add_password_option(check)  # the proxy that it goes through is in the vault
    check.set_defaults(run=_check)


def _add_practice_commands(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    made = {}
    for name, run, text in (
        ("start", _start, "start it; it goes on running"),
        ("stop", _stop, "stop it; its state stays on disk"),
        ("status", _status, "whether it runs, and where"),
        ("reset", _reset, "throw it away, with its canisters and its money, and begin anew"),
        ("calls", _calls, "its own log of calls, one JSON object a line"),
    ):
        made[name] = group.add_parser(name, help=f"the practice network: {text}")
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


def _list(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        for one in opened.own_networks.all():
            if arguments.json:
                print(json.dumps({"name": one.name, "gateways": one.gateways, "pinned": one.root_key_der is not None}))
            else:
                key = "its key is known" if one.root_key_der is not None else "asked for its key, on this computer"
                print(f"{one.name}  {', '.join(one.gateways)}  ({key})")


def _add(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        print(f"{opened.own_networks.add(_described(arguments)).name} is known from now on.")


def _change(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        print(f"{opened.own_networks.change(_described(arguments)).name} is changed.")


def _remove(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        opened.own_networks.remove(arguments.name)
    print(f"{arguments.name} is forgotten. What lives there stays.")


def _check(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        reached = opened.own_networks.check(arguments.name)
    print(f"{reached.profile.title} answers, and its root key proves that it is the one.")


def _described(arguments: argparse.Namespace) -> Described:
    return Described(arguments.name, " ".join(arguments.gateway), arguments.root_key)
