"""`personal-ai model verify`, `usage` and `move`: the library's files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from personal_ai.app.workspace import Workspace
from personal_ai.cli.console import ProgressLine, amount, stoppable
from personal_ai.cli.session import workspace
from personal_ai.common.errors import DamagedFileError
from personal_ai.common.jobs import Cancel


def add_to(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `verify`, `usage` and `move` to the commands about models."""
    verify = group.add_parser("verify", help="read every file of a model, or of all, and name those that are damaged")
    verify.add_argument("model", nargs="?", help="which model; all if not given")
    verify.set_defaults(run=_verify)
    usage = group.add_parser("usage", help="what the models take on the disk")
    usage.set_defaults(run=_usage)
    move = group.add_parser("move", help="move all models to another folder, on another drive say")
    move.add_argument("folder", type=Path, metavar="FOLDER", help="empty or new; the same again goes on")
    move.set_defaults(run=_move)


def _verify(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        opened.library.check_there()
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
        opened.library.check_there()
        packages = opened.library.list()
        for package in packages:
            print(f"{package.name}  {amount(package.size_bytes, 'bytes')}")
        total = sum(package.size_bytes for package in packages)
        free = amount(opened.library.free_bytes, "bytes")
        print(f"{len(packages)} models: {amount(total, 'bytes')}; {free} are free on this disk")


def _move(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        opened.move_library(arguments.folder, on_progress=ProgressLine(), cancel=cancel)
    print(f"The models are in {arguments.folder.absolute()} now.")
