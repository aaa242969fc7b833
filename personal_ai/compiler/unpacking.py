"""The way back: the weights of a program file into the ONNX package that it was compiled from.

A program holds every number of its package, in another order (`packing.py`). Given a package of the same shape, the
compiler plans where each of its tensors lies in the program, and here they are read from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from personal_ai.common.errors import FormatError
from personal_ai.common.jobs import Cancel, Meter
from personal_ai.compiler import format as f
from personal_ai.compiler.compile import plan_of
from personal_ai.compiler.ir import Weight, WeightSource
from personal_ai.compiler.onnx_graph import Array, Int4Matrix, read_onnx
from personal_ai.compiler.packing import Bytes, PackedF32, PackedI4, PackedI8, Rows, ScreenedI8, spans
from personal_ai.compiler.program import Dimension, Program
from personal_ai.compiler.program_file import Part, read_parts, read_program, tables_size_bytes
from personal_ai.compiler.sizes import frames, packed_size_bytes, round_up, row_size_bytes
from personal_ai.compiler.values import BlockMatrix

_Read = Callable[[int], bytes]  # the next so many bytes of the program


def restore_weights(onnx_path: Path, program_path: Path, meter: Meter, cancel: Cancel) -> None:
    """Replaces the numbers of an ONNX package by those of a program made from a package of the same shape.

    Advances `meter` by the bytes read. Raises FormatError where the program is of another shape, ModelObstaclesError,
    Cancelled, OSError. The package is broken while it runs, and after an error.
    """
    program = read_program(program_path)
    graph = read_onnx(onnx_path)
    constants = {name: _writable(value) for name, value in graph.constants.items()}
    plan = plan_of(replace(graph, constants=constants), program.end_tokens, program.context_length_max)
    planned = plan.program([0] * len(plan.weights), 0)
    if _shapes(planned) != _shapes(program):
        raise FormatError("The program was made from a model of another shape, or by another version of the compiler.")
    begin = tables_size_bytes(program)
    offsets = [tensor.offset for tensor in program.tensors if tensor.storage is f.Storage.WEIGHTS]
    parts = read_parts(program_path)
    with program_path.open("rb") as file:

        def seek(program_offset: int) -> None:
            file.seek(_file_offset(parts, program_offset))

        def read(size_bytes: int) -> bytes:
            cancel.raise_if_cancelled()
            piece = file.read(size_bytes)
            if len(piece) != size_bytes:
                raise FormatError("The program is cut short.")
            meter.advance(size_bytes)
            return piece

        for weight, offset in zip(plan.weights, offsets, strict=True):
            seek(begin + offset)
            if isinstance(weight.source, ScreenedI8):
                lower = frames(weight.element, weight.rows, weight.columns)[0][1]
                _unpack_screened(weight.source.matrix, read, partial(seek, begin + offset + lower))
            else:
                _unpack(weight, read)
    for value in constants.values():
        stored = value.packed if isinstance(value, Int4Matrix) else value
        if isinstance(stored, np.memmap):
            stored.flush()
    _replace_inline(onnx_path, constants)


def _file_offset(parts: list[Part], program_offset: int) -> int:
    """Raises FormatError where nothing of the program begins there."""
    for part in parts:
        within = program_offset - part.program_offset
        if within == 0 or (part.packing is f.Packing.RAW and 0 <= within < part.size_bytes):
            return part.file_offset + within
    raise FormatError("The program is cut short.")


def _shapes(program: Program) -> list[tuple[f.Element, tuple[Dimension, ...]]]:
    return [(one.element, one.dimensions) for one in program.tensors if one.storage is f.Storage.WEIGHTS]


def _writable(value: Array | Int4Matrix) -> Array | Int4Matrix:
    """The same tensor, so that what is written into it is written into its file; inline ones are copied."""
    if isinstance(value, Int4Matrix):
        packed = _writable(value.packed)
        assert isinstance(packed, np.ndarray)
        return Int4Matrix(packed.view(np.uint8), value.shape)
    if isinstance(value, np.memmap):
        return np.memmap(str(value.filename), value.dtype, "r+", value.offset, value.shape)
    return np.array(value)


def _replace_inline(onnx_path: Path, constants: dict[str, Array | Int4Matrix]) -> None:
    """Writes the small tensors, which lie in the ONNX file itself."""
    model = onnx.load(onnx_path, load_external_data=False)
    for tensor in model.graph.initializer:
        value = constants[tensor.name]
        if tensor.data_location != onnx.TensorProto.EXTERNAL and isinstance(value, np.ndarray):
            tensor.raw_data = value.tobytes()
    onnx_path.write_bytes(model.SerializeToString(deterministic=True))


def _unpack(weight: Weight, read: _Read) -> None:
    source: WeightSource = weight.source
    if isinstance(source, Rows):
        _unpack_rows(source.array, read)
    elif isinstance(source, PackedF32):
        matrix = source.matrix
        _unpack_f32(matrix.array.T if matrix.transposed else matrix.array, read)
    elif isinstance(source, PackedI8):
        _unpack_i8(source.matrix, read)
    elif isinstance(source, PackedI4):
        _unpack_i4(source.matrix, read)
    else:
        raise FormatError("The program has weights of a kind that cannot be read back.")


def _unpack_rows(array: Array, read: _Read) -> None:
    rows, columns = array.shape
    stride_bytes = row_size_bytes(f.Element.F32, columns)
    for row in range(rows):
        array[row] = np.frombuffer(read(stride_bytes), "<f4")[:columns]


def _unpack_f32(matrix: Array, read: _Read) -> None:
    """`matrix` [inputs, outputs] from groups of four outputs."""
    inputs, outputs = matrix.shape
    for start, stop in spans(outputs, inputs * 4):
        part = np.frombuffer(read(packed_size_bytes(f.Element.F32_PACKED, stop - start, inputs)), "<f4")
        columns = part.reshape(-1, inputs, f.GROUP).transpose(1, 0, 2).reshape(inputs, -1)
        matrix[:, start:stop] = columns[:, : stop - start]


def _unpack_i8(matrix: BlockMatrix, read: _Read) -> None:
    values = matrix.values
    assert isinstance(values, np.ndarray)
    inputs, outputs = values.shape
    blocks = round_up(inputs, f.BLOCK) // f.BLOCK
    for start, stop in spans(outputs, inputs):
        data = read(packed_size_bytes(f.Element.I8_BLOCK_PACKED, stop - start, inputs))
        packed = np.frombuffer(data, np.uint8).reshape(-1, blocks, f.GROUP * (4 + f.BLOCK))
        _unpack_scales(matrix, packed[:, :, : f.GROUP * 4], start, stop)
        pairs = packed[:, :, f.GROUP * 4 :].reshape(-1, blocks, f.BLOCK // 2, f.GROUP, 2)
        rows = pairs.transpose(1, 2, 4, 0, 3).reshape(blocks * f.BLOCK, -1).view(np.int8)
        values[:, start:stop] = rows[:inputs, : stop - start]


def _unpack_i4(matrix: BlockMatrix, read: _Read) -> None:
    values = matrix.values
    assert isinstance(values, Int4Matrix)
    inputs, outputs = values.shape
    codes = np.empty((inputs, outputs), np.uint8)
    for start, stop in spans(outputs, inputs, f.WIDE_GROUP):
        codes[:, start:stop] = _read_halves(matrix, read, start, stop)
    flat = np.append(codes.reshape(-1), np.zeros(codes.size % 2, np.uint8))
    values.packed[:] = flat[::2] | flat[1::2] << np.uint8(4)


def _unpack_screened(matrix: BlockMatrix, read: _Read, seek_lower: Callable[[], None]) -> None:
    values = matrix.values
    assert isinstance(values, np.ndarray)
    inputs, outputs = values.shape
    for start, stop in spans(outputs, inputs, f.WIDE_GROUP):
        values[:, start:stop] = (_read_halves(matrix, read, start, stop) << np.uint8(4)).view(np.int8)
    seek_lower()
    for start, stop in spans(outputs, inputs, f.WIDE_GROUP):
        groups = round_up(stop - start, f.WIDE_GROUP) // f.WIDE_GROUP
        blocks = round_up(inputs, f.BLOCK) // f.BLOCK
        size = f.WIDE_GROUP * f.BLOCK // 2
        packed = np.frombuffer(read(groups * blocks * size), np.uint8).reshape(groups, blocks, size)
        lower = _halves(packed)[:inputs, : stop - start].view(np.int8)
        values[:, start:stop] = np.bitwise_or(values[:, start:stop], lower)


def _read_halves(matrix: BlockMatrix, read: _Read, start: int, stop: int) -> Bytes:
    """The next outputs' scales into the matrix; their codes of 4 bits, [inputs, stop - start]."""
    inputs = matrix.values.shape[0]
    blocks = round_up(inputs, f.BLOCK) // f.BLOCK
    data = read(packed_size_bytes(f.Element.I4_BLOCK_PACKED, stop - start, inputs))
    packed = np.frombuffer(data, np.uint8).reshape(-1, blocks, f.WIDE_GROUP * (4 + f.BLOCK // 2))
    _unpack_scales(matrix, packed[:, :, : f.WIDE_GROUP * 4], start, stop)
    return _halves(packed[:, :, f.WIDE_GROUP * 4 :])[:inputs, : stop - start]


def _halves(packed: Bytes) -> Bytes:
    """Codes [inputs, outputs] of bytes [groups, blocks, ...] that hold two inputs each."""
    groups, blocks = packed.shape[:2]
    pairs = packed.reshape(groups, blocks, f.BLOCK // 2, f.WIDE_GROUP)
    both = np.stack((pairs & np.uint8(0xF), pairs >> np.uint8(4)), axis=3)  # the two inputs of each pair
    return np.ascontiguousarray(both.transpose(1, 2, 3, 0, 4)).reshape(blocks * f.BLOCK, -1)


def _unpack_scales(matrix: BlockMatrix, packed: Array, start: int, stop: int) -> None:
    """`packed`: bytes [groups, blocks, 4 * group]. Blocks of the package that are wider were repeated."""
    blocks = packed.shape[1]
    scales = np.ascontiguousarray(packed).view("<f4").transpose(1, 0, 2).reshape(blocks, -1)
    repeats = matrix.block_size // f.BLOCK
    matrix.scales[:, start:stop] = scales[::repeats, : stop - start]
