"""`personal-ai identity` and `personal-ai contact`: who one is on a network, and whom one knows there."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from personal_ai.cli.console import first_line, print_listing
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import BadInputError
from personal_ai.common.files import write_atomically
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import Principal
from personal_ai.identities import key_files, qr
from personal_ai.identities import phrase as phrases
from personal_ai.identities.addresses import checked_address
from personal_ai.identities.vault import IdentityRecord, Vault
from personal_ai.identities.vault_notes import Notes


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add_identity_commands(commands)
    group = commands.add_parser("contact", help="principals and accounts of others").add_subparsers(required=True)
    for name, run, words, text in (
        ("list", _list_contacts, (), "list the address book"),
        ("add", _add_contact, ("name", "address"), "write down a principal or an account id"),
        ("remove", _remove_contact, ("name",), "forget a contact"),
    ):
        _command(group, name, run, words, text)


def _add_identity_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("identity", help="who you are on a network").add_subparsers(required=True)
    _command(group, "list", _list, (), "list identities and watched principals")
    _command(group, "create", _create, ("label",), "make the next identity of your recovery phrase")
    restore = _command(group, "restore", _restore, ("label",), "bring back an identity of the phrase by its number")
    restore.add_argument("--index", type=int, required=True, help="its number; the recovery sheet has it")
    _command(group, "rename", _rename, ("identity", "label"), "give an identity another label")
    imported = _command(group, "import", _import, ("label",), "take in a key file, or an identity of another phrase")
    source = imported.add_mutually_exclusive_group(required=True)
    source.add_argument("--pem", type=Path, metavar="FILE", help="a key file of dfx, quill, icp-cli or openssl")
    source.add_argument("--phrase-file", metavar="FILE", help="file with the phrase in one line (-: standard input)")
    imported.add_argument("--index", type=int, default=0, help="number under that phrase; dfx and quill use 0")
    imported.add_argument("--key-password-file", metavar="FILE", help="file with the key file's password")
    export = _command(group, "export", _export, ("identity", "file"), "write an identity's key to a file")
    export.add_argument("--key-password-file", metavar="FILE", help="encrypt it with the password in this file")
    export.add_argument("--yes", action="store_true", help="do not ask")
    verify = _command(group, "verify", _verify, (), "type words of your recovery phrase again: is it written down?")
    verify.add_argument("--all", action="store_true", help="all words instead of three")
    _command(group, "remove", _remove, ("identity",), "forget an identity that has a confirmed backup")
    _command(group, "watch", _watch, ("label", "principal"), "show a principal whose key is elsewhere")
    _command(group, "unwatch", _unwatch, ("principal",), "show it no more")
    code = _command(group, "qr", _qr, ("identity",), "show a QR code of the principal")
    code.add_argument("--account", action="store_true", help="of the account on the ICP ledger instead")
    code.add_argument("--svg", type=Path, metavar="FILE", help="write it to a file")


def _command(
    group: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: object,
    words: tuple[str, ...],
    text: str,
) -> argparse.ArgumentParser:
    command = group.add_parser(name, help=text)
    for word in words:
        command.add_argument(word)
    command.add_argument("--json", action="store_true", help="answer as JSON")
    add_password_option(command)
    command.set_defaults(run=run)
    return command


def _list(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        identities, watched = opened.vault.identities, opened.vault.notes.watched
    if arguments.json:
        shown = [{"name": one.name, "principal": str(one.principal)} for one in watched]
        print(json.dumps({"identities": [_fields(record) for record in identities], "watched": shown}))
        return
    for record in identities:
        backup = "" if record.restorable else "  (no confirmed backup)"
        print(f"{record.principal}  {record.label}{backup}")
    for one in watched:
        print(f"{one.principal}  {one.name}  (watched)")


def _fields(record: IdentityRecord) -> dict[str, object]:
    return {
        "label": record.label,
        "principal": str(record.principal),
        "account": str(AccountIdentifier.of(record.principal)),
        "kind": record.kind,
        "index": record.index,
        "restorable": record.restorable,
    }


def _say(arguments: argparse.Namespace, record: IdentityRecord, text: str) -> None:
    print(json.dumps(_fields(record)) if arguments.json else text)


def _create(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        record = opened.vault.new_identity(arguments.label)
    _say(arguments, record, f"{record.label} is {record.principal}.")


def _restore(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        record = opened.vault.restore_identity(arguments.label, _checked_index(arguments.index))
    _say(arguments, record, f"{record.label} is {record.principal}.")


def _checked_index(index: int) -> int:
    if not 0 <= index < 1 << 31:
        raise BadInputError("An identity's number is 0 or more, and below 2147483648.")
    return index


def _rename(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        record = opened.vault.rename(_find(opened.vault, arguments.identity).principal, arguments.label)
    _say(arguments, record, f"{record.principal} is now {record.label}.")


def _import(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        if arguments.pem is not None:
            record = key_files.import_key(opened.vault, arguments.label, arguments.pem, _key_password(arguments))
        else:
            phrase = first_line(arguments.phrase_file, "the phrase's file")
            record = opened.vault.import_phrase(arguments.label, phrase, _checked_index(arguments.index))
    _say(arguments, record, f"{record.label} is {record.principal}. Your own recovery phrase does not restore it.")


def _export(arguments: argparse.Namespace) -> None:
    path, password = Path(arguments.file), _key_password(arguments)
    with workspace(arguments, unlock=True) as opened:
        record = _find(opened.vault, arguments.identity)
        key_files.refuse_existing(path)
        if not arguments.yes:
            _confirm_export(record, encrypted=password is not None)
        key_files.export_key(opened.vault, record.principal, path, password)
        record = _find(opened.vault, str(record.principal))
    _say(arguments, record, f"The key of {record.label} is in {path}. Whoever has this file has the identity.")


def _confirm_export(record: IdentityRecord, *, encrypted: bool) -> None:
    if not sys.stdin.isatty():
        raise BadInputError("Exporting a key must be confirmed.", next_step="Use --yes.")
    protection = "encrypted with the password" if encrypted else "NOT encrypted"
    print(f"The file will be {protection}. Whoever has it acts as {record.label} everywhere.")
    if input(f"Type the label to go on ({record.label}): ") != record.label:
        raise BadInputError("Nothing was exported.")


def _key_password(arguments: argparse.Namespace) -> str | None:
    path = arguments.key_password_file
    return None if path is None else first_line(path, "the key file's password")


def _verify(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        phrase = opened.vault.reveal_phrase()
        places = phrases.places_to_verify(phrase, len(phrase.split()) if arguments.all else 3)
        opened.vault.confirm_phrase({place: _typed(f"Word {place} of your phrase: ") for place in places})
    print(json.dumps({"confirmed": True}) if arguments.json else "Right. Your phrase is written down.")


def _typed(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _remove(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        record = _find(opened.vault, arguments.identity)
        opened.vault.remove(record.principal)
    back = "its key file" if record.index is None else f"your recovery phrase and the number {record.index}"
    _say(arguments, record, f"{record.label} is forgotten. It comes back with {back}.")


def _watch(arguments: argparse.Namespace) -> None:
    principal = Principal.from_text(arguments.principal)
    _change_notes(arguments, lambda notes: notes.watching(arguments.label, principal), f"Watching {principal}.")


def _unwatch(arguments: argparse.Namespace) -> None:
    principal = Principal.from_text(arguments.principal)
    _change_notes(arguments, lambda notes: notes.not_watching(principal), f"{principal} is watched no more.")


def _qr(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        principal = _find(opened.vault, arguments.identity).principal
    text = str(AccountIdentifier.of(principal)) if arguments.account else str(principal)
    if arguments.svg is not None:
        write_atomically(arguments.svg, qr.svg(text).encode(), mode=0o644)
    if arguments.json:
        print(json.dumps({"text": text, "modules": qr.modules(text)}))
    elif arguments.svg is None:
        print(qr.terminal(text), end="")
        print(text)


def _find(vault: Vault, named: str) -> IdentityRecord:
    """By label or principal. Raises BadInputError where none or several are meant."""
    found = [record for record in vault.identities if named in (record.label, str(record.principal))]
    if len(found) != 1:
        many = "There is no identity" if not found else "There are several identities"
        raise BadInputError(
            f"{many} named {named}.", next_step="personal-ai identity list shows them; a principal names one for sure."
        )
    return found[0]


# Contacts


def _list_contacts(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=True) as opened:
        contacts = opened.vault.notes.contacts
    if arguments.json:
        print(json.dumps([{"name": one.name, "address": one.address} for one in contacts]))
        return
    print_listing([f"{one.address}  {one.name}" for one in contacts], "There is none yet.")


def _add_contact(arguments: argparse.Namespace) -> None:
    address = checked_address(arguments.address)
    _change_notes(arguments, lambda notes: notes.with_contact(arguments.name, address), f"{arguments.name}: {address}")


def _remove_contact(arguments: argparse.Namespace) -> None:
    _change_notes(arguments, lambda notes: notes.without_contact(arguments.name), f"{arguments.name} is forgotten.")


def _change_notes(arguments: argparse.Namespace, change: Callable[[Notes], Notes], text: str) -> None:
    with workspace(arguments, unlock=True) as opened:
        opened.vault.change_notes(change)
    print(json.dumps({"done": True}) if arguments.json else text)
