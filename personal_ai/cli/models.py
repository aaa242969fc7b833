"""`personal-ai model` and `personal-ai compile`: models on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from personal_ai.cli.console import ProgressLine, amount, stoppable
from personal_ai.cli.session import workspace
from personal_ai.compiler.compile import compile_package


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("model", help="models on this computer").add_subparsers(required=True)
    group.add_parser("list", help="list the models").set_defaults(run=_list)
    imported = group.add_parser("import", help="take a Hugging Face folder (config.json, safetensors, tokenizer.json)")
    imported.add_argument("folder", type=Path, metavar="FOLDER")
    imported.add_argument("--name", help="the model's name here; the folder's name if not given")
    imported.add_argument("--quantisation", choices=("int8", "f32"), default="int8")
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
            facts = f"{size}, {model.quantisation}, context {model.context_length}"
            print(f"{model.name}  ({facts})  {model.label}".rstrip())


def _import(arguments: argparse.Namespace) -> None:
    with workspace(arguments) as opened, stoppable() as cancel:
        model = opened.import_model(
            arguments.folder,
            name=arguments.name,
            quantisation=arguments.quantisation,
            on_progress=ProgressLine(),
            cancel=cancel,
        )
    print(f"Imported {model.name} ({amount(model.size_bytes, 'bytes')}, {model.quantisation}).")


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
