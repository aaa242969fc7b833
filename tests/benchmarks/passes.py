"""What a pass over several guessed tokens costs beside as many steps: whether guessing ahead (prompt lookup) can pay.

    python -m tests.benchmarks.passes [--shape smollm2-135m] [--weights int8] [--json]

A pass that checks k tokens computes the body once for k rows and the logits after each: here the head is taken k times,
as a head for k rows costs hardly less (`tests.benchmarks.engine --kernels`). The engine runs in a module of its own,
with its instructions counted as the network counts them and no page touches, which a message pays once in either case.
docs/engine-memory.md draws the conclusion.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import wasmtime

from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from tests.benchmarks.engine import CONTEXT, compile_shape
from tests.benchmarks.shapes import SHAPES
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness

LENGTHS = (2, 4, 8)


def measure(decoder: Decoder, weights: Quantisation, harness: wasmtime.Module) -> dict[str, Any]:
    """Instructions of a step, and of passes as shares of as many steps: from 1 on none pays, whatever is guessed."""
    with tempfile.TemporaryDirectory() as scratch:
        engine = WasmEngine(harness, compile_shape(Path(scratch), decoder, weights).path.read_bytes())
    tokens = [7 * at % decoder.vocabulary_size for at in range(CONTEXT)]
    engine.run(tokens)
    step = _step(engine, tokens)
    head = step - _body(engine, tokens, 1)
    shares = {length: (_body(engine, tokens, length) + length * head) / (length * step) for length in LENGTHS}
    return {
        "step_instructions": step,
        "head_instructions": head,
        "pass_per_steps": {str(length): round(share, 3) for length, share in shares.items()},
    }


def _step(engine: WasmEngine, tokens: list[int]) -> int:
    engine.forward(tokens[:1], CONTEXT)
    return engine.instructions


def _body(engine: WasmEngine, tokens: list[int], rows: int) -> int:
    assert not engine.absorb(tokens[:rows], CONTEXT)
    return engine.instructions


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.passes", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        harness = compile_harness(Path(scratch) / "harness.wasm")
    figures = measure(SHAPES[chosen.shape], chosen.weights, harness)
    figures = {"shape": chosen.shape, "weights": chosen.weights, **figures}
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
