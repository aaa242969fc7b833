"""`personal-ai vault`: the phrase, the password, and what opens and locks the vault."""

from __future__ import annotations

import argparse

from personal_ai.cli.console import duration, first_line, read_password
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import IdentityError
from personal_ai.identities.circuits import checked_proxy

_NUMBER_WORDS = {12: "twelve", 24: "twenty-four"}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("vault", help="the keys to your canisters").add_subparsers(required=True)
    create = group.add_parser("create", help="make a vault with a fresh recovery phrase, which is shown once")
    create.add_argument("--words", type=int, choices=(12, 24), default=12, help="length of the phrase")
    create.add_argument(
        "--phrase-file", metavar="FILE", help="from the phrase in this file instead (-: standard input)"
    )
    create.set_defaults(run=_create)
    show = group.add_parser("identities", help="list the identities in the vault")
    show.set_defaults(run=_identities)
    password = group.add_parser("password", help="choose another password; the old one opens nothing any more")
    password.add_argument("--new-password-file", metavar="FILE", help="file with the new password")
    password.set_defaults(run=_password)
    keyring = group.add_parser("keyring", help="open it by the system's keyring instead of a password")
    keyring.set_defaults(run=_keyring)
    lock = group.add_parser("lock", help="after how long without use it locks itself")
    lock.add_argument("seconds", type=int, nargs="?", help="0: never; without a number it says what is set")
    lock.set_defaults(run=_lock)
    proxy = group.add_parser("proxy", help="reach networks through Tor, each identity on a circuit of its own")
    proxy.add_argument("url", nargs="?", help="like socks5h://127.0.0.1:9050, or none; without it: what is set")
    proxy.set_defaults(run=_proxy)
    for command in (create, show, password, keyring, lock, proxy):
        add_password_option(command)


def _create(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        if opened.has_vault:
            raise IdentityError("There is a vault already.", not_lost="It is unchanged.")
        password = read_password(arguments.password_file, new=True)
        if arguments.phrase_file is not None:
            opened.create_vault(first_line(arguments.phrase_file, "the phrase's file"), password)
            print("The vault is made. Bring identities back by their numbers: personal-ai identity restore")
            return
        phrase = opened.new_phrase(arguments.words)
        opened.create_vault(phrase, password)
    count = _NUMBER_WORDS[arguments.words]
    print(f"Write these {count} words down on paper, in this order. They alone restore your keys if the password is")
    print("forgotten or this computer is lost; whoever has them has your canisters. They are not shown again.\n")
    print(f"    {phrase}\n")
    print("Then see whether you wrote them down: personal-ai identity verify")


def _identities(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        for identity in opened.identities():
            print(f"{identity.principal}  {identity.label}")


def _password(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        old = read_password(arguments.password_file) if opened.door.wants_password else None
        if old is None:
            opened.door.unlock_with_keyring()
        else:
            opened.unlock(old)
        opened.door.change_password(old, read_password(arguments.new_password_file, new=True))
    print("The new password opens the vault; nothing else does, but your recovery phrase makes a new one.")


def _keyring(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        opened.door.move_to_keyring()
    print("Whoever is logged in on this computer opens the vault, without a password.")


def _lock(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        if arguments.seconds is not None:
            opened.vault.change_notes(lambda notes: notes.with_idle_lock(arguments.seconds))
        idle_lock_s = opened.vault.notes.idle_lock_s
    print(f"The vault locks itself after {duration(idle_lock_s)}." if idle_lock_s else "The vault never locks itself.")


def _proxy(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        if arguments.url is not None:
            proxy = None if arguments.url == "none" else checked_proxy(arguments.url)
            opened.vault.change_notes(lambda notes: notes.with_proxy(proxy))
        print(opened.vault.notes.proxy or "no proxy")
