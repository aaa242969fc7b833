"""`personal-ai canister controllers`: who controls a canister."""

from __future__ import annotations

import argparse
import json

from personal_ai.app.controllers import Control
from personal_ai.app.workspace import Workspace
from personal_ai.cli.session import add_password_option, named_deployment
from personal_ai.common.errors import BadInputError
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal


def add_commands(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    shown = group.add_parser("controllers", help="who controls a canister; add, remove or verify a backup controller")
    shown.add_argument("deployment", help="its name, or the canister's id")
    change = shown.add_mutually_exclusive_group()
    change.add_argument("--add", metavar="PRINCIPAL", help="give a principal (or a label) all power over it")
    change.add_argument("--remove", metavar="PRINCIPAL", help="take its power away")
    change.add_argument("--verify", metavar="PRINCIPAL", help="let one of your identities prove that it controls it")
    shown.add_argument("--linked", action="store_true", help="add it although that ties identities together in public")
    shown.add_argument("--json", action="store_true", help="answer as JSON")
    add_password_option(shown)
    shown.set_defaults(run=_controllers)


def _controllers(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        found = _change(opened, deployment, arguments)
    if arguments.json:
        print(json.dumps(_fields(found)))
        return
    for one in found.controllers:
        print(f"{one.principal}  {one.identity.label if one.identity else '(somebody else)'}")
    if found.worry:
        print(found.worry)


def _change(opened: Workspace, deployment: Deployment, arguments: argparse.Namespace) -> Control:
    if arguments.add is not None:
        added = _principal(opened, arguments.add)
        warning = opened.controllers.link_warning(deployment, added)
        if warning is not None and not arguments.linked:
            raise BadInputError(str(warning), not_lost="Nothing was changed.", next_step="To do it anyway: --linked")
        return opened.controllers.add(deployment, added)
    if arguments.remove is not None:
        return opened.controllers.remove(deployment, _principal(opened, arguments.remove))
    if arguments.verify is not None:
        opened.controllers.prove(deployment, _principal(opened, arguments.verify))
    return opened.controllers.read(deployment)


def _principal(opened: Workspace, named: str) -> Principal:
    labelled = [record.principal for record in opened.identities() if record.label == named]
    return labelled[0] if len(labelled) == 1 else Principal.from_text(named)


def _fields(found: Control) -> dict[str, object]:
    listed = [
        {"principal": str(one.principal), "label": one.identity.label if one.identity else None}
        for one in found.controllers
    ]
    return {"canister": str(found.canister_id), "controllers": listed, "worry": found.worry}
