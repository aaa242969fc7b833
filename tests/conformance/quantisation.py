"""What rounding the weights costs trained models: `python -m tests.conformance.quantisation [--json]`.

Two checkpoints of different families (golden/, made by train_checkpoints), each as it was trained and with outlier
channels planted by exact rescaling, go through the importer's builder and the compiler at int8 and int4, and run in
the engine's Wasm over a text that was held out. Compared at every position, given the same text before it, with the
unquantised checkpoint in plain numpy (float64):

- agreement: share of positions with the same most likely token
- perplexity_change: of the text, relative to the unquantised model's
- weights_at_limit, weights_cut_off: shares of the weights that the format rounds that lie at its last level (int8: one
  of each 64 at least, the greatest) and that lay beyond it; with int8 nothing can
- saturated_sums: share of the additions in bytes of the engine's 4-bit kernels that saturate: such a sum stays at the
  last byte's value, and its block's result is that much smaller. Absent where the engine does not add in bytes:
  nothing else of it can saturate, since activations, keys and values are scaled by their greatest, products in tables
  stay within 111 and the sums of 16 and 32 bits within bounds (at the head of each kernel)
- local_agreement, local_perplexity_change: the same of onnxruntime on this computer, which rounds activations to 8
  bits besides; reported, not judged

A case passes within BOUNDS and SATURATED_SUMS_MAX; a format that the compiler refuses fails with its reason.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import wasmtime
from tokenizers import Tokenizer

from personal_ai.common.errors import BadInputError
from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine, compile_counting_harness
from tests.compiler.unpacking import read_unpacked
from tests.conformance.models import OnnxSteps, write_onnx
from tests.conformance.rounding import rounded_weights
from tests.support import reference
from tests.support.outliers import plant_outliers

GOLDEN: Final = Path(__file__).parent / "golden"
CHECKPOINTS: Final = ("llama", "gpt2")
OUTLIER_SCALES: Final = (1.0, 10.0, 100.0)  # 1: as it was trained
SEQUENCE_LENGTH: Final = 96
SEQUENCE_COUNT: Final = 24

Scores = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Bounds:
    agreement: float
    perplexity_change: float


BOUNDS: Final[dict[Quantisation, Bounds]] = {"int8": Bounds(0.99, 0.01), "int4": Bounds(0.96, 0.05)}
SATURATED_SUMS_MAX: Final = 2e-5


@dataclass(frozen=True)
class Case:
    """What was measured; `failure` is empty when it passed."""

    checkpoint: str
    weights: Quantisation
    outlier_scale: float
    failure: str = ""
    positions: int = 0
    perplexity: float | None = None
    agreement: float | None = None
    perplexity_change: float | None = None
    weights_at_limit: float = 0.0
    weights_cut_off: float = 0.0
    saturated_sums: float | None = None
    local_agreement: float | None = None
    local_perplexity_change: float | None = None


@dataclass(frozen=True)
class Text:
    """Sequences of the held-out text, and the unquantised model's logits [positions, vocabulary] of each."""

    sequences: list[list[int]]
    expected: list[Scores]

    def compare(self, logits: Sequence[Scores]) -> tuple[float, float]:
        """Agreement and change of perplexity."""
        pairs = zip(logits, self.expected, strict=True)
        agreement = np.mean(np.concatenate([ours.argmax(-1) == theirs.argmax(-1) for ours, theirs in pairs]))
        return float(agreement), self.perplexity(logits) / self.perplexity(self.expected) - 1

    def perplexity(self, logits: Sequence[Scores]) -> float:
        losses = [_losses(scores, tokens) for scores, tokens in zip(logits, self.sequences, strict=True)]
        return float(np.exp(np.mean(np.concatenate(losses))))


def _losses(scores: Scores, tokens: Sequence[int]) -> Scores:
    """-log of the probability of each token but the first, [positions - 1]."""
    centred = scores.astype(np.float64) - scores.max(-1, keepdims=True)
    logs = centred - np.log(np.exp(centred).sum(-1, keepdims=True))
    return np.asarray(-logs[np.arange(len(tokens) - 1), tokens[1:]])


