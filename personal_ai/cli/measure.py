"""`personal-ai model measure`: what quantisation cost a model, measured on the model itself."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from personal_ai.cli.console import ProgressLine, stoppable
from personal_ai.cli.session import workspace
from personal_ai.models.loss import Loss, bundled_prose, known_loss, measure_loss, read_text, text_of


def add_to(group: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `measure` to the commands about models."""
    measure = group.add_parser("measure", help="how well a model foretells a text, and what its quantisation cost")
    measure.add_argument("model")
    measure.add_argument(
        "--text", type=Path, metavar="FILE", help="a text of yours; prose that comes with the program if not given"
    )
    measure.add_argument(
        "--original", type=Path, metavar="FOLDER|FILE", help="what the model was imported from, to compare it with"
    )
    measure.add_argument("--json", action="store_true", help="all figures as JSON")
    measure.set_defaults(run=_measure)


def loss_line(loss: Loss) -> str:
    """What was measured, in one line."""
    return (
        f"Beside the original, on {loss.tokens} tokens: perplexity {loss.perplexity:.2f} instead of "
        f"{loss.original_perplexity:.2f}; the likeliest token is the same in {loss.agreement:.1%} of places."
    )


def _measure(arguments: argparse.Namespace) -> None:
    text = text_of(arguments.text) if arguments.text else bundled_prose()
    with workspace(arguments) as opened, stoppable() as cancel:
        package = opened.model(arguments.model)
        if arguments.original:
            loss = measure_loss(
                package, arguments.original, opened.library, text, on_progress=ProgressLine(), cancel=cancel
            )
            print(json.dumps(asdict(loss)) if arguments.json else loss_line(loss))
            return
        reading = read_text(package, text, on_progress=ProgressLine(), cancel=cancel)
        known = known_loss(package)
    if arguments.json:
        figures = {"tokens": len(reading.nats), "perplexity": reading.perplexity}
        print(json.dumps({**figures, "loss": asdict(known) if known else None}))
        return
    print(f"{package.name}: perplexity {reading.perplexity:.2f} on {len(reading.nats)} tokens.")
    print(loss_line(known) if known else "What its quantisation cost is not known: give what it came from, --original.")
