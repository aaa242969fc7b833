"""`personal-ai recover`: a canister of one's own on a new computer."""

from __future__ import annotations

import argparse
import json

from personal_ai.app.networks import PRACTICE
from personal_ai.cli.console import ProgressLine, stoppable
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.ic.principal import Principal


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add_command(commands, "recover", "go on with a canister of yours: find its identity, fetch its model")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> None:
    """One command with two names: for a new computer, and for a canister that was not deployed from this one."""
    command = commands.add_parser(name, help=text)
    command.add_argument("canister", help="the canister's id; the recovery sheet has it")
    command.add_argument("--name", help="a name for it; a tree if not given")
    command.add_argument("--network", default=PRACTICE, help="where the canister is")
    command.add_argument("--json", action="store_true", help="answer as JSON")
    add_password_option(command)
    command.set_defaults(run=_recover)


def _recover(arguments: argparse.Namespace) -> None:
    canister_id = Principal.from_text(arguments.canister)
    with workspace(arguments, unlock=True) as opened, stoppable() as cancel:
        found = opened.safekeeping.recover(
            canister_id,
            network=arguments.network,
            name=arguments.name,
            on_progress=ProgressLine(),
            cancel=cancel,
        )
    if arguments.json:
        print(json.dumps({"name": found.name, "canister": found.canister_id, "model": found.model}))
    else:
        print(f"{found.name}: {found.model} answers from canister {found.canister_id}.")
