"""What an accelerator is worth here: `python -m tests.benchmarks.devices [--json]`.

The device that the program itself chooses, and the processor, on the same packages in one run:

- devices: what was chosen, and why the others were not
- agreement: positions of prose at which both find the same token most likely, on the trained starter model, token by
  token; max_logit_difference at those and all others, and the logits' spread
- prefill and decode: tokens per second of each on a well-known shape with random weights, and the ratio, more than 1
  where the device is faster

Where the processor is all there is, it is compared with itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from personal_ai.common.paths import resource
from personal_ai.compiler.onnx_graph import read_onnx
from personal_ai.models.local.devices import Verdict
from personal_ai.models.local.session import Session, open_session
from personal_ai.models.local.session_layers import session_graph
from personal_ai.models.manifest import WORD_FILES
from personal_ai.models.package import ModelPackage
from tests.benchmarks.local import CONTEXT_LENGTH, PROMPT, write_package
from tests.benchmarks.shapes import SHAPES

REPLY: Final = 32
WINDOW: Final = 128  # tokens of prose that are read one after the other


def both(package: ModelPackage) -> tuple[Session, Session, list[Verdict]]:
    """On the chosen device, and with onnxruntime's own operators on the processor."""
    decoder = package.manifest.decoder
    session, verdicts = open_session(decoder, package.onnx_path)
    tensors = read_onnx(package.onnx_path).constants
    processor = Session(session_graph(decoder, tensors))
    return session, processor, verdicts


def agreement(package: ModelPackage, windows: int) -> dict[str, Any]:
    """How alike both answer, and what became of each device."""
    session, processor, verdicts = both(package)
    tokenizer = Tokenizer.from_file(str(package.folder / WORD_FILES[0]))
    tokens = tokenizer.encode(resource("prose.txt").read_text(encoding="utf-8")).ids[: windows * WINDOW]
    same, difference, spread = 0, 0.0, 0.0
    for index, token in enumerate(tokens):
        ours, expected = session.step([token], index % WINDOW), processor.step([token], index % WINDOW)
        same += int(ours.argmax() == expected.argmax())
        difference = max(difference, float(np.abs(ours - expected).max()))
        spread = max(spread, float(np.ptp(expected)))
    return {
        "devices": [asdict(verdict) for verdict in verdicts],
        "agreement": round(same / len(tokens), 4),
        "positions": len(tokens),
        "max_logit_difference": round(difference, 4),
        "logit_spread": round(spread, 2),
    }


def speed(package: ModelPackage, rounds: int) -> dict[str, Any]:
    """Tokens per second of both, in turns."""
    sides: dict[str, Session] = dict(zip(("device", "processor"), both(package)[:2], strict=True))
    for session in sides.values():
        _round(session, 0)
    times = {name: [_round(session, index) for index in range(rounds)] for name, session in sides.items()}
    result: dict[str, Any] = {}
    for index, (kind, count) in enumerate((("prefill", PROMPT), ("decode", REPLY))):
        seconds = {name: statistics.median(pair[index] for pair in pairs) for name, pairs in times.items()}
        result[kind] = {name: round(count / value, 1) for name, value in seconds.items()}
        result[kind]["ratio"] = round(seconds["processor"] / seconds["device"], 2)
    return result


def _round(session: Session, index: int) -> tuple[float, float]:
    """Seconds for a prompt at once, and for as many greedy tokens as a reply has."""
    start_s = time.perf_counter()
    logits = session.step([(7 * index + 3 * token) % 40_000 for token in range(PROMPT)], 0)
    middle_s = time.perf_counter()
    for position in range(PROMPT, PROMPT + REPLY):
        logits = session.step([int(logits.argmax())], position)
    return middle_s - start_s, time.perf_counter() - middle_s


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What an accelerator is worth here.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--shape", choices=("smollm2-135m", "qwen2.5-0.5b"), default="smollm2-135m")
    parser.add_argument("--weights", choices=("int8", "int4"), default="int8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--windows", type=int, default=8, help="of prose, for the agreement")
    options = parser.parse_args(arguments)
    result = agreement(ModelPackage.open(resource("starter-model")), options.windows)
    decoder = replace(SHAPES[options.shape], context_length=CONTEXT_LENGTH)
    with tempfile.TemporaryDirectory() as folder:
        package = write_package(Path(folder) / "package", decoder, options.weights)
        result |= {"shape": options.shape, "weights": options.weights} | speed(package, options.rounds)
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
