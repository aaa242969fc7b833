"""`personal-ai network`: the practice network, by hand."""

from __future__ import annotations

import argparse
import json

from personal_ai.cli.session import workspace


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("network", help="the practice network on this computer").add_subparsers(required=True)
    for name, run, text in (
        ("start", _start, "start it; it goes on running"),
        ("stop", _stop, "stop it; its state stays on disk"),
        ("status", _status, "whether it runs, and where"),
        ("calls", _calls, "its own log of calls, one JSON object a line"),
    ):
        group.add_parser(name, help=text).set_defaults(run=run)


def _start(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        profile = opened.practice_network.start()
    print(f"The practice network runs at {profile.gateways[0]}.")


def _stop(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        opened.practice_network.stop()
    print("The practice network is stopped.")


def _status(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        running = opened.practice_network.running
        print(opened.practice_network.profile().gateways[0] if running else "not running")


def _calls(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        for call in opened.practice_network.calls():
            print(json.dumps(call))
