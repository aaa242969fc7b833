"""`personal-ai vault`: the phrase, the password and the identities behind them."""

from __future__ import annotations

import argparse

from personal_ai.cli.console import read_password
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import IdentityError


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("vault", help="the keys to your canisters").add_subparsers(required=True)
    create = group.add_parser("create", help="make a vault with a fresh recovery phrase, which is shown once")
    add_password_option(create)
    create.set_defaults(run=_create)
    show = group.add_parser("identities", help="list the identities in the vault")
    add_password_option(show)
    show.set_defaults(run=_identities)


def _create(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        if opened.has_vault:
            raise IdentityError("There is a vault already.", not_lost="It is unchanged.")
        password = read_password(arguments.password_file, new=True)
        phrase = opened.new_phrase()
        opened.create_vault(phrase, password)
    print("Write these twelve words down on paper, in this order. They alone restore your keys if the password is")
    print("forgotten or this computer is lost; whoever has them has your canisters. They are not shown again.\n")
    print(f"    {phrase}")


def _identities(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        for identity in opened.identities():
            print(f"{identity.principal}  {identity.label}")
