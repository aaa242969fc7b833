"""Programs written by hand that together run every operator of the format with every kind of numbers: the compiler
makes only those that a model needs, and a hostile program is not bound to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from personal_ai.compiler import format as f
from personal_ai.compiler import sizes
from personal_ai.compiler.format import BinaryFunction, Code, Element, Reduction, Storage, UnaryFunction
from personal_ai.compiler.program import Dimension, Operator, Port, Program, Tensor
from personal_ai.compiler.program_file import write_tables

_WIDTH, _HEADS, _HEAD_SIZE = 64, 4, 16
_VOCABULARY = 560  # more than the 32 groups of 16 that a screened head computes again
_CONTEXT, _SEQUENCE_MAX = 48, 8
_BATCH, _SEQUENCE = Dimension(sequence=1), Dimension(past=1)  # the symbols of the graphs
_MAXIMA = (5, 9, 0)
_ITEM_SIZE_BYTES = {Element.F32: 4, Element.I64: 8}


class _Sheet:
    """A program as it grows. Tensors are their numbers; each has memory of its own."""

    def __init__(self, lengths_max: tuple[int, int, int]) -> None:
        self._lengths_max = lengths_max
        self._tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.ports: list[Port] = []
        self._weights = b""
        self._rng = np.random.default_rng(1)
        self.arena_size_bytes = 0

    def arena(self, *shape: int | Dimension, element: Element = Element.F32) -> int:
        dimensions = tuple(Dimension(length) if isinstance(length, int) else length for length in shape)
        lengths = [length.at(*self._lengths_max) for length in dimensions]
        stride = sizes.row_size_bytes(element, lengths[-1])
        offset = self.arena_size_bytes
        self.arena_size_bytes += int(np.prod(lengths[:-1])) * stride
        return self._tensor(element, Storage.ARENA, dimensions, offset, stride)

    def weight(self, rows: int, columns: int, element: Element = Element.F32) -> int:
        """Of floats that are bytes as well."""
        self._weights += bytes(-len(self._weights) % f.ALIGNMENT_BYTES)
        packed = element not in _ITEM_SIZE_BYTES
        stride = 0 if packed else sizes.row_size_bytes(element, columns)
        size = sizes.packed_size_bytes(element, rows, columns) if packed else rows * stride
        offset = len(self._weights)
        self._weights += self._rng.standard_normal(-(-size // 4)).astype("<f4").tobytes()
        return self._tensor(element, Storage.WEIGHTS, (Dimension(rows), Dimension(columns)), offset, stride)

    def state(self, element: Element, offset: int, row_size_bytes: int) -> int:
        shape = (Dimension(_CONTEXT), Dimension(_WIDTH))
        return self._tensor(element, Storage.STATE, shape, offset, row_size_bytes)

    def _tensor(
        self, element: Element, storage: Storage, shape: tuple[Dimension, ...], offset: int, stride: int
    ) -> int:
        self._tensors.append(Tensor(element, storage, shape, offset, stride))
        return len(self._tensors) - 1

    def emit(self, code: Code, inputs: Sequence[int], output: int, **attributes: float) -> int:
        self.operators.append(Operator(code, tuple(inputs), (output,), attributes))
        return output

    def port(self, direction: f.Direction, name: str, tensor: int) -> None:
        self.ports.append(Port(direction, name, tensor))

    def save_decoder(self, path: Path, logits: int, state_row_size_bytes: int, body_operator_count: int) -> Path:
        return self._save(
            path,
            Program(
                vocabulary_size=_VOCABULARY,
                context_length_max=_CONTEXT,
                sequence_max=_SEQUENCE_MAX,
                arena_size_bytes=self.arena_size_bytes,
                state_row_size_bytes=state_row_size_bytes,
                logits=logits,
                body_operator_count=body_operator_count,
                tensors=tuple(self._tensors),
                operators=tuple(self.operators),
                end_tokens=(1,),
                weights_size_bytes=len(self._weights),
            ),
        )

    def save_graph(self, path: Path) -> Path:
        return self._save(
            path,
            Program(
                vocabulary_size=0,
                context_length_max=0,
                sequence_max=0,
                arena_size_bytes=self.arena_size_bytes,
                state_row_size_bytes=0,
                logits=0,
                body_operator_count=0,
                tensors=tuple(self._tensors),
                operators=tuple(self.operators),
                end_tokens=(),
                weights_size_bytes=len(self._weights),
                kind=f.Kind.GRAPH,
                symbol_maxima=self._lengths_max,
                ports=tuple(self.ports),
            ),
        )

    def _save(self, path: Path, program: Program) -> Path:
        with path.open("wb") as file:
            write_tables(program, file)
            file.write(self._weights)
        return path


def decoder(path: Path, kept: Element) -> Path:
    """Everything that a decoder may do. kept: how it keeps keys and values."""
    sheet = _Sheet((_SEQUENCE_MAX, _CONTEXT, 0))
    rows = Dimension(sequence=1)
    embedding = sheet.weight(_VOCABULARY, _WIDTH, Element.I8_SCREENED)
    x = sheet.emit(Code.ROWS, [embedding], sheet.arena(rows, _WIDTH), source=f.RowSource.TOKENS)
    for element in (Element.F32, Element.F32_PACKED, Element.I8_BLOCK_PACKED):
        table = sheet.weight(_CONTEXT, _WIDTH, element)
        places = sheet.emit(Code.ROWS, [table], sheet.arena(rows, _WIDTH), source=f.RowSource.POSITIONS)
        x = sheet.emit(Code.ADD, [x, places], sheet.arena(rows, _WIDTH))
    x = _matrices(sheet, x, (rows,))
    x = sheet.emit(Code.ADD, [x, _attention(sheet, x, kept)], sheet.arena(rows, _WIDTH))
    body_operator_count = len(sheet.operators)
    last = sheet.emit(Code.LAST_ROW, [x], sheet.arena(1, _WIDTH))
    quantised = sheet.emit(Code.QUANTISE, [last], sheet.arena(1, _WIDTH, element=Element.I16_BLOCK))
    logits = sheet.emit(Code.MATMUL, [quantised, embedding, f.NO_OPERAND], sheet.arena(1, _VOCABULARY))
    return sheet.save_decoder(path, logits, 2 * _kept_size_bytes(kept), body_operator_count)


def _kept_size_bytes(kept: Element) -> int:
    return sizes.kept_size_bytes(kept, _HEADS, _HEAD_SIZE)


def _attention(sheet: _Sheet, x: int, kept: Element) -> int:
    rows = Dimension(sequence=1)
    size = _kept_size_bytes(kept)
    keys, values = (sheet.state(kept, place * size, 2 * size) for place in range(2))
    turned = []
    for turned_share in (2, 4):
        tables = [sheet.weight(_CONTEXT, _HEAD_SIZE // turned_share) for _ in range(2)]
        output = sheet.arena(rows, _WIDTH)
        turned.append(sheet.emit(Code.ROTARY, [x, *tables], output, heads=_HEADS, head_size=_HEAD_SIZE))
    for window, cap in ((0, 0.0), (5, 2.0)):
        shape = {"heads": _HEADS, "key_heads": _HEADS, "head_size": _HEAD_SIZE, "window": window}
        output = sheet.arena(rows, _WIDTH)
        x = sheet.emit(Code.ATTENTION, [*turned, x, keys, values], output, **shape, scale=0.25, cap=cap)
    return x


def _matrices(sheet: _Sheet, x: int, rows: tuple[Dimension, ...]) -> int:
    """The operators on rows of whole vectors that decoders and graphs share, one after the other."""

    def emit(code: Code, *inputs: int, **attributes: float) -> int:
        return sheet.emit(code, inputs, sheet.arena(*rows, _WIDTH), **attributes)

    row = sheet.weight(1, _WIDTH)
    x = emit(Code.RMS_NORM, x, row, epsilon=1e-5)
    x = emit(Code.MATMUL, x, sheet.weight(_WIDTH, _WIDTH, Element.F32_PACKED), row)
    x = emit(Code.LAYER_NORM, x, row, sheet.weight(1, _WIDTH), epsilon=1e-5)
    quantised = sheet.arena(*rows, _WIDTH, element=Element.I16_BLOCK)
    for element in (
        Element.I8_BLOCK_PACKED,
        Element.I4_BLOCK_PACKED,
        Element.I4_BLOCK_BYTES,
        Element.I8_SCREENED,
    ):
        sheet.emit(Code.QUANTISE, [x], quantised)
        product = emit(Code.MATMUL, quantised, sheet.weight(_WIDTH, _WIDTH, element), f.NO_OPERAND)
        x = emit(Code.ADD, emit(Code.SIGMOID, product), row)
    for code in (Code.SILU, Code.GELU_ERF, Code.GELU_TANH, Code.TANH):
        x = emit(Code.MULTIPLY, emit(code, x), x)
    return emit(Code.SILU_MULTIPLY, x, product)


def graph_of_matrices(path: Path) -> Path:
    """What graphs share with decoders."""
    sheet = _Sheet(_MAXIMA)
    x = sheet.arena(_BATCH, _SEQUENCE, _WIDTH)
    sheet.port(f.Direction.INPUT, "x", x)
    sheet.port(f.Direction.OUTPUT, "y", _matrices(sheet, x, (_BATCH, _SEQUENCE)))
    return sheet.save_graph(path)


def graph_of_lookups(path: Path) -> Path:
    """Tables, and integers on their way to them."""
    sheet = _Sheet(_MAXIMA)
    ids = sheet.arena(_BATCH, _SEQUENCE, element=Element.I64)
    sheet.port(f.Direction.INPUT, "ids", ids)
    moved = _moved(sheet, ids, (_BATCH, _SEQUENCE), Element.I64)
    shape = (_BATCH, _SEQUENCE, 8)
    numbers = sheet.emit(Code.TO_FLOAT, [moved], sheet.arena(_BATCH, _SEQUENCE))
    sheet.port(f.Direction.OUTPUT, "numbers", numbers)
    for element in (Element.F32, Element.F32_PACKED, Element.I8_BLOCK_PACKED):
        found = sheet.emit(Code.GATHER, [sheet.weight(21, 8, element), moved], sheet.arena(*shape))
        sheet.port(f.Direction.OUTPUT, element.name, found)
    return sheet.save_graph(path)


def _moved(sheet: _Sheet, x: int, shape: tuple[Dimension, Dimension], element: Element) -> int:
    """x [batch, sequence] turned, with its first column put behind it again and cut off, and turned back."""
    batch, sequence = shape
    turned = sheet.emit(Code.TRANSPOSE, [x], sheet.arena(sequence, batch, element=element), order=0x01)
    longer = sheet.arena(Dimension(1, past=1), batch, element=element)
    first = sheet.emit(Code.SLICE, [turned], sheet.arena(1, batch, element=element), **_start(0))
    sheet.emit(Code.PLACE, [first], longer, **_start(0))
    sheet.emit(Code.PLACE, [turned], longer, **_start(1))
    tail = sheet.emit(Code.SLICE, [longer], sheet.arena(sequence, batch, element=element), **_start(1))
    flat = sheet.emit(Code.RESHAPE, [tail], sheet.arena(sequence, batch, 1, element=element))
    square = sheet.emit(Code.RESHAPE, [flat], sheet.arena(sequence, batch, element=element))
    return sheet.emit(Code.TRANSPOSE, [square], sheet.arena(batch, sequence, element=element), order=0x01)


def _start(constant: int) -> dict[str, int]:
    return {"axis": 0, "start_constant": constant, "start_sequence": 0, "start_past": 0, "start_third": 0}


def graph_of_tensors(path: Path) -> Path:
    """What works on floats of any rank."""
    sheet = _Sheet(_MAXIMA)
    flat = sheet.arena(_BATCH, _SEQUENCE)
    sheet.port(f.Direction.INPUT, "x", flat)
    flat = _moved(sheet, flat, (_BATCH, _SEQUENCE), Element.F32)
    for unary in UnaryFunction:
        flat = sheet.emit(Code.UNARY, [flat], sheet.arena(_BATCH, _SEQUENCE), function=unary)
    row = sheet.weight(1, 6)
    x = sheet.emit(Code.RESHAPE, [flat], sheet.arena(_BATCH, _SEQUENCE, 1))
    for binary in BinaryFunction:
        x = sheet.emit(Code.BINARY, [x, row], sheet.arena(_BATCH, _SEQUENCE, 6), function=binary)
    for reduction in Reduction:
        shape = (1 if reduction % 2 else _BATCH, _SEQUENCE, 1 if reduction > 1 else 6)
        axes = reduction % 2 | 4 * (reduction > 1)
        less = sheet.emit(Code.REDUCE, [x], sheet.arena(*shape), function=reduction, axes=axes)
        x = sheet.emit(Code.WHERE, [x, less, row], sheet.arena(_BATCH, _SEQUENCE, 6))
    sheet.port(f.Direction.OUTPUT, "y", sheet.emit(Code.SOFTMAX, [x], sheet.arena(_BATCH, _SEQUENCE, 6)))
    return sheet.save_graph(path)


def graph_of_attention(path: Path) -> Path:
    """Every row looks at all others, in one operator and taken apart."""
    sheet = _Sheet(_MAXIMA)
    q, k = sheet.arena(_BATCH, _SEQUENCE, 16), sheet.arena(_BATCH, _SEQUENCE, 8)
    sheet.port(f.Direction.INPUT, "q", q)
    sheet.port(f.Direction.INPUT, "k", k)
    turned = sheet.emit(Code.TRANSPOSE, [k], sheet.arena(_BATCH, 8, _SEQUENCE), order=0x120)
    scores = sheet.emit(Code.BATCH_MATMUL, [k, turned], sheet.arena(_BATCH, _SEQUENCE, _SEQUENCE))
    weights = sheet.emit(Code.SOFTMAX, [scores], sheet.arena(_BATCH, _SEQUENCE, _SEQUENCE))
    mixed = sheet.emit(Code.BATCH_MATMUL, [weights, k], sheet.arena(_BATCH, _SEQUENCE, 8))
    shape = {"heads": 4, "key_heads": 2, "head_size": 4}
    y = sheet.emit(Code.ATTEND, [q, k, mixed], sheet.arena(_BATCH, _SEQUENCE, 16), **shape, scale=0.5, cap=3.0)
    sheet.port(f.Direction.OUTPUT, "y", y)
    sheet.arena(f.ROWS_READ_BEYOND, 8)
    return sheet.save_graph(path)


PROGRAMS: dict[str, Callable[[Path], Path]] = {
    "decoder-f32": lambda path: decoder(path, Element.F32),
    "decoder-i8": lambda path: decoder(path, Element.I8_KEPT),
    "graph-of-matrices": graph_of_matrices,
    "graph-of-lookups": graph_of_lookups,
    "graph-of-tensors": graph_of_tensors,
    "graph-of-attention": graph_of_attention,
}
