"""`personal-ai canister snapshot`: kept states of a canister."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from personal_ai.cli.console import ProgressLine, amount, print_listing, stoppable
from personal_ai.cli.session import add_canister_command, named_deployment
from personal_ai.ic.management_snapshots import Snapshot

_NS_PER_S = 10**9


def add_commands(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    kept = group.add_parser("snapshot", help="keep a canister's state on the network, and go back to it")
    commands = kept.add_subparsers(required=True)
    add_canister_command(commands, "take", _take, "keep the state of now; it costs rent until it is deleted")
    add_canister_command(commands, "list", _list, "the states that are kept, newest first")
    upload = add_canister_command(commands, "upload", _upload, "put a downloaded state back beside it, to be restored")
    upload.add_argument("--from", dest="folder", metavar="FOLDER", type=Path, required=True, help="where it lies")
    for name, run, text in (
        ("restore", _restore, "go back to a kept state; what came after it is lost"),
        ("download", _download, "read a kept state into a folder"),
        ("delete", _delete, "forget a kept state, and its rent"),
    ):
        command = add_canister_command(commands, name, run, text)
        command.add_argument("snapshot", help="its id, or the last digits of it")
        if name == "download":
            command.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="a folder of its own")


def _upload(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        snapshot = opened.snapshots.upload(deployment, arguments.folder, ProgressLine(), cancel)
    print(json.dumps(_fields(snapshot)) if arguments.json else _line(snapshot))


def _take(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        taken = opened.snapshots.take(deployment)
    print(json.dumps(_fields(taken)) if arguments.json else _line(taken))


def _list(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        found = opened.snapshots.kept(deployment)
    if arguments.json:
        print(json.dumps({"snapshots": [_fields(one) for one in found]}))
        return
    print_listing([_line(one) for one in found], "There is none yet.")


def _restore(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        found = opened.snapshots.restore(deployment, arguments.snapshot, ProgressLine(), cancel)
    if arguments.json:
        print(json.dumps({"name": found.name, "model": found.model, "module_hash": found.module_hash}))
    else:
        print(f"{found.name} is as it was then; {found.model} answers.")


def _download(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment), stoppable() as cancel:
        snapshot = opened.snapshots.download(deployment, arguments.snapshot, arguments.out, ProgressLine(), cancel)
    print(json.dumps({**_fields(snapshot), "folder": str(arguments.out)}) if arguments.json else _line(snapshot))


def _delete(arguments: argparse.Namespace) -> None:
    with named_deployment(arguments) as (opened, deployment):
        snapshot = opened.snapshots.delete(deployment, arguments.snapshot)
    print(json.dumps(_fields(snapshot)) if arguments.json else "Forgotten.")


def _fields(snapshot: Snapshot) -> dict[str, object]:
    return {"id": snapshot.id.hex(), "taken_at_ns": snapshot.taken_at_ns, "size_bytes": snapshot.size_bytes}


def _line(snapshot: Snapshot) -> str:
    when = datetime.fromtimestamp(snapshot.taken_at_ns / _NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{snapshot.id.hex()}  {when}  {amount(snapshot.size_bytes, 'bytes')}"
