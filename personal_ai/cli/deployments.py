"""`personal-ai deploy` and `personal-ai deployments`: models in canisters."""

from __future__ import annotations

import argparse

from personal_ai.app.workspace import PRACTICE, Workspace
from personal_ai.cli.advice import show_plan
from personal_ai.cli.canister import show_list
from personal_ai.cli.console import ProgressLine, stoppable
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.deployments.journal import DeploymentState


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    deploy = commands.add_parser("deploy", help="take a model into a canister of its own, or go on with it")
    deploy.add_argument("--model", help="which model; the starter model if not given")
    deploy.add_argument("--name", help="a name for the deployment; a tree if not given")
    deploy.add_argument("--network", default=PRACTICE)
    deploy.add_argument("--new", action="store_true", help="begin a new one even if one of this model is unfinished")
    deploy.add_argument("--plan", action="store_true", help="say what it would cost and be like, and do nothing")
    deploy.add_argument("--json", action="store_true", help="with --plan: all figures as JSON")
    add_password_option(deploy)
    deploy.set_defaults(run=_deploy)
    listing = commands.add_parser("deployments", help="list the deployments, as canister list does")
    listing.set_defaults(run=show_list, json=False)


def _deploy(arguments: argparse.Namespace) -> None:
    if arguments.plan:
        with workspace(arguments) as opened:
            show_plan(opened, arguments.model or opened.models()[0].name, arguments.network, arguments.json)
        return
    with workspace(arguments, unlock=True) as opened, stoppable() as cancel:
        model = arguments.model or opened.models()[0].name
        deployment = opened.deploy(
            model,
            network=arguments.network,
            name=arguments.name,
            resume=None if arguments.new else _unfinished(opened, model, arguments.network),
            on_progress=ProgressLine(),
            cancel=cancel,
        )
    print(f"{deployment.name}: {deployment.model} runs in canister {deployment.canister_id}.")


def _unfinished(opened: Workspace, model: str, network: str) -> str | None:
    """The newest deployment of this model that was begun and not finished."""
    for deployment in opened.deployments():
        same = (deployment.model, deployment.network) == (model, network)
        if same and deployment.state is not DeploymentState.ACTIVE:
            return deployment.id
    return None
