"""How often scoring a large vocabulary roughly first changes what a trained model says:
`python -m tests.conformance.screened_head [--json]`.

The engine scores the words of a large vocabulary roughly, and exactly only those among which the winner must be
(`matmul_screened.zig`). A small Llama with 8,192 words (golden/llama-8k, made by train_checkpoints) runs over files of
Python's standard library that it was not trained on, once so and once with every word scored exactly; the rest of the
program is the same. Over all positions, given the same text before each:

- greedy_differs: share with another most likely word
- top_40_missed: share of the 40 most likely words that are not among the 40 any more
- distance, distance_max: of the two distributions, mean and greatest (total variation, 0 to 1)
- sampled_differs: share where the app's balanced preset draws another word with the same seed; not judged, since a draw
  among many words moves with every small shift before it
- perplexity, perplexity_change: of the text, with every word exact; relative to it

Passes within BOUNDS.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np
import numpy.typing as npt
import wasmtime
from tokenizers import Tokenizer

from personal_ai.chat import presets
from personal_ai.compiler import layouts
from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.sampling import sample
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness
from tests.compiler.unpacking import read_unpacked
from tests.conformance.models import Logits, write_onnx
from tests.support import library_texts

CHECKPOINT: Final = Path(__file__).parent / "golden" / "llama-8k"
SEQUENCE_LENGTH: Final = 96
SEQUENCE_COUNT: Final = 40
TOP: Final = 40
DRAW: Final = replace(presets.BALANCED, seed=1)

Distribution = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    positions: int
    greedy_differs: float
    top_40_missed: float
    distance: float
    distance_max: float
    sampled_differs: float
    perplexity: float
    perplexity_change: float


BOUNDS: Final = {
    "greedy_differs": 0.001,
    "top_40_missed": 0.02,
    "distance": 0.05,
    "distance_max": 0.2,
    "perplexity_change": 0.01,
}


@dataclass(frozen=True)
class Position:
    """What the two heads make of the words before `following`."""

    context: Sequence[int]
    following: int
    exact: Logits
    screened: Logits

    @property
    def greedy_differs(self) -> bool:
        return bool(self.exact.argmax() != self.screened.argmax())

    @property
    def sampled_differs(self) -> bool:
        return sample(self.exact, self.context, DRAW) != sample(self.screened, self.context, DRAW)

    @property
    def top_missed(self) -> float:
        best = {tuple(np.argsort(-logits, kind="stable")[:TOP]) for logits in (self.exact, self.screened)}
        return 1 - len(set.intersection(*map(set, best))) / TOP

    def probabilities(self) -> tuple[Distribution, Distribution]:
        return _softmax(self.exact), _softmax(self.screened)


def _softmax(logits: Logits) -> Distribution:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(weights / weights.sum())


def figures(positions: Sequence[Position]) -> Figures:
    distances, losses = [], []
    for position in positions:
        exact, screened = position.probabilities()
        distances.append(np.abs(exact - screened).sum() / 2)
        losses.append((-np.log(exact[position.following]), -np.log(screened[position.following])))
    exact_loss, screened_loss = np.mean(losses, axis=0)
    return Figures(
        positions=len(positions),
        greedy_differs=float(np.mean([position.greedy_differs for position in positions])),
        top_40_missed=float(np.mean([position.top_missed for position in positions])),
        distance=float(np.mean(distances)),
        distance_max=float(np.max(distances)),
        sampled_differs=float(np.mean([position.sampled_differs for position in positions])),
        perplexity=float(np.exp(exact_loss)),
        perplexity_change=float(np.exp(screened_loss - exact_loss) - 1),
    )


def failure(found: Figures) -> str:
    """Why the figures do not pass; empty where they do."""
    told = asdict(found)
    return "; ".join(f"{name} {told[name]} > {most}" for name, most in BOUNDS.items() if not told[name] <= most)


def measured(harness: wasmtime.Module, folder: Path, *, sequence_count: int) -> list[Position]:
    """Every position but the last of each sequence."""
    decoder = write_onnx(CHECKPOINT, folder / "model", "int8")
    programs = []
    for name, smallest in (("exact", decoder.vocabulary_size + 1), ("screened", layouts.SCREENED_OUTPUTS_MIN)):
        with mock.patch.object(layouts, "SCREENED_OUTPUTS_MIN", smallest):
            compile_onnx(
                folder / "model" / MODEL_FILE, folder / name, end_tokens=(0,), context_length=decoder.context_length
            )
        programs.append(WasmEngine(harness, read_unpacked(folder / name)))
    exact, screened = programs
    return [
        Position(tokens[: past + 1], tokens[past + 1], exact.forward([token], past), screened.forward([token], past))
        for tokens in _sequences(sequence_count)
        for past, token in enumerate(tokens[:-1])
    ]


def _sequences(count: int) -> list[list[int]]:
    """Pieces of the text that was held out, spread evenly over it."""
    ids = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json")).encode(library_texts.held_out()).ids
    starts = np.linspace(0, len(ids) - SEQUENCE_LENGTH, count).astype(int).tolist()
    return [ids[start : start + SEQUENCE_LENGTH] for start in starts]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What scoring a large vocabulary roughly first changes.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--sequences", type=int, default=SEQUENCE_COUNT, help=f"of {SEQUENCE_LENGTH} tokens each")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        harness = compile_harness(Path(scratch) / "harness.wasm")
        found = figures(measured(harness, Path(scratch), sequence_count=options.sequences))
    told = {**asdict(found), "failure": failure(found)}
    print(json.dumps(told) if options.json else "\n".join(f"{name}: {value}" for name, value in told.items()))
    return 1 if told["failure"] else 0


if __name__ == "__main__":
    sys.exit(main())
