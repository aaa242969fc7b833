"""What the engine costs on the network, by the network's own cost table, on decoders of well-known shapes.

    python -m tests.benchmarks.engine --shape smollm2-135m [--weights int8] [--json]
    python -m tests.benchmarks.engine --all
    python -m tests.benchmarks.engine --kernels

Weights are random, but go through the importer's ONNX writer and the compiler. The shipped module, whose hash is
reported, runs them on the practice network's executor, which counts instructions exactly and page touches with them.
What is run has one layer or two, and a small vocabulary or twice that: layers cost the same, and so do the parts of the
vocabulary, so the whole follows (pages to within the rounding of a few; choosing a token depends on the numbers).
`--kernels` measures the matrix kernels in a module of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime

from personal_ai.canister.build import WASM
from personal_ai.canister.instructions import engine_costs, kind, terms
from personal_ai.canister.upload import Upload
from personal_ai.common.jobs import Cancel, Meter, ignore_progress
from personal_ai.common.paths import resource
from personal_ai.compiler.builder import Builder
from personal_ai.compiler.compile import ProgramInfo, compile_onnx
from personal_ai.compiler.foretelling import foretell
from personal_ai.compiler.format import Code, RowSource
from personal_ai.compiler.ir import ONE
from personal_ai.compiler.onnx_graph import Int4Matrix
from personal_ai.compiler.values import BlockMatrix, Constant
from personal_ai.ic.profile import IC
from personal_ai.models.decoder import Decoder
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.onnx_file import write_model
from personal_ai.models.quantisation import Quantisation
from personal_ai.replica.messages import Outcome
from tests.benchmarks.programs import lay_out, write_steps
from tests.benchmarks.shapes import CONTEXT_LENGTH, SHAPES, CheapWeights
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness
from tests.canister.installed import QUERY_LIMIT, UPDATE_LIMIT, Installed, Network
from tests.canister.models import GREEDY, hash_of, load
from tests.compiler.unpacking import read_unpacked

PAGE_TOUCH_INSTRUCTIONS = 80_000
CONTEXT = 256  # positions that are cached when a token is decoded
PROMPT = 300  # tokens of the prompt whose first reply token is timed
_VOCABULARY = 4096  # of the models that are run: heads as large as this are screened, as those of the whole are


@dataclass(frozen=True)
class Counts:
    """What messages to one canister used. Instructions are without page touches; pages count once per kind of access.

    prompt: PROMPT tokens and the choice of one. one, three: so many tokens after CONTEXT cached ones. pages: of `one`.
    """

    prompt: float
    one: float
    three: float
    pages: float
    prompt_pages: float
    weights: float
    heap_bytes: float

    def plus(self, factor: float, more: Counts, less: Counts) -> Counts:
        """With `factor` times the difference of two others added."""
        names = [field.name for field in fields(self)]
        grown = {name: getattr(more, name) - getattr(less, name) for name in names}
        return Counts(**{name: getattr(self, name) + factor * grown[name] for name in names})


def measure(name: str, weights: Quantisation) -> dict[str, Any]:
    """The figures of one shape, from one layer, two layers, and two vocabularies behind a thin layer."""
    decoder = SHAPES[name]
    small = replace(decoder, layer_count=1, vocabulary_size=_VOCABULARY)
    one = counts_of(small, weights)
    two = counts_of(replace(small, layer_count=2), weights)
    thin = replace(small, head_count=1, key_value_head_count=1, intermediate_size=64)
    narrow = counts_of(thin, weights)
    wide = counts_of(replace(thin, vocabulary_size=2 * _VOCABULARY), weights)
    whole = one.plus(decoder.layer_count - 1, two, one)
    return _figures(name, weights, whole.plus(decoder.vocabulary_size / _VOCABULARY - 1, wide, narrow))


def _figures(name: str, weights: Quantisation, counts: Counts) -> dict[str, Any]:
    step = (counts.three - counts.one) / 2
    touches = PAGE_TOUCH_INSTRUCTIONS * counts.pages
    fixed = counts.one - step + touches
    per_update = (UPDATE_LIMIT - fixed) / step
    prompt = counts.prompt + PAGE_TOUCH_INSTRUCTIONS * counts.prompt_pages
    seconds = UPDATE_LIMIT / IC.pacing.slice_instructions * IC.pacing.round_s
    return {
        "module_hash": hashlib.sha256(resource(WASM).read_bytes()).hexdigest(),
        "shape": name,
        "weights": weights,
        "context": CONTEXT,
        "tokens_per_update": int(per_update),
        "tokens_per_query": max(0, int((QUERY_LIMIT - fixed) / step)),
        "instructions_per_token": round(step),
        "instructions_per_weight": round(step / counts.weights, 4),
        "other_share": round(1 - _product_instructions(name, weights) / step, 4),
        "page_touch_instructions": round(touches),
        "prefill_instructions_per_token": round(counts.prompt / PROMPT),
        "prompt_tokens_per_update": int((UPDATE_LIMIT - fixed) * PROMPT / counts.prompt),
        "first_token_instructions": round(prompt),
        "tokens_per_second_at_profile": round(per_update / seconds, 2),
        "heap_bytes": round(counts.heap_bytes),
    }


def _product_instructions(name: str, weights: Quantisation) -> float:
    """What the products of weights take of a token: their terms by the engine's measured costs."""
    program = foretell(SHAPES[name], weights)
    return sum(
        cost * term
        for step in program.steps
        if step.code is Code.MATMUL
        for cost, term in zip(engine_costs().token[kind(step, program.kept)], terms(step, 1, CONTEXT), strict=True)
    )


