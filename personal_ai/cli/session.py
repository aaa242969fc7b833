"""Opening the user's profile for a command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from personal_ai.app.workspace import Workspace
from personal_ai.cli.console import read_password
from personal_ai.common.errors import IdentityError
from personal_ai.common.paths import Paths


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
