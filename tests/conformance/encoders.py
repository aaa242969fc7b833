"""Encoders in every weight format: this computer and the canister's engine against plain numpy.

`python -m tests.conformance.encoders [--json]` makes a random checkpoint of each kind, imports it, compiles it and runs
the engine's Wasm on texts of several lengths. Per case:

- tokens_equal: the tokens are those of the folder's own tokenizer
- local_difference: onnxruntime on the f32 package against plain numpy (float64), which knows nothing of our code
- engine_difference: the engine against onnxruntime on the same weights, its optimiser off, relative to the length
- cosine: of the engine's embedding and the unquantised one; random weights are the worst that rounding can meet
- tiles_equal: the same bits however the work is cut

A case passes within BOUNDS.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import wasmtime

from personal_ai.compiler.compile import compile_package
from personal_ai.models.encoders.embedder import Embedder, TextTokens
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import QUANTISATIONS, Quantisation
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import compile_harness
from tests.canister.engine.wasm_graph import WasmGraph
from tests.support.encoders import EncoderShape, reference_embedding, reference_tokens, write_encoder_checkpoint

SHAPES: Final = {
    "bert, mean, unit length": EncoderShape(),
    "bert, first token": EncoderShape(pooling="cls", unit_length=False, prefix="bert."),
    "bert without sentence-transformers": EncoderShape(pooling=None),
    "roberta, mean, unit length": EncoderShape(architecture="roberta", token_types=1, prefix="roberta."),
    "minilm-like": EncoderShape(hidden=128, heads=8, intermediate=512, layers=2),
}
TEXTS: Final = ("", "Where do my words go?", "Grüße, привет, 你好, 🙂 and 1234567890 are encoded. " * 8)
LOCAL_DIFFERENCE_MAX: Final = 1e-5


@dataclass(frozen=True)
class Bounds:
    """What a case of a format may differ by."""

    engine_difference: float
    cosine: float


BOUNDS: Final[dict[Quantisation, Bounds]] = {
    "f32": Bounds(1e-5, 0.999999),
    "int8": Bounds(1e-3, 0.998),
    "int4": Bounds(0.1, 0.93),  # the four-bit kernel looks products up that were rounded to bytes
}


@dataclass(frozen=True)
class Case:
    """What was measured, the worst of all texts; `failure` is empty when it passed."""

    encoder: str
    weights: Quantisation
    local_difference: float
    tokens_equal: bool = True
    engine_difference: float = 0.0
    cosine: float = 1.0
    tiles_equal: bool = True
    failure: str = ""


def measured(harness: wasmtime.Module, folder: Path, name: str) -> Iterator[Case]:
    """The cases of one checkpoint, one for each format."""
    shape = SHAPES[name]
    source = write_encoder_checkpoint(folder / "source", shape)
    library = Library(folder / "library")
    plain = import_folder(source, library, name="f32", quantisation="f32")
    expected = [reference_embedding(source, shape, _cut(reference_tokens(source, text), shape)) for text in TEXTS]
    local = Embedder(plain)
    local_difference = max(
        float(np.abs(local.embed(text) - want).max() / np.linalg.norm(want))
        for text, want in zip(TEXTS, expected, strict=True)
    )
    for weights in QUANTISATIONS:
        package = plain if weights == "f32" else import_folder(source, library, name=weights, quantisation=weights)
        case = Case(name, weights, local_difference=local_difference)
        yield _with_engine(harness, package, case, expected)


def _cut(tokens: list[int], shape: EncoderShape) -> list[int]:
    """The last special token stays."""
    return tokens if len(tokens) <= shape.context else [*tokens[: shape.context - 1], tokens[-1]]


def _with_engine(
    harness: wasmtime.Module, package: ModelPackage, case: Case, expected: Sequence[npt.NDArray[np.float64]]
) -> Case:
    source = package.folder.parent.parent / "source"
    program = source.parent / f"{package.name}.program"
    compile_package(package, program)
    graph = WasmGraph(harness, program)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(package.onnx_path, options)
    tokens = TextTokens(package)
    for text, want in zip(TEXTS, expected, strict=True):
        given = tokens.of(text)
        answer = graph.run(given)["embedding"]
        (same_weights,) = (np.asarray(output) for output in session.run(None, given))
        ids = _cut(reference_tokens(source, text), SHAPES[case.encoder])
        cosine = float(answer[0] @ want / np.linalg.norm(answer) / np.linalg.norm(want))
        difference = float(np.abs(answer - same_weights).max() / np.linalg.norm(same_weights))
        case = replace(
            case,
            tokens_equal=case.tokens_equal and given["input_ids"][0].tolist() == ids,
            engine_difference=max(case.engine_difference, difference),
            cosine=min(case.cosine, cosine),
            tiles_equal=case.tiles_equal and graph.run(given, rows=3)["embedding"].tobytes() == answer.tobytes(),
        )
    return replace(case, failure=failure(case))


def failure(case: Case) -> str:
    """Why the measured case does not pass; empty where it does."""
    bounds = BOUNDS[case.weights]
    checks = {
        "tokens": case.tokens_equal,
        f"local_difference {case.local_difference:.2g}": case.local_difference <= LOCAL_DIFFERENCE_MAX,
        f"engine_difference {case.engine_difference:.2g}": case.engine_difference <= bounds.engine_difference,
        f"cosine {case.cosine:.6f}": case.cosine >= bounds.cosine,
        "another cut gives other bits": case.tiles_equal,
    }
    return "; ".join(reason for reason, passed in checks.items() if not passed)


def run(names: Sequence[str]) -> list[Case]:
    """Every case of the named encoders, in files that are gone afterwards."""
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as scratch:
        harness = compile_harness(Path(scratch) / "harness.wasm")
        for number, name in enumerate(names):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            cases += measured(harness, folder, name)
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Encoders on this computer and in the engine against plain numpy.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--encoder", choices=tuple(SHAPES), action="append", help="default: all")
    options = parser.parse_args(arguments)
    cases = run(options.encoder or tuple(SHAPES))
    failed = sum(bool(case.failure) for case in cases)
    if options.json:
        print(json.dumps({"passed": len(cases) - failed, "failed": failed, "cases": [asdict(case) for case in cases]}))
    else:
        for case in cases:
            print(case)
        print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
