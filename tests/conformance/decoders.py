"""Every architecture in every weight format: the canister's engine against onnxruntime and plain numpy.

`python -m tests.conformance.decoders [--json]` makes a random checkpoint of each architecture, tied and untied, takes
it through the importer's builder and the compiler, and runs the engine's Wasm. Per case:

- reference_difference: onnxruntime on the f32 graph against plain numpy (float64), which knows nothing of our code
- transformers_difference: onnxruntime on the f32 graph against transformers, where that and torch are installed
- logit_difference, logit_difference_relative: the engine against onnxruntime on the f32 graph, not quantised
- engine_difference_relative: the engine against onnxruntime on the same weights, with keys and values rounded as the
  engine keeps them, its optimiser off (that rounds activations to 8 bits): what the engine's own arithmetic costs,
  enlarged by weights that forget nothing, and by keys and values so near to half a step that both round them apart
- start_difference_relative: the same of the first START tokens, among which hardly any lie so near
- greedy_agreement: share of positions with the same most likely token as the unquantised model, given the same text
- splits_equal: the same bits however the text is cut into calls

Relative is to the greatest logit. A case passes when its differences are within BOUNDS and its splits are equal; a
format that the compiler refuses fails with its reason. Random weights have the widest spread that weights can have:
what rounding them costs a trained model is measured by tests.conformance.quantisation.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import wasmtime

from personal_ai.common.errors import BadInputError
from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness
from tests.compiler.unpacking import read_unpacked
from tests.conformance.models import OnnxSteps, write_onnx
from tests.support import reference
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.rounded_cache import as_kept

TOKEN_COUNT: Final = 40
START: Final = 2  # tokens
SPLITS: Final = 4
REFERENCE_DIFFERENCE_MAX: Final = 1e-4

Logits = npt.NDArray[np.float32]

_GROUPED = Shape(heads=4, key_value_heads=2, vocabulary=300, hidden=96, intermediate=160, layers=2)
_LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SHAPES: Final = {
    "gpt2": replace(_GROUPED, architecture="gpt2"),
    "llama": replace(_GROUPED, architecture="llama"),
    "llama 3, stretched positions": replace(_GROUPED, architecture="llama", rope_scaling=_LLAMA_3),
    "smollm2": replace(_GROUPED, architecture="llama", heads=6, key_value_heads=2),
    "mistral": replace(_GROUPED, architecture="mistral"),
    "qwen2": replace(_GROUPED, architecture="qwen2"),
    "qwen3": replace(_GROUPED, architecture="qwen3", head_size=32),
    "mistral, window": replace(_GROUPED, architecture="mistral", window=12),
    "gemma3": replace(_GROUPED, architecture="gemma3_text", layers=3, head_size=32, key_value_heads=1, window=12),
    "gemma3, capped": replace(_GROUPED, architecture="gemma3_text", layers=3, window=12, logit_cap=30.0),
    "phi3": replace(_GROUPED, architecture="phi3"),
    "phi3, part of the head turned": replace(
        _GROUPED, architecture="phi3", head_size=32, partial_rotary=0.75, window=20
    ),
}


@dataclass(frozen=True)
class Bounds:
    """What a case of a format may differ by."""

    logit_difference_relative: float
    engine_difference_relative: float
    start_difference_relative: float
    greedy_agreement: float


BOUNDS: Final[dict[Quantisation, Bounds]] = {
    "f32": Bounds(1e-4, 1e-4, 1e-4, 0.95),
    "int8": Bounds(0.1, 0.015, 2e-3, 0.85),
    "int4": Bounds(0.4, 0.15, 0.15, 0.7),  # the four-bit kernel looks products up that were rounded to bytes
}


@dataclass(frozen=True)
class Case:
    """What was measured; `failure` is empty when it passed."""

    architecture: str
    tied: bool
    weights: Quantisation
    failure: str = ""
    reference_difference: float | None = None
    transformers_difference: float | None = None
    logit_difference: float | None = None
    logit_difference_relative: float | None = None
    engine_difference_relative: float | None = None
    start_difference_relative: float | None = None
    greedy_agreement: float | None = None
    splits_equal: bool | None = None


@dataclass(frozen=True)
class Expectation:
    """What the unquantised model answers at each position of a text."""

    decoder: Decoder
    tokens: list[int]
    logits: Logits


def measured(harness: wasmtime.Module, folder: Path, architecture: str, *, tied: bool) -> Iterator[Case]:
    """The cases of one checkpoint, one for each format."""
    shape = replace(SHAPES[architecture], tied=tied)
    source = write_checkpoint(folder / "source", shape)
    tokens = [int(token) for token in np.random.default_rng(3).integers(0, shape.vocabulary, TOKEN_COUNT)]
    decoder = write_onnx(source, folder / "f32", "f32")
    expected = _onnx_logits(folder / "f32", decoder, tokens)
    expectation = Expectation(decoder, tokens, expected)
    unmeasured = Case(
        architecture,
        tied,
        "f32",
        reference_difference=float(np.abs(expected - reference.logits(source, tokens)).max()),
        transformers_difference=_transformers_difference(source, tokens, expected),
    )
    for weights in BOUNDS:
        case = replace(unmeasured, weights=weights)
        if weights != "f32":
            write_onnx(source, folder / weights, weights)
        try:
            yield _with_engine(case, harness, folder / weights, expectation)
        except BadInputError as error:
            yield replace(case, failure=str(error).replace("\n", " "))


def failure(case: Case) -> str:
    """Why the measured case does not pass; empty where it does."""
    bounds = BOUNDS[case.weights]
    limits = {
        "reference_difference": REFERENCE_DIFFERENCE_MAX,
        "logit_difference_relative": bounds.logit_difference_relative,
        "engine_difference_relative": bounds.engine_difference_relative,
        "start_difference_relative": bounds.start_difference_relative,
    }
    if case.transformers_difference is not None:
        limits["transformers_difference"] = REFERENCE_DIFFERENCE_MAX
    reasons = [
        f"{name} {getattr(case, name):.2g} > {limit}"
        for name, limit in limits.items()
        if not _within(case, name, limit)
    ]
    if (case.greedy_agreement or 0.0) < bounds.greedy_agreement:
        reasons.append(f"greedy_agreement {case.greedy_agreement} < {bounds.greedy_agreement}")
    if not case.splits_equal:
        reasons.append("another cut gives other bits")
    return "; ".join(reasons)


def _within(case: Case, name: str, limit: float) -> bool:
    return bool(getattr(case, name) <= limit)  # False for NaN


def _with_engine(case: Case, harness: wasmtime.Module, model: Path, expectation: Expectation) -> Case:
    """Raises BadInputError when the compiler refuses the model."""
    decoder, tokens, expected = expectation.decoder, expectation.tokens, expectation.logits
    program = model / "program"
    compile_onnx(model / MODEL_FILE, program, end_tokens=(0,), context_length=decoder.context_length)
    engine = WasmEngine(harness, read_unpacked(program))
    logits = np.stack([engine.forward([token], position) for position, token in enumerate(tokens)])
    same_numbers = as_kept(model / MODEL_FILE, decoder, case.weights)
    same_weights = _onnx_logits(model, decoder, tokens, file=same_numbers.name)
    difference = float(np.abs(logits - expected).max())
    case = replace(
        case,
        logit_difference=difference,
        logit_difference_relative=difference / float(np.abs(expected).max()),
        engine_difference_relative=_relative(logits, same_weights),
        start_difference_relative=_relative(logits[:START], same_weights[:START]),
        greedy_agreement=float((logits.argmax(-1) == expected.argmax(-1)).mean()),
        splits_equal=all(engine.run(tokens, split).tobytes() == logits[-1].tobytes() for split in _splits()),
    )
    return replace(case, failure=failure(case))


def _relative(logits: Logits, expected: Logits) -> float:
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def _splits() -> Iterator[list[int]]:
    random = np.random.default_rng(11)
    for _ in range(SPLITS):
        cuts = sorted({0, TOKEN_COUNT, TOKEN_COUNT // 2, *random.integers(1, TOKEN_COUNT, 5).tolist()})
        yield [end - start for start, end in pairwise(cuts)]


def _transformers_difference(source: Path, tokens: list[int], logits: Logits) -> float | None:
    """The greatest difference from transformers; None where it is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "transformers")):
        return None
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    with torch.no_grad():
        theirs = model.eval()(torch.tensor([tokens])).logits[0].numpy()
    return float(np.abs(logits - theirs).max())


