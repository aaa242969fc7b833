"""`personal-ai model` and `personal-ai compile`: models on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from personal_ai.app.workspace import ModelSummary, Workspace
from personal_ai.cli.console import ProgressLine, amount, first_line, stoppable
from personal_ai.cli.session import workspace
from personal_ai.common.jobs import Cancel
from personal_ai.compiler.compile import compile_package
from personal_ai.models.hub.connection import PUBLIC_ENDPOINT, Hub
from personal_ai.models.hub.names import is_hub_name
from personal_ai.models.hub.planning import HubModel, plan
from personal_ai.models.quantisation import QUANTISATIONS


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("model", help="models on this computer").add_subparsers(required=True)
    group.add_parser("list", help="list the models").set_defaults(run=_list)
    imported = group.add_parser("import", help="take a Hugging Face folder, or fetch a model by its id")
    imported.add_argument(
        "source",
        metavar="FOLDER|OWNER/NAME[@REVISION]",
        help="a folder with config.json, safetensors and tokenizer.json; else what to fetch from the hub",
    )
    imported.add_argument("--name", help="the model's name here; the folder's or the id's name if not given")
    imported.add_argument("--endpoint", default=PUBLIC_ENDPOINT, metavar="URL", help="the hub; default %(default)s")
    imported.add_argument("--proxy", metavar="URL", help="the way to the hub, such as socks5://127.0.0.1:9050")
    imported.add_argument("--token-file", metavar="FILE", help="file with the hub's access token (-: standard input)")
    imported.add_argument("--quantisation", choices=QUANTISATIONS, default="int8")
    imported.set_defaults(run=_import)
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


def _import(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        if _is_on_hub(arguments.source):
            model = _import_from_hub(arguments, opened, cancel)
        else:
            model = opened.import_model(
                Path(arguments.source),
                name=arguments.name,
                quantisation=arguments.quantisation,
                on_progress=ProgressLine(),
                cancel=cancel,
            )
    kind = "an embedding model" if model.embeds else "a chat model"
    print(f"Imported {model.name}, {kind} ({amount(model.size_bytes, 'bytes')}, {model.quantisation}).")


def _is_on_hub(source: str) -> bool:
    """An id, and no path here: a mistyped path is told to nobody."""
    return is_hub_name(source) and not Path(source).parent.exists()


def _import_from_hub(arguments: argparse.Namespace, opened: Workspace, cancel: Cancel) -> ModelSummary:
    token = first_line(arguments.token_file, "the token file") if arguments.token_file else None
    with Hub(arguments.endpoint, proxy=arguments.proxy, token=lambda: token) as hub:
        found = plan(hub, arguments.source, cancel)
        print(_described(found, hub), flush=True)
        return opened.import_from_hub(
            hub,
            found,
            name=arguments.name,
            quantisation=arguments.quantisation,
            on_progress=ProgressLine(),
            cancel=cancel,
        )


def _described(model: HubModel, hub: Hub) -> str:
    gated = ", gated" if model.gated else ""
    size = f"{amount(model.size_bytes, 'bytes')} in {len(model.files)} files"
    return f"{model.id} at {model.commit[:12]} from {hub.host}: {size}, licence: {model.licence}{gated}"


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
