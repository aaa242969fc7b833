"""Whether what is told before a download comes true: sizes and instructions, foretold and counted.

    python -m tests.benchmarks.fit [--shape smollm2-135m] [--weights int8] [--json]
    python -m tests.benchmarks.fit --all [--json]
    python -m tests.benchmarks.fit --calibrate      after a change to the engine: writes resources/engine-costs.json

Foretold comes from the decoder's sizes alone. Counted is what `tests.benchmarks.engine` counts in the shipped module
on the practice network's executor. A ratio is foretold / counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from personal_ai.canister.instructions import COSTS_FILE, pace
from personal_ai.common.paths import resource
from personal_ai.compiler.foretelling import foretell
from personal_ai.ic.profile import IC
from personal_ai.models.quantisation import Quantisation
from tests.benchmarks import calibration
from tests.benchmarks.engine import CONTEXT, PROMPT, measure
from tests.benchmarks.shapes import SHAPES
from tests.canister.engine.wasm_engine import compile_harness
from tests.canister.installed import UPDATE_LIMIT


def compare(name: str, weights: Quantisation) -> dict[str, Any]:
    """Foretold, counted and their ratio of one shape."""
    program = foretell(SHAPES[name], weights)
    told = pace(program, IC, cached=CONTEXT, prompt=PROMPT)
    foretold = {
        "instructions_per_token": told.token,
        "prefill_instructions_per_token": told.prompt_token,
        "tokens_per_update": told.tokens_per_message(UPDATE_LIMIT),
        "heap_bytes": program.sizes.heap_bytes,
    }
    counted = measure(name, weights)
    return {
        "shape": name,
        "weights": weights,
        **{
            key: {"foretold": round(value), "counted": counted[key], "ratio": round(value / counted[key], 4)}
            for key, value in foretold.items()
        },
    }


def calibrate() -> None:
    """Measures the engine's costs and writes them where the program reads them."""
    with tempfile.TemporaryDirectory() as scratch:
        costs = calibration.calibrate(compile_harness(Path(scratch) / "harness.wasm"))
    resource(COSTS_FILE).write_text(json.dumps(asdict(costs), indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fit", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--all", action="store_true", help="every shape, int8 and int4")
    parser.add_argument("--calibrate", action="store_true", help="measure the engine's costs and write them down")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.calibrate:
        calibrate()
        return 0
    cases: list[tuple[str, Quantisation]] = [(name, kind) for name in SHAPES for kind in ("int8", "int4")]
    for name, weights in cases if chosen.all else [(chosen.shape, chosen.weights)]:
        compared = compare(name, weights)
        print(json.dumps(compared, indent=None if chosen.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
