"""`personal-ai backup`: everything into one encrypted file and in again, and the sheet to print."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from personal_ai.app.safekeeping import Safekeeping
from personal_ai.backup.backup import Restored
from personal_ai.cli.console import ProgressLine, read_password, stoppable
from personal_ai.cli.session import add_password_option, unlock_vault, workspace
from personal_ai.identities.key_files import refuse_existing


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("backup", help="everything in one encrypted file").add_subparsers(required=True)
    create = group.add_parser("create", help="write a backup; models are named in it, not copied")
    create.set_defaults(run=_create)
    restore = group.add_parser("restore", help="merge a backup in; nothing that is here is lost")
    restore.set_defaults(run=_restore)
    for command in (create, restore):
        command.add_argument("file", type=Path)
        command.add_argument("--backup-password-file", metavar="FILE", help="file with the backup's own password")
    sheet = group.add_parser("sheet", help="write the recovery sheet, to be printed and put away")
    sheet.add_argument("file", type=Path, help="text, or a page to print if it ends in .html")
    sheet.add_argument("--with-phrase", action="store_true", help="with the recovery phrase: then delete the file")
    sheet.set_defaults(run=_sheet)
    for command in (create, restore, sheet):
        command.add_argument("--json", action="store_true", help="answer as JSON")
        add_password_option(command)


def _create(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened, stoppable() as cancel:
        password = read_password(arguments.backup_password_file, new=True)
        Safekeeping(opened).create_backup(arguments.file, password, on_progress=ProgressLine(), cancel=cancel)
    size_bytes = arguments.file.stat().st_size
    done = f"Everything is in {arguments.file} ({size_bytes:,} bytes), and was read back. Keep it on another disk."
    print(json.dumps({"file": str(arguments.file), "size_bytes": size_bytes}) if arguments.json else done)


def _restore(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        password = read_password(arguments.backup_password_file)
        new_password = None
        if opened.has_vault:
            unlock_vault(opened, arguments)
        else:
            new_password = read_password(arguments.password_file, new=True)
        restored = Safekeeping(opened).restore_backup(
            arguments.file, password, new_password=new_password, on_progress=ProgressLine(), cancel=cancel
        )
    print(json.dumps(_fields(restored)) if arguments.json else _text(restored))


def _fields(restored: Restored) -> dict[str, object]:
    missing = [{"name": one.name, "source": one.source, "revision": one.revision} for one in restored.missing_models]
    return {
        "conversations": restored.conversations,
        "deployments": restored.deployments,
        "missing_models": missing,
    }


def _text(restored: Restored) -> str:
    done = f"Restored {restored.conversations} conversations and {restored.deployments} new deployments."
    missing = (
        f"The model {one.name} is not here: fetch {one.source} again, or rebuild it from its canister."
        for one in restored.missing_models
    )
    return "\n".join((done, *missing))


def _sheet(arguments: argparse.Namespace) -> None:
    refuse_existing(arguments.file)
    with workspace(arguments, unlock=True) as opened:
        Safekeeping(opened).save_recovery_sheet(arguments.file, with_phrase=arguments.with_phrase)
    done = f"Print {arguments.file}" + (", then delete it: the phrase stands in it." if arguments.with_phrase else ".")
    print(json.dumps({"file": str(arguments.file)}) if arguments.json else done)
