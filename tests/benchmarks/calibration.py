"""What the terms of `personal_ai.canister.instructions` cost in the real engine, counted exactly.

Each kind of step is measured by itself: programs with one and with two equal steps differ by the step alone. Sizes are
those of real models. The costs of the terms follow by least squares of the relative error.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import wasmtime

from personal_ai.canister import instructions
from personal_ai.canister.heap import heap_need
from personal_ai.canister.instructions import EngineCosts, Terms
from personal_ai.canister.upload import CHUNK_SIZE_BYTES, Upload
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.compiler.builder import Builder
from personal_ai.compiler.compile import SEQUENCE_MAX, write_program
from personal_ai.compiler.foretelling import foretell
from personal_ai.compiler.format import Code, Element, RowSource
from personal_ai.compiler.ir import ONE, TOKENS, Activation, Kept, Step, Weight
from personal_ai.compiler.layouts import SCREENED_OUTPUTS_MIN
from personal_ai.compiler.onnx_graph import Int4Matrix
from personal_ai.compiler.planning import Plan, Sizes
from personal_ai.compiler.values import BlockMatrix, Constant
from personal_ai.ic.profile import IC
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from tests.benchmarks.engine import CONTEXT, compile_shape, counts_of
from tests.benchmarks.programs import lay_out
from tests.benchmarks.shapes import SHAPES
from tests.canister.engine.wasm_engine import WasmEngine
from tests.canister.installed import Network
from tests.canister.models import load
from tests.compiler.unpacking import read_unpacked

_CONTEXT = 2048
_TOKENS = 8  # rows of the tables that are looked up
_PASTS: Final = (31, 255, 1920)
_WIDTHS: Final = (576, 896, 2048)
_MATRICES: Final = ((576, 1536), (1536, 576), (576, 192), (896, 4864), (1024, 2048), (576, 4096))
_HEAD_MATRICES: Final = ((576, 4096), (576, 16384), (1024, 8192))
_UPLOADED: Final = (16384, 32768)  # vocabularies: more bytes than one slice of loading takes, fewer than one message
_TABLE: Final = 8192  # rows, as many bytes in f32
_PARTS: Final = {"begin_upload": "upload", "put_chunk": "upload", "canister_global_timer": "activate"}
_VOCABULARIES: Final = (1024, 8192)
_THIN: Final = replace(SHAPES["smollm2-135m"], layer_count=1)
_HEADS: Final = ((9, 3, 64), (12, 12, 64), (16, 8, 128), (14, 2, 64), (32, 8, 64), (4, 1, 256))

Make = Callable[[Builder, Activation, int], None]  # adds one step; the number tells equal steps' memory apart


@dataclass(frozen=True)
class Case:
    """One step to measure: the width of its input, how keys and values are kept, and the layout of integers."""

    width: int
    make: Make
    heads: tuple[int, int, int] | None = None
    quantised: bool = True
    layout: Literal["smallest", "fastest", "head"] = "smallest"


def calibrate(harness: wasmtime.Module) -> EngineCosts:
    """The costs of the engine as it is built from its sources now."""
    token, prompt = (
        {kind: _fitted(samples) for kind, samples in sorted(_samples(harness, rows).items())}
        for rows in (1, SEQUENCE_MAX)
    )
    costs = EngineCosts(token, prompt, choice=(0.0, 0.0), message=0.0, message_pages=0.0)
    return _with_deployment(_with_messages(costs))


def _with_messages(costs: EngineCosts) -> EngineCosts:
    """What whole messages to the canister take beside the steps, from decoders of two vocabularies."""
    narrow, wide = (replace(_THIN, vocabulary_size=size) for size in _VOCABULARIES)
    (first, fixed, pages), (second, _, _) = (_beside_steps(decoder, costs) for decoder in (narrow, wide))
    per_token = (second - first) / (wide.vocabulary_size - narrow.vocabulary_size)
    choice = first - per_token * narrow.vocabulary_size, per_token
    return replace(costs, choice=choice, message=fixed, message_pages=pages)


def _with_deployment(costs: EngineCosts) -> EngineCosts:
    """What installing, uploading and activating take.

    From a table of floats, on which hardly any instruction is spent, and from a head of two sizes, which has more bytes
    in the heap than in the file.
    """
    without, table = (
        _deployed(replace(_THIN, vocabulary_size=_TABLE, tied_embedding=tied), "f32", costs) for tied in (True, False)
    )
    table_bytes = table["size"] - without["size"]
    per_sent_byte, per_byte = ((table[key] - without[key]) / table_bytes for key in ("upload", "activate"))
    small, large = (_deployed(replace(_THIN, vocabulary_size=size), "int8", costs) for size in _UPLOADED)
    loading = large["activate"] - small["activate"] - (large["size"] - small["size"]) * per_byte
    per_added_byte = loading / (large["added"] - small["added"])
    chunks = -(-small["size"] // CHUNK_SIZE_BYTES)
    fixed = small["activate"] - small["size"] * per_byte - small["added"] * per_added_byte
    return replace(
        costs,
        install=small["install"],
        upload=((small["upload"] - small["size"] * per_sent_byte) / chunks, per_sent_byte),
        activate=(fixed, per_byte, per_added_byte),
        unused_heap_bytes=round(large["unused_heap_bytes"]),
    )


def _deployed(decoder: Decoder, quantisation: Quantisation, costs: EngineCosts) -> dict[str, float]:
    """Instructions of what deploys the decoder (the timer's messages with their base cost); the upload's bytes
    (`size`), how many more the program has in the heap (`added`), and unused heap.
    """
    with tempfile.TemporaryDirectory() as scratch:
        info = compile_shape(Path(scratch), decoder, quantisation)
        canister = Network(Path(scratch) / "network").canister()
        upload = Upload.of("Benchmark", [("program", info.path)])
        load(canister.client, upload)
        heap_bytes = canister.client.status().heap_bytes
    used = Counter(activate=-instructions.activation_instructions(foretell(decoder, quantisation), IC, costs))
    for method, outcome in canister.calls:
        base = IC.costs.update_base if method == "canister_global_timer" else 0  # of calls from outside the plan has it
        used[_PARTS.get(method, method)] += outcome.instructions + base
    unused_bytes = heap_need(info).first_bytes - heap_bytes
    return {
        **used,
        "size": upload.size_bytes,
        "added": info.program_bytes - info.size_bytes,
        "install": canister.installed.instructions / len(canister.wasm),
        "unused_heap_bytes": unused_bytes,
    }


def _beside_steps(decoder: Decoder, costs: EngineCosts) -> tuple[float, float, float]:
    """Instructions of choosing a token, instructions of a message, and pages that it touches."""
    counts = counts_of(decoder, "int8")
    foretold = foretell(decoder, "int8")
    step = (counts.three - counts.one) / 2
    told = instructions.pace(foretold, IC, cached=CONTEXT, costs=costs)
    pages = told.message / IC.limits.page_read_instructions
    return step - told.token, counts.one - step, counts.pages - pages


def _fitted(samples: list[tuple[Terms, float]]) -> Terms:
    """The costs that leave the least relative error; none is negative."""
    terms = np.array([each for each, _ in samples])
    cost = np.array([cost for _, cost in samples])
    scaled = terms / cost[:, None]
    chosen = np.arange(terms.shape[1])
    while True:
        found, *_ = np.linalg.lstsq(scaled[:, chosen], np.ones(len(cost)), rcond=None)
        if (found >= 0).all():
            break
        chosen = np.delete(chosen, found.argmin())
    result = np.zeros(terms.shape[1])
    result[chosen] = found
    return tuple(float(f"{value:.6g}") for value in result)


def _samples(harness: wasmtime.Module, rows: int) -> dict[str, list[tuple[Terms, float]]]:
    found: dict[str, list[tuple[Terms, float]]] = defaultdict(list)
    for case in _cases():
        one, two = (_Program(harness, case, count) for count in (1, 2))
        for past in [count // rows * rows for count in (_PASTS if case.heads else _PASTS[:1])]:
            cost = two.instructions(rows, past) - one.instructions(rows, past)
            found[one.kind].append((instructions.terms(one.step, rows, past), cost))
    return found


class _Program:
    """A program with `count` equal steps of one kind."""

    def __init__(self, harness: wasmtime.Module, case: Case, count: int) -> None:
        builder = Builder()
        x = _table_rows(builder, case.width)
        first = len(builder.steps)
        for number in range(count):
            case.make(builder, x, number)
        self.step: Step = builder.steps[-1]
        assert len(builder.steps) == first + count or self.step.code is Code.MATMUL
        if case.layout != "smallest":
            lay_out(builder.steps[first:], head=case.layout == "head")
        last = builder.emit(Code.LAST_ROW, [x], ONE, x.columns)
        logits = builder.multiply(last, _int8(x.columns, 8) if case.quantised else _f32(x.columns, 8))
        kept = tuple(Kept(slot, *case.heads[1:]) for slot in range(2 * count)) if case.heads else ()
        plan = Plan(builder.steps, logits, kept, Sizes(_CONTEXT, SEQUENCE_MAX, ()))
        self.kind = instructions.kind(self.step, plan.kept_element)
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "program"
            write_program(plan, target, ignore_progress, Cancel())
            self._engine = WasmEngine(harness, read_unpacked(target))

    def instructions(self, rows: int, past: int) -> int:
        """What came before need not have been computed: attention's cost depends on how much it is, not on what."""
        self._engine.forward([position % _TOKENS for position in range(rows)], past)
        return self._engine.instructions


def _cases() -> Iterator[Case]:
    for inputs, outputs in _MATRICES:
        for make_matrix in (_int8, _int4, _f32):
            multiply = partial(_multiply, matrix=make_matrix, outputs=outputs)
            yield Case(inputs, multiply)
            if make_matrix is _int4:
                yield Case(inputs, multiply, layout="fastest")
    for inputs, outputs in _HEAD_MATRICES:
        yield Case(inputs, partial(_multiply, matrix=_int8, outputs=outputs), layout="head")
    for width in _WIDTHS:
        yield Case(width, partial(_int8_rows, count=SCREENED_OUTPUTS_MIN), layout="head")
        for make in (_quantise, _rms_norm, _layer_norm, _add, _multiply_rows, _silu_multiply):
            yield Case(width, make)
        for code in (Code.SIGMOID, Code.SILU, Code.GELU_ERF, Code.GELU_TANH, Code.TANH, Code.LAST_ROW):
            yield Case(width, partial(_same, code=code))
        for table in (_f32_rows, _packed_rows, _int8_rows):
            yield Case(width, table)
    for heads in _HEADS:
        yield Case(heads[0] * heads[2], partial(_rotate, heads=heads[0], size=heads[2]))
        for quantised in (True, False):
            for cap in (0.0, 30.0):
                yield Case(heads[0] * heads[2], partial(_attend, heads=heads, cap=cap), heads, quantised)


def _random(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def _table_rows(builder: Builder, width: int) -> Activation:
    return builder.look_up(builder.matrix(Constant(_random(_TOKENS, width), transposed=True)), RowSource.TOKENS)


def _f32(inputs: int, outputs: int) -> Constant:
    return Constant(_random(inputs, outputs))


def _int8(inputs: int, outputs: int) -> BlockMatrix:
    scales = np.full((-(-inputs // 64), outputs), 0.01, dtype=np.float32)
    return BlockMatrix((20 * _random(inputs, outputs)).astype(np.int8), scales, 64)


def _int4(inputs: int, outputs: int) -> BlockMatrix:
    packed = np.random.default_rng(inputs).integers(0, 256, inputs * outputs // 2, dtype=np.uint8)
    scales = np.full((-(-inputs // 64), outputs), 0.01, dtype=np.float32)
    return BlockMatrix(Int4Matrix(packed, (inputs, outputs)), scales, 64)


def _multiply(builder: Builder, x: Activation, number: int, *, matrix: Callable[[int, int], Any], outputs: int) -> None:
    builder.multiply(x, matrix(x.columns, outputs))


def _quantise(builder: Builder, x: Activation, number: int) -> None:
    builder.emit(Code.QUANTISE, [x], x.rows, x.columns, element=Element.I16_BLOCK)


def _same(builder: Builder, x: Activation, number: int, *, code: Code) -> None:
    rows = ONE if code is Code.LAST_ROW else x.rows
    builder.emit(code, [x], rows, x.columns)


def _rms_norm(builder: Builder, x: Activation, number: int) -> None:
    builder.same_shape(Code.RMS_NORM, x, builder.row(_random(x.columns)), epsilon=1e-5)


def _layer_norm(builder: Builder, x: Activation, number: int) -> None:
    gain, bias = builder.row(_random(x.columns)), builder.row(_random(x.columns + 0))
    builder.same_shape(Code.LAYER_NORM, x, gain, bias, epsilon=1e-5)


def _add(builder: Builder, x: Activation, number: int) -> None:
    builder.same_shape(Code.ADD, x, x)


def _multiply_rows(builder: Builder, x: Activation, number: int) -> None:
    builder.same_shape(Code.MULTIPLY, x, x)


def _silu_multiply(builder: Builder, x: Activation, number: int) -> None:
    builder.same_shape(Code.SILU_MULTIPLY, x, x)


def _rotate(builder: Builder, x: Activation, number: int, *, heads: int, size: int) -> None:
    tables = (builder.table(_random(_CONTEXT, size // 2)) for _ in range(2))
    builder.same_shape(Code.ROTARY, x, *tables, heads=heads, head_size=size)


def _attend(builder: Builder, x: Activation, number: int, *, heads: tuple[int, int, int], cap: float) -> None:
    count, key_heads, size = heads
    keys = Activation(TOKENS, key_heads * size, parent=x.root)
    kept = (Kept(2 * number + part, key_heads, size) for part in range(2))
    sizes = {"heads": count, "key_heads": key_heads, "head_size": size, "window": 0}
    builder.same_shape(Code.ATTENTION, x, keys, keys, *kept, **sizes, scale=size**-0.5, cap=cap)


def _f32_rows(builder: Builder, x: Activation, number: int) -> None:
    _look_up(builder, builder.table(_random(_CONTEXT, x.columns)), RowSource.POSITIONS)


def _packed_rows(builder: Builder, x: Activation, number: int) -> None:
    _look_up(builder, builder.matrix(Constant(_random(_TOKENS, x.columns), transposed=True)), RowSource.TOKENS)


def _int8_rows(builder: Builder, x: Activation, number: int, *, count: int = _TOKENS) -> None:
    _look_up(builder, builder.matrix(_int8(x.columns, count)), RowSource.TOKENS)


def _look_up(builder: Builder, table: Weight, source: RowSource) -> None:
    builder.emit(Code.ROWS, [table], TOKENS, table.columns, attributes={"source": int(source)})
