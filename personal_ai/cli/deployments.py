"""`personal-ai deploy` and `personal-ai deployments`: models in canisters."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from personal_ai.app.advice import deployment_plan
from personal_ai.app.funding import open_till
from personal_ai.app.networks import PRACTICE
from personal_ai.app.workspace import Workspace
from personal_ai.cli.advice import fit_lines, plan_lines, show_plan
from personal_ai.cli.canister import show_list
from personal_ai.cli.console import ProgressLine, cycles, stoppable
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.cli.wallet import confirmed
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.deployer import CREATE
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.ic.principal import Principal
from personal_ai.wallet.amounts import Token


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    deploy = commands.add_parser("deploy", help="take a model into a canister of its own, or go on with it")
    deploy.add_argument("--model", help="which model; the starter model if not given")
    deploy.add_argument("--name", help="a name for the deployment; a tree if not given")
    deploy.add_argument("--network", default=PRACTICE)
    deploy.add_argument("--identity", help="who is to control it: label or principal; a fresh identity if not given")
    deploy.add_argument("--canister", help="use this canister, which the identity controls, instead of a new one")
    deploy.add_argument("--yes", action="store_true", help="pay without asking, ICP for lacking cycles included")
    deploy.add_argument("--linked", action="store_true", help="do it although that ties things together in public")
    deploy.add_argument("--new", action="store_true", help="begin a new one even if one of this model is unfinished")
    deploy.add_argument("--plan", action="store_true", help="say what it would cost and be like, and do nothing")
    deploy.add_argument("--json", action="store_true", help="answer as JSON")
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
        deployment = _begun(opened, model, arguments)
        canister_id = None if arguments.canister is None else Principal.from_text(arguments.canister)
        begun = deployment.canister_id is not None or opened.journal.step(deployment.id, CREATE) is not None
        if arguments.network != PRACTICE and canister_id is None and not begun:
            _agree(opened, deployment, arguments, cancel)
        deployment = opened.deploy(
            model,
            resume=deployment.id,
            canister_id=canister_id,
            on_progress=ProgressLine(),
            cancel=cancel,
        )
    if arguments.json:
        print(json.dumps(asdict(deployment)))
    else:
        print(f"{deployment.name}: {deployment.model} runs in canister {deployment.canister_id}.")


def _begun(opened: Workspace, model: str, arguments: argparse.Namespace) -> Deployment:
    """The one to go on with, or a new one."""
    unfinished = None if arguments.new else _unfinished(opened, model, arguments.network)
    if unfinished is not None:
        return opened.journal.deployment(unfinished)
    identity = None if arguments.identity is None else _identity(opened, arguments.identity)
    if identity is not None and arguments.canister is None and not arguments.linked:
        warning = opened.controllers.share_warning(identity, arguments.network)
        if warning is not None:
            raise BadInputError(str(warning), not_lost="Nothing was begun.", next_step="To do it anyway: --linked")
    return opened.begin(model, network=arguments.network, name=arguments.name, identity=identity)


def _identity(opened: Workspace, named: str) -> Principal:
    for record in opened.identities():
        if named in (record.label, str(record.principal)):
            return record.principal
    raise BadInputError(f"There is no identity {named} in the vault.")


def _agree(opened: Workspace, deployment: Deployment, arguments: argparse.Namespace, cancel: Cancel) -> None:
    """Shows what it costs in real money, and what for; asks, and turns ICP into the cycles that are lacking."""
    _, fit = deployment_plan(opened, deployment.model, deployment.network)
    with open_till(opened, deployment) as till:
        offer = till.offer(cancel)
        heading = f"{deployment.model} on {deployment.network}:"
        print("\n".join((heading, *plan_lines(offer.bill), "", *fit_lines(fit), "")), file=sys.stderr)
        print(f"On its account: {cycles(offer.needs.available)} of {cycles(offer.needs.cycles)}.", file=sys.stderr)
        if offer.conversion is not None:
            print(f"{Token.ICP.show(offer.conversion.total)} will be turned into what is lacking.", file=sys.stderr)
        if offer.warning is not None and not arguments.linked:
            raise BadInputError(str(offer.warning), not_lost="Nothing was paid.", next_step="To pay anyway: --linked")
        if not (arguments.yes or confirmed()):
            raise BadInputError("Nothing was paid.", next_step="Use --yes to pay without being asked.")
        if offer.conversion is not None:
            till.convert(offer.conversion, cancel)


def _unfinished(opened: Workspace, model: str, network: str) -> str | None:
    """The newest deployment of this model that was begun and not finished."""
    for deployment in opened.deployments():
        same = (deployment.model, deployment.network) == (model, network)
        if same and deployment.state is not DeploymentState.ACTIVE:
            return deployment.id
    return None
