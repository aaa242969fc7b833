"""From a model package to a program file for the canister.

The same package gives the same bytes. Nothing is requantised: the numbers of the ONNX file are repacked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from personal_ai.common.files import storage_errors, sync_folder
from personal_ai.common.jobs import Cancel, ProgressCallback, ignore_progress
from personal_ai.compiler import format as f
from personal_ai.compiler.fusion import fuse
from personal_ai.compiler.graph_elements import ELEMENT_HANDLERS
from personal_ai.compiler.graph_lowering import lower_graph
from personal_ai.compiler.graph_planning import GraphPlan
from personal_ai.compiler.graph_shapes import SHAPE_HANDLERS
from personal_ai.compiler.ir import Step, Weight
from personal_ai.compiler.layouts import fastest
from personal_ai.compiler.lower_attention import ATTENTION_HANDLERS
from personal_ai.compiler.lower_floats import FLOAT_HANDLERS
from personal_ai.compiler.lower_integers import INTEGER_HANDLERS
from personal_ai.compiler.lowering import Lowered, lower
from personal_ai.compiler.obstacles import ModelObstaclesError, Obstacle
from personal_ai.compiler.onnx_graph import OnnxGraph, read_onnx
from personal_ai.compiler.planning import Plan, Sizes
from personal_ai.compiler.program import Program
from personal_ai.compiler.program_file import tables_size_bytes
from personal_ai.compiler.program_writer import file_size_bytes, weights_size_bytes, write_file
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.package import ModelPackage

HEAP_SIZE_BYTES_MAX = 7 << 29  # 3.5 GiB of a canister's 4 GiB: the rest is for uploads and the engine itself
CONTEXT_LENGTH_DEFAULT = 4096  # keys and values are rented: a longer context must be asked for
CONTEXT_LENGTH_MIN = 64  # less is no conversation
SEQUENCE_MAX = 32  # two batches of the widest kernel

_ENGINE_SIZE_BYTES = 1 << 20  # the module's own data, stack and scratch
_HANDLERS = INTEGER_HANDLERS | FLOAT_HANDLERS | ATTENTION_HANDLERS


@dataclass(frozen=True, slots=True)
class ProgramSizes:
    """How large a program is. heap_bytes: the program, activations, and keys and values of a full context.

    program_bytes: of the program in the heap, where weights of 4 bits take more than in the file.
    context_length: the most tokens of prompt and reply; it may be less than the model's own.
    weights_per_token: multiplications with weights that one token of a reply needs.
    """

    size_bytes: int
    program_bytes: int
    heap_bytes: int
    arena_bytes: int
    state_bytes: int
    vocabulary_size: int
    context_length: int
    weights_per_token: int


@dataclass(frozen=True, slots=True)
class ProgramInfo(ProgramSizes):
    """What was written, and where."""

    path: Path


@dataclass(frozen=True, slots=True)
class Foretold:
    """A program that need not exist: its sizes, its steps, and how it keeps keys and values."""

    sizes: ProgramSizes
    steps: tuple[Step, ...]
    kept: f.Element


def compile_package(
    package: ModelPackage,
    target: Path,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
    context_length: int = CONTEXT_LENGTH_DEFAULT,
) -> ProgramInfo:
    """Writes the package's program to `target`, whole or not at all, for up to `context_length` tokens.

    Raises ModelObstaclesError with every reason found, FormatError for a damaged ONNX file, StorageError, Cancelled.
    """
    manifest = package.manifest
    if isinstance(manifest.network, Encoder):
        maxima = {"sequence": min(context_length, manifest.context_length)}
        return compile_graph(package.onnx_path, target, maxima=maxima, on_progress=on_progress, cancel=cancel)
    return compile_onnx(
        package.onnx_path,
        target,
        end_tokens=manifest.end_tokens,
        context_length=min(context_length, manifest.context_length),
        on_progress=on_progress,
        cancel=cancel,
    )


def check(onnx_path: Path, context_length: int = CONTEXT_LENGTH_DEFAULT) -> tuple[Obstacle, ...]:
    """Every reason why the model cannot run in a canister; none where it can. Raises FormatError."""
    try:
        _plan(read_onnx(onnx_path), (), context_length)
    except ModelObstaclesError as error:
        return error.obstacles
    return ()


def compile_onnx(
    onnx_path: Path,
    target: Path,
    *,
    end_tokens: tuple[int, ...],
    context_length: int,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> ProgramInfo:
    """As `compile_package`, from an ONNX file alone."""
    plan, steps = _plan(read_onnx(onnx_path), end_tokens, context_length)
    program = write_program(plan, target, on_progress, cancel or Cancel())
    sizes = _sizes(program, steps, target.stat().st_size)
    return ProgramInfo(**asdict(sizes), path=target)


def foretell_program(graph: OnnxGraph, context_length: int) -> Foretold:
    """The program of a graph whose weights need not be there. Raises ModelObstaclesError."""
    plan, steps = _plan(graph, (), context_length)
    program = plan.program([0] * len(plan.weights), weights_size_bytes(plan))
    return Foretold(_sizes(program, steps, file_size_bytes(plan)), tuple(steps), plan.kept_element)


def compile_graph(
    onnx_path: Path,
    target: Path,
    *,
    maxima: Mapping[str, int],
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> ProgramInfo:
    """The program of any graph from named tensors to named tensors, for lengths up to `maxima` (by the graph's names).

    Raises ModelObstaclesError with every reason found, FormatError, StorageError, Cancelled.
    """
    lowered = lower_graph(read_onnx(onnx_path), ELEMENT_HANDLERS | SHAPE_HANDLERS, maxima)
    if lowered.obstacles:
        raise ModelObstaclesError(lowered.obstacles)
    plan = GraphPlan(lowered, [maxima[symbol] for symbol in lowered.symbols])
    weights_size = weights_size_bytes(plan)
    needed = weights_size + plan.arena_size_bytes + _ENGINE_SIZE_BYTES
    if needed > HEAP_SIZE_BYTES_MAX or plan.arena_size_bytes > f.ARENA_SIZE_BYTES_MAX:
        reason = (
            f"weights of {weights_size} bytes and {plan.arena_size_bytes} of what is computed do not fit: the heap "
            f"takes {HEAP_SIZE_BYTES_MAX}, what is computed {f.ARENA_SIZE_BYTES_MAX}"
        )
        raise ModelObstaclesError([Obstacle("Model", "", reason)])
    program = write_program(plan, target, on_progress, cancel or Cancel())
    return ProgramInfo(**asdict(_sizes(program, (), target.stat().st_size)), path=target)


def write_program(plan: Plan | GraphPlan, target: Path, on_progress: ProgressCallback, cancel: Cancel) -> Program:
    """Writes a planned program to `target`, whole or not at all. Raises StorageError, FormatError, Cancelled."""
    program: list[Program] = []
    _write_aside(target, lambda file: program.append(write_file(plan, file, on_progress, cancel)))
    return program[0]


def plan_of(graph: OnnxGraph, end_tokens: tuple[int, ...], context_length: int) -> Plan:
    """The plan of a program for up to `context_length` tokens. Raises ModelObstaclesError."""
    return _plan(graph, end_tokens, context_length)[0]


def _plan(graph: OnnxGraph, end_tokens: tuple[int, ...], context_length: int) -> tuple[Plan, list[Step]]:
    lowered = lower(graph, _HANDLERS)
    if lowered.obstacles or lowered.logits is None:
        raise ModelObstaclesError(lowered.obstacles)
    steps = fuse(lowered.steps, lowered.logits)
    obstacles = _token_obstacles(steps, lowered.logits.columns, end_tokens)
    if obstacles:
        raise ModelObstaclesError(obstacles)
    sizes = Sizes(_fitting_context(lowered, steps, context_length), SEQUENCE_MAX, end_tokens)
    return _sized_plan(lowered, steps, sizes), steps


def _sized_plan(lowered: Lowered, steps: list[Step], sizes: Sizes) -> Plan:
    assert lowered.logits is not None
    sequence_max = min(sizes.sequence_max, sizes.context_length_max)
    fitted = Sizes(sizes.context_length_max, sequence_max, sizes.end_tokens)
    return Plan(steps, lowered.logits, lowered.kept, fitted)


def _token_obstacles(steps: list[Step], vocabulary_size: int, end_tokens: tuple[int, ...]) -> list[Obstacle]:
    obstacles = [
        Obstacle("Gather", step.node, f"it has {table.rows} rows, fewer than the {vocabulary_size} tokens")
        for step, table in _tables(steps, f.RowSource.TOKENS)
        if table.rows < vocabulary_size
    ]
    if any(token >= vocabulary_size for token in end_tokens):
        obstacles.append(Obstacle("Model", "", "an end token is not in the vocabulary"))
    return obstacles


def _tables(steps: list[Step], source: f.RowSource) -> list[tuple[Step, Weight]]:
    """The tables that are looked up by tokens or positions."""
    found: list[tuple[Step, Weight]] = []
    for step in steps:
        rotary = step.code is f.Code.ROTARY and source is f.RowSource.POSITIONS
        if rotary or (step.code is f.Code.ROWS and step.attributes["source"] == source):
            table = step.inputs[1 if rotary else 0]
            assert isinstance(table, Weight)
            found.append((step, table))
    return found


def _fitting_context(lowered: Lowered, steps: list[Step], wanted: int) -> int:
    """The longest context up to `wanted` that tables and heap allow. Raises ModelObstaclesError.

    Weights lie as the engine is fastest with them where that costs no context, and else as small as they go.
    """
    longest = min([wanted, *(table.rows for _, table in _tables(steps, f.RowSource.POSITIONS))])
    plan = _sized_plan(lowered, steps, Sizes(max(longest, 1), SEQUENCE_MAX, ()))
    smallest = [(weight, weight.element, weight.source) for weight in plan.weights]
    for weight in plan.weights:
        weight.element, weight.source = fastest(weight, plan.logits.columns)
    if _room(plan) < longest:
        for weight, element, source in smallest:
            weight.element, weight.source = element, source
    room = _room(plan)
    if min(longest, room) < CONTEXT_LENGTH_MIN:
        reason = (
            f"weights of {weights_size_bytes(plan)} bytes, activations of {plan.arena_size_bytes} and "
            f"{plan.state_row_size_bytes} for each token of the context (at most {longest}) leave room for "
            f"{max(room, 0)} tokens in a heap of {HEAP_SIZE_BYTES_MAX} bytes; {CONTEXT_LENGTH_MIN} are the least"
        )
        raise ModelObstaclesError([Obstacle("Model", "", reason)])
    return min(longest, room)


def _room(plan: Plan) -> int:
    """Tokens of context whose keys and values the heap has room for beside the rest of the plan."""
    tables_size = tables_size_bytes(plan.program([0] * len(plan.weights), 0))
    fixed = tables_size + weights_size_bytes(plan) + plan.arena_size_bytes + _ENGINE_SIZE_BYTES
    return (HEAP_SIZE_BYTES_MAX - fixed) // max(plan.state_row_size_bytes, 1) - f.STATE_CHUNK - f.GROUP


def _write_aside(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """The file appears at `target` when it is whole. Raises StorageError."""
    with storage_errors(f"save the program {target.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)


def _sizes(program: Program, steps: Sequence[Step], size_bytes: int) -> ProgramSizes:
    products = (step.inputs[1] for step in steps if step.code is f.Code.MATMUL)
    program_bytes = tables_size_bytes(program) + program.weights_size_bytes
    return ProgramSizes(
        size_bytes=size_bytes,
        program_bytes=program_bytes,
        heap_bytes=program_bytes + program.arena_size_bytes + program.state_size_bytes + _ENGINE_SIZE_BYTES,
        arena_bytes=program.arena_size_bytes,
        state_bytes=program.state_size_bytes,
        vocabulary_size=program.vocabulary_size,
        context_length=program.context_length_max,
        weights_per_token=sum(w.rows * w.columns for w in products if isinstance(w, Weight)),
    )
