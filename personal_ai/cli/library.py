"""`personal-ai model verify` and `model usage`: the library's files."""

from __future__ import annotations

import argparse
import sys

from personal_ai.app.workspace import Workspace
from personal_ai.cli.console import ProgressLine, amount, stoppable
from personal_ai.cli.session import workspace
from personal_ai.common.errors import DamagedFileError
from personal_ai.common.jobs import Cancel


def add_to(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `verify` and `usage` to the commands about models."""
    verify = group.add_parser("verify", help="read every file of a model, or of all, and name those that are damaged")
    verify.add_argument("model", nargs="?", help="which model; all if not given")
    verify.set_defaults(run=_verify)
    usage = group.add_parser("usage", help="what the models take on the disk")
    usage.set_defaults(run=_usage)


def _verify(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        damaged = opened.library.damaged()
        names = [arguments.model] if arguments.model else [*(one.name for one in opened.models()), *damaged]
        problems = [problem for name in names if (problem := _problem(opened, name, cancel)) is not None]
    if problems:
        raise DamagedFileError(
            "\n".join(problem.what for problem in problems),
            not_lost=problems[0].not_lost,
            next_step=problems[0].next_step,
        )
    print(f"{len(names)} of {len(names)} models are whole.")


def _problem(opened: Workspace, name: str, cancel: Cancel) -> DamagedFileError | None:
    try:
        opened.model(name).verify(ProgressLine(sys.stderr), cancel)
    except DamagedFileError as error:
        return error
    return None


def _usage(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        packages = opened.library.list()
        for package in packages:
            print(f"{package.name}  {amount(package.size_bytes, 'bytes')}")
        total = sum(package.size_bytes for package in packages)
        free = amount(opened.library.free_bytes, "bytes")
        print(f"{len(packages)} models: {amount(total, 'bytes')}; {free} are free on this disk")
