"""`personal-ai canister upgrade` and `replace`: another engine or another model where one is already."""

from __future__ import annotations

import argparse
import json

from personal_ai.cli.console import ProgressLine, stoppable
from personal_ai.cli.session import add_canister_command, named_deployment


def add_commands(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "put this program's engine into it; the old one comes back where the model does not answer"
    add_canister_command(group, "upgrade", _upgrade, text)
    replaced = add_canister_command(group, "replace", _replace, "put another model into it")
    replaced.add_argument("--model", required=True, help="a model of the library")


def _upgrade(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        upgraded = opened.upkeep.upgrade(deployment, ProgressLine(), cancel)
        module_hash = opened.journal.deployment(deployment.id).module_hash
    if arguments.json:
        print(json.dumps({"upgraded": upgraded, "module_hash": module_hash}))
    else:
        done = "It runs the new engine" if upgraded else "It runs this program's engine already"
        print(f"{done}: {module_hash}")


def _replace(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        found = opened.upkeep.replace(deployment, arguments.model, ProgressLine(), cancel)
    if arguments.json:
        print(json.dumps({"name": found.name, "model": found.model, "canister": found.canister_id}))
    else:
        print(f"{found.name}: {found.model} runs in canister {found.canister_id}.")
