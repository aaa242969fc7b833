"""Opening the user's profile for a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from personal_ai.app.workspace import Workspace
from personal_ai.cli.console import read_password
from personal_ai.common.errors import BadInputError, IdentityError
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment


def add_password_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--password-file", metavar="FILE", help="file with the vault's password (-: standard input)")


@contextmanager
def workspace(arguments: argparse.Namespace, *, unlock: bool = False) -> Iterator[Workspace]:
    """The default profile's workspace, unlocked if the command needs keys or conversations."""
    opened = Workspace(Paths.default())
    try:
        if unlock:
            if not opened.has_vault:
                raise IdentityError(
                    "There is no vault yet: it holds the keys to your canisters.",
                    next_step="Make one with: personal-ai vault create",
                )
            unlock_vault(opened, arguments)
        yield opened
    finally:
        opened.close()


def unlock_vault(opened: Workspace, arguments: argparse.Namespace) -> None:
    """Opens the vault as it wants to be opened: by its password, or by the system's keyring."""
    if opened.door.wants_password:
        opened.unlock(read_password(arguments.password_file))
    else:
        opened.door.unlock_with_keyring()


def find_deployment(opened: Workspace, named: str) -> Deployment:
    """The newest deployment of that name, or that of the canister's id. Raises BadInputError."""
    for deployment in opened.deployments():
        if named in (deployment.name, deployment.canister_id):
            return deployment
    raise BadInputError(
        f"There is no deployment {named}.", next_step="personal-ai canister list shows those there are."
    )


def add_canister_command(
    group: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    """A command about one deployment."""
    command = group.add_parser(name, help=text)
    command.add_argument("deployment", help="its name, or the canister's id")
    command.add_argument("--json", action="store_true", help="answer as JSON")
    add_password_option(command)
    command.set_defaults(run=run)
    return command


@contextmanager
def named_deployment(arguments: argparse.Namespace) -> Iterator[tuple[Workspace, Deployment]]:
    """The unlocked workspace, and the deployment that such a command names."""
    with workspace(arguments, unlock=True) as opened:
        yield opened, find_deployment(opened, arguments.deployment)
