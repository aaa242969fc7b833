"""`personal-ai completion`: a script with which a shell completes this program's commands and options."""

from __future__ import annotations

import argparse

import shtab

_SHELLS = ("bash", "zsh", "fish")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser], root: argparse.ArgumentParser) -> None:
    """root: the whole command line, to which other commands may still be added."""
    command = commands.add_parser("completion", help="a script that completes commands in a shell")
    command.add_argument("shell", choices=_SHELLS)
    command.epilog = (
        'bash: eval "$(personal-ai completion bash)"; the same in zsh; fish: personal-ai completion fish | source'
    )
    command.set_defaults(run=lambda arguments: print(shtab.complete(root, shell=arguments.shell)))
