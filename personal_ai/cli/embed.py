"""`personal-ai embed`: a text as numbers, by an embedding model."""

from __future__ import annotations

import argparse
import json

from personal_ai.cli.chat import active_deployment
from personal_ai.cli.console import ProgressLine, stoppable
from personal_ai.cli.session import add_password_option, workspace


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    embed = commands.add_parser("embed", help="turn a text into numbers, with an embedding model")
    embed.add_argument("text", nargs="+")
    where = embed.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", help="this model, on this computer; no word leaves it")
    where.add_argument("--deployment", help="the model of this deployment, in its canister")
    add_password_option(embed)
    embed.set_defaults(run=_embed)


def _embed(arguments: argparse.Namespace) -> None:
    """Prints a JSON list of numbers."""
    with workspace(arguments, unlock=bool(arguments.deployment)) as opened, stoppable() as cancel:
        deployment = None
        if arguments.deployment:
            deployment = active_deployment(opened.deployments(), arguments.deployment)
        numbers = opened.embed(
            " ".join(arguments.text),
            model=deployment.model if deployment else arguments.model,
            deployment=deployment,
            on_progress=ProgressLine(),
            cancel=cancel,
        )
    print(json.dumps(numbers))
