"""`personal-ai model` and `personal-ai compile`: models on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from personal_ai.app.workspace import ModelSummary, Workspace
from personal_ai.cli import advice, library, measure
from personal_ai.cli.advice import add_endpoint_option
from personal_ai.cli.console import ProgressLine, amount, first_line, stoppable
from personal_ai.cli.measure import loss_line
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import Paths
from personal_ai.compiler.compile import compile_package
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.endpoint import choose_endpoint, endpoint
from personal_ai.models.hub.names import is_hub_name
from personal_ai.models.hub.planning import HubModel, plan
from personal_ai.models.quantisation import QUANTISATIONS


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("model", help="models on this computer").add_subparsers(required=True)
    group.add_parser("list", help="list the models").set_defaults(run=_list)
    imported = group.add_parser("import", help="take a folder or file with a model, or fetch one by its id")
    imported.add_argument(
        "source",
        metavar="FOLDER|FILE|OWNER/NAME[:FILE][@REVISION]",
        help="a folder with config.json and safetensors or ONNX files, or a GGUF or ONNX file; else the id on the hub, "
        "with the file where it has several GGUF files and the best is not wanted",
    )
    imported.add_argument(
        "--name", help="the model's name here; the folder's, the file's or the id's name if not given"
    )
    add_endpoint_option(imported)
    imported.add_argument("--proxy", metavar="URL", help="the way to the hub, such as socks5://127.0.0.1:9050")
    tokens = imported.add_mutually_exclusive_group()
    tokens.add_argument("--token-file", metavar="FILE", help="file with the hub's access token (-: standard input)")
    tokens.add_argument("--kept-token", action="store_true", help="use the vault's access token and proxy")
    add_password_option(imported)
    imported.add_argument("--quantisation", choices=QUANTISATIONS, default="int8")
    imported.add_argument("--no-measure", action="store_true", help="do not measure what the quantisation cost")
    imported.set_defaults(run=_import)
    devices = group.add_parser("devices", help="what a model runs on when this computer answers, and why")
    devices.add_argument("model")
    devices.set_defaults(run=_devices)
    for part in (advice, library, measure):
        part.add_to(group)
    token = group.add_parser("token", help="keep the hub's access token in the vault, for gated and private models")
    change = token.add_mutually_exclusive_group(required=True)
    change.add_argument("--token-file", metavar="FILE", help="keep the token in this file (-: standard input)")
    change.add_argument("--forget", action="store_true", help="keep none any more")
    add_password_option(token)
    token.set_defaults(run=_token)
    hub = group.add_parser("hub", help="which hub models come from")
    hub.add_argument("url", nargs="?", help="its address, or none for the usual one; without it: what is set")
    hub.set_defaults(run=_hub)
    remove = group.add_parser("remove", help="delete a model from this computer")
    remove.add_argument("model")
    remove.set_defaults(run=_remove)
    compiled = commands.add_parser("compile", help="make a model's canister program, or say why it cannot be made")
    compiled.add_argument("model")
    compiled.add_argument("--out", type=Path, required=True, metavar="FILE")
    compiled.set_defaults(run=_compile)


def _list(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        for model in opened.models():
            size = amount(model.size_bytes, "bytes")
            kind = ", embedding model" if model.embeds else ""
            facts = f"{size}, {model.quantisation}, context {model.context_length}{kind}"
            print(f"{model.name}  ({facts})  {model.label}".rstrip())
        opened.library.check_there()


def _import(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=arguments.kept_token) as opened, stoppable() as cancel:
        if _is_on_hub(arguments.source):
            model = _import_from_hub(arguments, opened, cancel)
        else:
            model = opened.import_model(
                Path(arguments.source),
                name=arguments.name,
                quantisation=arguments.quantisation,
                measure=not arguments.no_measure,
                on_progress=ProgressLine(),
                cancel=cancel,
            )
    kind = "an embedding model" if model.embeds else "a chat model"
    print(f"Imported {model.name}, {kind} ({amount(model.size_bytes, 'bytes')}, {model.quantisation}).")
    if model.loss is not None:
        print(loss_line(model.loss))


def _is_on_hub(source: str) -> bool:
    """An id, and no path here: a mistyped path is told to nobody."""
    return is_hub_name(source) and not Path(source).parent.exists()


def _import_from_hub(arguments: argparse.Namespace, opened: Workspace, cancel: Cancel) -> ModelSummary:
    token = first_line(arguments.token_file, "the token file") if arguments.token_file else None
    proxy = arguments.proxy
    if arguments.kept_token:
        notes = opened.vault.notes
        token, proxy = notes.hub_token, proxy or notes.proxy
        if token is None:
            raise BadInputError(
                "The vault keeps no access token.", next_step="Give it one with: personal-ai model token"
            )
    with Hub(arguments.endpoint or endpoint(opened.paths.settings), proxy=proxy, token=lambda: token) as hub:
        found = plan(hub, arguments.source, cancel)
        print(_described(found, hub), flush=True)
        return opened.import_from_hub(
            hub,
            found,
            name=arguments.name,
            quantisation=arguments.quantisation,
            measure=not arguments.no_measure,
            on_progress=ProgressLine(),
            cancel=cancel,
        )


def _token(arguments: argparse.Namespace) -> None:
    token = None if arguments.forget else first_line(arguments.token_file, "the token file")
    with workspace(arguments, unlock=True) as opened:
        opened.vault.change_notes(lambda notes: notes.with_hub_token(token))
    print("The vault keeps no access token any more." if token is None else "The vault keeps the access token.")


def _described(model: HubModel, hub: Hub) -> str:
    gated = ", gated" if model.gated else ""
    size = f"{amount(model.size_bytes, 'bytes')} in {len(model.files)} files"
    others = "".join(f"\n  or {model.id}:{file.name}, {amount(file.size_bytes, 'bytes')}" for file in model.others)
    return f"{model.selection} at {model.commit[:12]} from {hub.host}: {size}, licence: {model.licence}{gated}{others}"


def _devices(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        for verdict in opened.devices(arguments.model, cancel):
            print(f"{'runs on' if verdict.chosen else 'not on'} {verdict.label}: {verdict.reason}")


def _remove(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        opened.library.remove(arguments.model)
    print(f"Removed {arguments.model}.")


def _compile(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened:
        package = opened.model(arguments.model)
    with stoppable() as cancel:
        compile_package(package, arguments.out, on_progress=ProgressLine(), cancel=cancel)
    print(f"Wrote {arguments.out} ({amount(arguments.out.stat().st_size, 'bytes')}).")


def _hub(arguments: argparse.Namespace) -> None:
    settings = Paths.default().settings
    if arguments.url is not None:
        choose_endpoint(settings, None if arguments.url == "none" else arguments.url)
    print(endpoint(settings))