def counts_of(decoder: Decoder, weights: Quantisation) -> Counts:
    with tempfile.TemporaryDirectory() as scratch:
        info = compile_shape(Path(scratch), decoder, weights)
        canister = Network(Path(scratch) / "network").canister()
        load(canister.client, Upload.of("Benchmark", [("program", info.path)]))
        tokens = [7 * i % decoder.vocabulary_size for i in range(PROMPT)]
        prompt = _outcome(canister, 0, tokens, 1, tokens)
        one = _outcome(canister, CONTEXT, [1], 1, tokens)  # other tokens than before: what is known is not computed
        three = _outcome(canister, CONTEXT, [2], 3, tokens)
    accesses = {use: use.pages_touched + use.pages_dirtied for use in (prompt, one, three)}
    plain = {use: use.instructions - PAGE_TOUCH_INSTRUCTIONS * accesses[use] for use in (prompt, one, three)}
    return Counts(
        *(plain[prompt], plain[one], plain[three], accesses[one], accesses[prompt]),
        *(info.weights_per_token, info.heap_bytes),
    )


def _outcome(canister: Installed, keep: int, append: list[int], count: int, tokens: list[int]) -> Outcome:
    """What the message used that goes on after `keep` of the tokens with `append` and `count` chosen ones."""
    generated = canister.client.generate(
        conversation=b"benchmark",
        keep=keep,
        keep_hash=hash_of(tokens[:keep]),
        append=append,
        max_tokens=count,
        sampling=GREEDY,
    )
    assert len(generated.tokens) == count
    return canister.calls[-1][1]


def compile_shape(folder: Path, decoder: Decoder, weights: Quantisation) -> ProgramInfo:
    """The program of a decoder with cheap weights, in `folder`."""
    meter = Meter("write", 1, "values", ignore_progress)
    write_model(folder, decoder, CheapWeights(), quantisation=weights, meter=meter, cancel=Cancel())
    target = folder / "program"
    return compile_onnx(folder / MODEL_FILE, target, end_tokens=(), context_length=CONTEXT_LENGTH)


def kernel_costs(harness: wasmtime.Module) -> dict[str, float]:
    """Instructions per multiplication of the matrix kernels."""
    return {
        f"{weights} {inputs}x{outputs}, {rows} rows": round(kernel_cost(harness, weights, inputs, outputs, rows), 4)
        for weights in ("int4", "int4 packed", "int8", "f32")
        for inputs, outputs in ((576, 1536), (768, 3072), (3072, 768))
        for rows in (1, 4, 8, 16)
    }


def kernel_cost(harness: wasmtime.Module, weights: str, inputs: int, outputs: int, rows: int) -> float:
    """Instructions per multiplication, from programs with one and with two equal products."""
    one, two = (_product_cost(harness, weights, inputs, outputs, rows=rows, count=count) for count in (1, 2))
    return (two - one) / (inputs * outputs * rows)


def _product_cost(harness: wasmtime.Module, weights: str, inputs: int, outputs: int, *, rows: int, count: int) -> int:
    builder = Builder()
    table = np.ones((8, inputs), dtype=np.float32)
    x = builder.look_up(builder.matrix(Constant(table, transposed=True)), RowSource.TOKENS)
    for _ in range(count):
        builder.multiply(x, _matrix(weights, inputs, outputs))
    last = builder.emit(Code.LAST_ROW, [x], ONE, inputs)
    logits = builder.multiply(last, _matrix(weights, inputs, 8))
    if weights in ("int4", "int8 head"):
        lay_out(builder.steps, head=weights == "int8 head")
    with tempfile.TemporaryDirectory() as scratch:
        program = write_steps(Path(scratch) / "program", builder.steps, logits)
        engine = WasmEngine(harness, read_unpacked(program))
    engine.forward([1] * rows, 0)
    return engine.instructions


def _matrix(weights: str, inputs: int, outputs: int) -> Constant | BlockMatrix:
    if weights == "f32":
        return Constant(np.zeros((inputs, outputs), dtype=np.float32))
    scales = np.zeros((inputs // 64, outputs), dtype=np.float32)
    if weights.startswith("int4"):
        return BlockMatrix(Int4Matrix(np.zeros(inputs * outputs // 2, dtype=np.uint8), (inputs, outputs)), scales, 64)
    values = np.zeros((inputs, outputs), dtype=np.int8)
    if weights == "int8 head":  # its exact part depends on the numbers: no two results are equal
        values[0] = np.arange(outputs, dtype=np.int32) % 127
        scales[0] = np.linspace(0.1, 1, outputs)
    return BlockMatrix(values, scales, 64)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--all", action="store_true", help="every shape")
    parser.add_argument("--kernels", action="store_true", help="the matrix kernels alone")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.kernels:
        with tempfile.TemporaryDirectory() as scratch:
            harness = compile_harness(Path(scratch) / "harness.wasm")
        print(json.dumps(kernel_costs(harness), indent=None if chosen.json else 1))
        return 0
    for name in SHAPES if chosen.all else (chosen.shape,):
        figures = measure(name, chosen.weights)
        print(json.dumps(figures) if chosen.json else "\n".join(f"{key:32} {figures[key]:>16}" for key in figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