def _onnx_logits(model: Path, decoder: Decoder, tokens: Sequence[int], *, file: str = MODEL_FILE) -> Logits:
    """The logits [tokens, vocabulary] of every position, the text given token by token, without the optimiser."""
    steps = OnnxSteps(model, decoder, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, file=file)
    return np.stack([steps.forward([token], past) for past, token in enumerate(tokens)])


def run(architectures: Sequence[str]) -> list[Case]:
    """Every case of the named architectures, in files that are gone afterwards."""
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as name:
        harness = compile_harness(Path(name) / "harness.wasm")
        for number, (architecture, tied) in enumerate((a, t) for a in architectures for t in (False, True)):
            folder = Path(name) / str(number)
            folder.mkdir()
            cases += measured(harness, folder, architecture, tied=tied)
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The engine against onnxruntime, for every architecture and format.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--architecture", choices=tuple(SHAPES), action="append", help="default: all")
    options = parser.parse_args(arguments)
    cases = run(options.architecture or tuple(SHAPES))
    failed = sum(bool(case.failure) for case in cases)
    if options.json:
        print(json.dumps({"passed": len(cases) - failed, "failed": failed, "cases": [asdict(case) for case in cases]}))
    else:
        for case in cases:
            print(
                " ".join(
                    f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}"
                    for key, value in asdict(case).items()
                )
            )
        print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
