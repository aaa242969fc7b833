"""Writes a planned program, packed where weights take less room in the file than in the heap
(docs/formats/program.md).
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from personal_ai.common.errors import FormatError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.compiler import format as f
from personal_ai.compiler.graph_planning import GraphPlan
from personal_ai.compiler.ir import Weight
from personal_ai.compiler.planning import Plan
from personal_ai.compiler.program import Program
from personal_ai.compiler.program_file import tables_size_bytes, write_tables
from personal_ai.compiler.sizes import frames, packed_size_bytes, round_up, row_size_bytes, stored_size_bytes


def weight_size_bytes(weight: Weight) -> int:
    """What the weight takes in the heap."""
    if weight.element is f.Element.F32:
        return weight.rows * row_size_bytes(weight.element, weight.columns)
    return packed_size_bytes(weight.element, weight.rows, weight.columns)


def weights_size_bytes(plan: Plan | GraphPlan) -> int:
    """Of the weights section, with no weight stored twice."""
    end = 0
    for weight in plan.weights:
        end = round_up(end, f.ALIGNMENT_BYTES) + weight_size_bytes(weight)
    return end


def file_size_bytes(plan: Plan | GraphPlan) -> int:
    """What `write_file` will write, with no weight stored twice."""
    tables_size = tables_size_bytes(plan.program([0] * len(plan.weights), 0))
    if not _is_packed(plan):
        return tables_size + weights_size_bytes(plan)
    size = f.PACKED_HEADER.layout.size + f.FRAME.layout.size + tables_size
    end = 0
    for weight in plan.weights:
        gap = -end % f.ALIGNMENT_BYTES
        size += gap + _file_size_bytes(weight) + f.FRAME.layout.size * (len(_parts(weight)) + bool(gap))
        end += gap + weight_size_bytes(weight)
    return size


def write_file(plan: Plan | GraphPlan, file: BinaryIO, on_progress: ProgressCallback, cancel: Cancel) -> Program:
    """Writes the weights, each number once (a tied head is the embedding), then the tables before them.

    Raises FormatError, Cancelled, OSError.
    """
    meter = Meter("Compiling the model", sum(map(_file_size_bytes, plan.weights)), "bytes", on_progress)
    frames = _Frames(file, packed=_is_packed(plan))
    tables_size = tables_size_bytes(plan.program([0] * len(plan.weights), 0))
    tables_begin = frames.begin(f.Packing.RAW, tables_size)
    file.seek(tables_begin + tables_size)
    known: dict[tuple[f.Element, int, int, bytes], int] = {}
    offsets: list[int] = []
    end = 0
    for weight in plan.weights:
        place = file.tell()
        offset = round_up(end, f.ALIGNMENT_BYTES)
        digest = _write_weight(weight, offset - end, frames, meter, cancel)
        key = weight.element, weight.rows, weight.columns, digest
        if key in known:
            file.seek(place)
        else:
            end = offset + weight_size_bytes(weight)
        offsets.append(known.setdefault(key, offset))
    file.truncate()
    program = plan.program(offsets, end)
    frames.finish(tables_size + end)
    file.seek(tables_begin)
    write_tables(program, file)
    return program


class _Frames:
    """Says before each piece of the program how it is packed; nothing in a file where none is."""

    def __init__(self, file: BinaryIO, *, packed: bool) -> None:
        self.file = file
        self._packed = packed
        if packed:
            file.seek(f.PACKED_HEADER.layout.size)

    def begin(self, packing: f.Packing, program_size_bytes: int) -> int:
        """Where in the file the piece's bytes go."""
        if self._packed and program_size_bytes:
            self.file.write(f.FRAME.layout.pack(packing, program_size_bytes))
        return self.file.tell()

    def finish(self, program_size_bytes: int) -> None:
        if self._packed:
            self.file.seek(0)
            self.file.write(f.PACKED_HEADER.layout.pack(*f.PACKED_MAGIC, f.PACKED_VERSION, program_size_bytes))


def _write_weight(weight: Weight, gap_bytes: int, frames: _Frames, meter: Meter, cancel: Cancel) -> bytes:
    """Writes a weight's bytes after a gap and returns their hash. Raises FormatError when they are not as many as
    planned.
    """
    frames.begin(f.Packing.RAW, gap_bytes)
    frames.file.write(bytes(gap_bytes))
    digest = hashlib.sha256()
    pieces = weight.source.pieces()
    for packing, size_bytes in _parts(weight):
        frames.begin(packing, size_bytes)
        left = stored_size_bytes(packing, size_bytes)
        while left > 0:
            piece = next(pieces, b"")
            left -= len(piece)
            if not piece or left < 0:
                raise FormatError("A weight of the model does not have the size that its shape says.")
            cancel.raise_if_cancelled()
            digest.update(piece)
            frames.file.write(piece)
            meter.advance(len(piece))
    if next(pieces, b""):
        raise FormatError("A weight of the model does not have the size that its shape says.")
    return digest.digest()


def _parts(weight: Weight) -> tuple[tuple[f.Packing, int], ...]:
    """The packing of each part of a weight, and its bytes in the program."""
    if weight.element is f.Element.F32:
        return ((f.Packing.RAW, weight_size_bytes(weight)),)
    return frames(weight.element, weight.rows, weight.columns)


def _is_packed(plan: Plan | GraphPlan) -> bool:
    return any(packing is not f.Packing.RAW for weight in plan.weights for packing, _ in _parts(weight))


def _file_size_bytes(weight: Weight) -> int:
    return sum(stored_size_bytes(packing, size_bytes) for packing, size_bytes in _parts(weight))