def held_out(checkpoint: Path, sequence_count: int) -> Text:
    """The text beside the checkpoint, cut into sequences, and what the checkpoint itself says about them."""
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    ids = tokenizer.encode((checkpoint / "text.txt").read_text(encoding="utf-8")).ids
    starts = range(0, len(ids) - SEQUENCE_LENGTH, SEQUENCE_LENGTH)
    sequences = [ids[start : start + SEQUENCE_LENGTH] for start in starts][:sequence_count]
    return Text(sequences, [reference.logits(checkpoint, sequence) for sequence in sequences])


def measured(
    harness: wasmtime.Module, folder: Path, name: str, *, scales: Sequence[float], sequence_count: int
) -> Iterator[Case]:
    """The cases of one checkpoint: every format at every scale of outliers."""
    text = held_out(GOLDEN / name, sequence_count)
    for scale in scales:
        source = plant_outliers(GOLDEN / name, folder / f"{name}-{scale:g}", scale_max=scale)
        for weights in BOUNDS:
            positions = sum(map(len, text.sequences))
            case = Case(name, weights, scale, positions=positions, perplexity=text.perplexity(text.expected))
            try:
                yield _compared(case, harness, source, text)
            except BadInputError as error:
                yield replace(case, failure=str(error).replace("\n", " "))


def failure(case: Case) -> str:
    """Why the measured case does not pass; empty where it does."""
    bounds = BOUNDS[case.weights]
    reasons = []
    if not (case.agreement or 0.0) >= bounds.agreement:
        reasons.append(f"agreement {case.agreement} < {bounds.agreement}")
    if case.perplexity_change is None or not case.perplexity_change <= bounds.perplexity_change:
        reasons.append(f"perplexity_change {case.perplexity_change} > {bounds.perplexity_change}")
    if case.weights == "int4" and (case.saturated_sums is None or case.saturated_sums > SATURATED_SUMS_MAX):
        reasons.append(f"saturated_sums {case.saturated_sums} > {SATURATED_SUMS_MAX}")
    return "; ".join(reasons)


def _compared(case: Case, harness: wasmtime.Module, source: Path, text: Text) -> Case:
    """Raises BadInputError when the compiler refuses the model."""
    model = source / case.weights
    decoder = write_onnx(source, model, case.weights)
    local = OnnxSteps(model, decoder, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    local_agreement, local_change = text.compare(_stepwise(local.forward, text.sequences))
    compile_onnx(model / MODEL_FILE, model / "program", end_tokens=(0,), context_length=decoder.context_length)
    engine = WasmEngine(harness, read_unpacked(model / "program"))
    agreement, change = text.compare(_stepwise(engine.forward, text.sequences))
    saturations = engine.saturations()
    weights = rounded_weights(source, case.weights)
    case = replace(
        case,
        agreement=agreement,
        perplexity_change=change,
        weights_at_limit=weights.at_limit / weights.all,
        weights_cut_off=weights.cut_off / weights.all,
        saturated_sums=None if saturations is None else saturations.share,
        local_agreement=local_agreement,
        local_perplexity_change=local_change,
    )
    return replace(case, failure=failure(case))


def _stepwise(forward: Callable[[Sequence[int], int], Scores], sequences: list[list[int]]) -> list[Scores]:
    """Logits of every position, given token by token."""
    return [np.stack([forward([token], past) for past, token in enumerate(sequence)]) for sequence in sequences]


def run(sequence_count: int = SEQUENCE_COUNT) -> list[Case]:
    """Every case, in files that are gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        harness = compile_counting_harness(Path(name) / "harness.wasm")
        return [
            case
            for checkpoint in CHECKPOINTS
            for case in measured(harness, Path(name), checkpoint, scales=OUTLIER_SCALES, sequence_count=sequence_count)
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What rounding the weights costs trained models.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--sequences", type=int, default=SEQUENCE_COUNT, help=f"of {SEQUENCE_LENGTH} tokens each")
    options = parser.parse_args(arguments)
    cases = run(options.sequences)
    failed = sum(bool(case.failure) for case in cases)
    if options.json:
        print(json.dumps({"passed": len(cases) - failed, "failed": failed, "cases": [asdict(case) for case in cases]}))
    else:
        for case in cases:
            print(" ".join(f"{name}={value}" for name, value in asdict(case).items()))
        print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
