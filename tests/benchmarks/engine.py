"""What the engine costs on the network, by the network's own cost table, on decoders of well-known shapes.

    python -m tests.benchmarks.engine --shape smollm2-135m [--weights int8] [--json]
    python -m tests.benchmarks.engine --all
    python -m tests.benchmarks.engine --kernels

Weights are random, but go through the importer's ONNX writer and the compiler; the engine is compiled from the
canister's sources. Instructions are counted exactly (basic blocks, cost table); they do not depend on the numbers.
Page touches (80,000 instructions for the first read and 80,000 for the first write of a page in a message) are worked
out from the sizes of what a message touches.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import wasmtime

from personal_ai.common.jobs import Cancel, Meter, ignore_progress
from personal_ai.compiler.builder import Builder
from personal_ai.compiler.compile import ProgramInfo, compile_onnx
from personal_ai.compiler.format import Code, RowSource
from personal_ai.compiler.ir import ONE
from personal_ai.compiler.onnx_graph import Int4Matrix
from personal_ai.compiler.values import BlockMatrix, Constant
from personal_ai.models.decoder import Decoder, Rope, Weight
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.onnx_file import write_model
from personal_ai.models.quantisation import Quantisation
from tests.benchmarks.programs import write_steps
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness

UPDATE_LIMIT = 40_000_000_000
QUERY_LIMIT = 5_000_000_000
PAGE_SIZE_BYTES = 65_536
PAGE_TOUCH_INSTRUCTIONS = 80_000
CONTEXT = 256  # positions that are cached when a token is decoded
PROMPT = 300  # tokens of the prompt whose first reply token is timed
_CONTEXT_LENGTH = 512

Floats = npt.NDArray[np.float32]


def _shape(
    vocabulary: int, hidden: int, layers: int, heads: tuple[int, int, int], inner: int, **changes: Any
) -> Decoder:
    """A Llama-like decoder; heads: of queries, of keys, size of each."""
    decoder = Decoder(
        architecture="benchmark",
        vocabulary_size=vocabulary,
        hidden_size=hidden,
        layer_count=layers,
        head_count=heads[0],
        key_value_head_count=heads[1],
        head_size=heads[2],
        intermediate_size=inner,
        context_length=_CONTEXT_LENGTH,
        norm_epsilon=1e-5,
        activation="silu",
        rope=Rope(10_000.0),
        tied_embedding=True,
        qkv_bias=False,
        output_bias=False,
        mlp_bias=False,
        qk_norm=False,
    )
    return replace(decoder, **changes)


_GPT2 = {"activation": "gelu_tanh", "rope": None, "qkv_bias": True, "output_bias": True, "mlp_bias": True}
SHAPES: Final = {
    "gpt2": _shape(50257, 768, 12, (12, 12, 64), 3072, **_GPT2),
    "smollm2-135m": _shape(49152, 576, 30, (9, 3, 64), 1536),
    "qwen2.5-0.5b": _shape(151936, 896, 24, (14, 2, 64), 4864, qkv_bias=True),
    "qwen3-0.6b": _shape(151936, 1024, 28, (16, 8, 128), 3072, qk_norm=True),
    "llama3.2-1b": _shape(128256, 2048, 16, (32, 8, 64), 8192),
}


class CheapWeights:
    """Random numbers from one small pool, another part of it for each weight (equal weights are stored once)."""

    def __init__(self) -> None:
        self._pool = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32) * np.float32(0.05)

    def vector(self, weight: Weight) -> Floats:
        return np.resize(self._part(weight), weight.shape) + np.float32(1.0)

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        inputs = weight.shape[0 if weight.kind == "matrix" else 1]
        return np.resize(self._part(weight), (inputs, stop - start))

    def _part(self, weight: Weight) -> Floats:
        return self._pool[zlib.crc32(weight.name.encode()) % (1 << 16) :]


def measure(harness: wasmtime.Module, name: str, weights: Quantisation) -> dict[str, Any]:
    """The figures of one shape."""
    with tempfile.TemporaryDirectory() as scratch:
        info = _compile(Path(scratch), SHAPES[name], weights)
        engine = WasmEngine(harness, info.path.read_bytes())
    began = time.perf_counter()
    engine.forward([1], CONTEXT - 1)
    decode_s, decode = time.perf_counter() - began, engine.instructions
    prompt = sum(_chunk(engine, start, min(32, PROMPT - start), last=start + 32 >= PROMPT) for start in _starts())
    pages = _page_touch_instructions(info, CONTEXT)
    return {
        "shape": name,
        "weights": weights,
        "context": CONTEXT,
        "tokens_per_update": (UPDATE_LIMIT - pages) // decode,
        "tokens_per_query": (QUERY_LIMIT - pages) // decode,
        "instructions_per_token": decode,
        "instructions_per_weight": round(decode / info.weights_per_token, 4),
        "page_touch_instructions": pages,
        "prefill_instructions_per_token": prompt // PROMPT,
        "prompt_tokens_per_update": (UPDATE_LIMIT - pages) * PROMPT // prompt,
        "first_token_instructions": prompt + pages,
        "heap_bytes": info.heap_bytes,
        "program_bytes": info.size_bytes,
        "seconds_per_token_here": round(decode_s, 4),
    }


def _starts() -> range:
    return range(0, PROMPT, 32)


def _chunk(engine: WasmEngine, start: int, count: int, *, last: bool) -> int:
    tokens = list(range(count))
    if last:
        engine.forward(tokens, start)
    else:
        assert engine.absorb(tokens, start) == ""
    return engine.instructions


def _page_touch_instructions(info: ProgramInfo, context: int) -> int:
    state_bytes = info.state_bytes * context // info.context_length
    read = -(-info.size_bytes // PAGE_SIZE_BYTES)
    written = sum(-(-size // PAGE_SIZE_BYTES) for size in (info.arena_bytes, state_bytes))
    return PAGE_TOUCH_INSTRUCTIONS * (read + 2 * written)


def _compile(folder: Path, decoder: Decoder, weights: Quantisation) -> ProgramInfo:
    meter = Meter("write", 1, "values", ignore_progress)
    write_model(folder, decoder, CheapWeights(), quantisation=weights, meter=meter, cancel=Cancel())
    target = folder / "program"
    return compile_onnx(folder / MODEL_FILE, target, end_tokens=(), context_length=_CONTEXT_LENGTH)


def kernel_costs(harness: wasmtime.Module) -> dict[str, float]:
    """Instructions per multiplication of the matrix kernels."""
    return {
        f"{weights} {inputs}x{outputs}, {rows} rows": round(kernel_cost(harness, weights, inputs, outputs, rows), 4)
        for weights in ("int4", "int8", "f32")
        for inputs, outputs in ((576, 1536), (768, 3072), (3072, 768))
        for rows in (1, 4, 8, 16)
    }


def kernel_cost(harness: wasmtime.Module, weights: str, inputs: int, outputs: int, rows: int) -> float:
    """Instructions per multiplication, from programs with one and with two equal products."""
    one, two = (_product_cost(harness, weights, inputs, outputs, rows=rows, count=count) for count in (1, 2))
    return (two - one) / (inputs * outputs * rows)


def _product_cost(harness: wasmtime.Module, weights: str, inputs: int, outputs: int, *, rows: int, count: int) -> int:
    builder = Builder()
    table = np.zeros((8, inputs), dtype=np.float32)
    x = builder.look_up(builder.matrix(Constant(table, transposed=True)), RowSource.TOKENS)
    for _ in range(count):
        builder.multiply(x, _matrix(weights, inputs, outputs))
    last = builder.emit(Code.LAST_ROW, [x], ONE, inputs)
    logits = builder.multiply(last, _matrix(weights, inputs, 8))
    with tempfile.TemporaryDirectory() as scratch:
        program = write_steps(Path(scratch) / "program", builder.steps, logits)
        engine = WasmEngine(harness, program.read_bytes())
    engine.forward([1] * rows, 0)
    return engine.instructions


def _matrix(weights: str, inputs: int, outputs: int) -> Constant | BlockMatrix:
    if weights == "f32":
        return Constant(np.zeros((inputs, outputs), dtype=np.float32))
    scales = np.zeros((inputs // 64, outputs), dtype=np.float32)
    if weights == "int4":
        return BlockMatrix(Int4Matrix(np.zeros(inputs * outputs // 2, dtype=np.uint8), (inputs, outputs)), scales, 64)
    return BlockMatrix(np.zeros((inputs, outputs), dtype=np.int8), scales, 64)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--all", action="store_true", help="every shape")
    parser.add_argument("--kernels", action="store_true", help="the matrix kernels alone")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        harness = compile_harness(Path(scratch) / "harness.wasm")
    if chosen.kernels:
        print(json.dumps(kernel_costs(harness), indent=None if chosen.json else 1))
        return 0
    for name in SHAPES if chosen.all else (chosen.shape,):
        figures = measure(harness, name, chosen.weights)
        print(json.dumps(figures) if chosen.json else "\n".join(f"{key:32} {figures[key]:>16}" for key in figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
