"""Writes and reads program files (docs/formats/program.md)."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.compiler import format as f
from personal_ai.compiler.program import Dimension, Operator, Port, Program, Tensor
from personal_ai.compiler.sizes import round_up, stored_size_bytes

_TABLES_END_MAX = 64 << 20


def tables_size_bytes(program: Program) -> int:
    """Where the weights section begins."""
    return _section_entries(program)[-1][1]


def write_tables(program: Program, file: BinaryIO) -> None:
    """Writes all but the weights' bytes, from where the file stands. Raises FormatError for what does not fit."""
    contents = _contents(program)
    entries = _section_entries(program)
    size_bytes = entries[-1][1] + program.weights_size_bytes
    if size_bytes > f.SIZE_BYTES_MAX:
        raise FormatError(f"The program would take {size_bytes} bytes; a canister addresses {f.SIZE_BYTES_MAX}.")
    start = file.tell()
    file.write(_header(program, size_bytes))
    for kind, offset, length in entries:
        file.write(f.SECTION.layout.pack(kind, offset, length, 0))
    for (_, offset, _), content in zip(entries, contents, strict=False):
        file.write(bytes(start + offset - file.tell()))
        file.write(content)
    file.write(bytes(start + entries[-1][1] - file.tell()))


def read_program(path: Path) -> Program:
    """The tables of a program file, packed or not. The engine checks far more before it runs one.

    Raises FormatError for a file that breaks the format, UnknownVersionError, OSError.
    """
    with path.open("rb") as file:
        data = file.read(_TABLES_END_MAX)
    size_bytes = path.stat().st_size
    try:
        return _parse(*_unpacked_tables(data, size_bytes))
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise FormatError(f"{path.name} is not a whole program file.") from error


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a program that lie together in its file: `size_bytes` of the program, from `program_offset` on."""

    packing: f.Packing
    program_offset: int
    size_bytes: int
    file_offset: int


def read_parts(path: Path) -> list[Part]:
    """Where a program lies in its file, in order; of one that is not packed a single part.

    Raises FormatError for a packed file that breaks the format, OSError.
    """
    with path.open("rb") as file:
        header = file.read(f.PACKED_HEADER.layout.size)
        if header[:8] != f.PACKED_MAGIC:
            return [Part(f.Packing.RAW, 0, path.stat().st_size, 0)]
        parts: list[Part] = []
        end = 0
        try:
            while frame := file.read(f.FRAME.layout.size):
                packing, size_bytes = f.FRAME.layout.unpack(frame)
                parts.append(Part(f.Packing(packing), end, size_bytes, file.tell()))
                end += size_bytes
                file.seek(stored_size_bytes(parts[-1].packing, size_bytes), os.SEEK_CUR)
        except (struct.error, ValueError) as error:
            raise FormatError(f"{path.name} is not a whole program file.") from error
    return parts


def _header(program: Program, size_bytes: int) -> bytes:
    return f.HEADER.layout.pack(
        *f.MAGIC,
        f.VERSION,
        len(f.Section),
        size_bytes,
        program.vocabulary_size,
        program.context_length_max,
        program.sequence_max,
        program.arena_size_bytes,
        program.state_row_size_bytes,
        program.logits,
        program.body_operator_count,
        program.kind,
        *program.symbol_maxima,
    )


def _contents(program: Program) -> list[bytes]:
    """The sections before the weights."""
    dimensions = sorted({dimension for tensor in program.tensors for dimension in tensor.dimensions})
    numbers = {dimension: index for index, dimension in enumerate(dimensions)}
    operands: list[int] = []
    operators: list[bytes] = []
    for operator in program.operators:
        operators.append(_operator(operator, len(operands)))
        operands += (*operator.inputs, *operator.outputs)
    tensors = (_tensor(tensor, numbers) for tensor in program.tensors)
    lengths = (f.DIMENSION.layout.pack(*astuple(item)) for item in dimensions)
    ports = b"".join(_port(port) for port in program.ports)
    tables = (b"".join(lengths), b"".join(tensors), _words(operands), b"".join(operators), _words(program.end_tokens))
    return [*tables, ports]


def _words(values: list[int] | tuple[int, ...]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _section_entries(program: Program) -> list[tuple[int, int, int]]:
    """(kind, offset, size in bytes) of every section, the weights last."""
    offset = f.HEADER.layout.size + len(f.Section) * f.SECTION.layout.size
    entries: list[tuple[int, int, int]] = []
    lengths = (*(len(content) for content in _contents(program)), program.weights_size_bytes)
    for kind, length in zip(f.Section, lengths, strict=True):
        offset = round_up(offset, f.ALIGNMENT_BYTES)
        entries.append((int(kind), offset, length))
        offset += length
    return entries


def _tensor(tensor: Tensor, numbers: dict[Dimension, int]) -> bytes:
    axes = [numbers[dimension] for dimension in tensor.dimensions]
    axes += [0] * (f.RANK_MAX - len(axes))
    rank = len(tensor.dimensions)
    return f.TENSOR.layout.pack(
        tensor.element, tensor.storage, rank, 0, tensor.row_stride_bytes, tensor.offset, 0, *axes
    )


def _port(port: Port) -> bytes:
    """Raises FormatError for a name that is too long."""
    name = port.name.encode()
    if not 0 < len(name) <= f.PORT_NAME_BYTES_MAX:
        raise FormatError(f"A tensor's name must have 1 to {f.PORT_NAME_BYTES_MAX} bytes, unlike {port.name[:80]!r}.")
    return f.PORT.layout.pack(port.direction, len(name), 0, port.tensor, *name.ljust(f.PORT_NAME_BYTES_MAX, b"\0"))


def _operator(operator: Operator, first_operand: int) -> bytes:
    words = bytearray()
    for name, kind in f.SIGNATURES[operator.code].attributes:
        words += struct.pack("<f" if kind == "f32" else "<I", operator.attributes[name])
    words += bytes(4 * f.ATTRIBUTE_COUNT - len(words))
    attributes = struct.unpack(f"<{f.ATTRIBUTE_COUNT}I", words)
    counts = len(operator.inputs), len(operator.outputs)
    return f.OPERATOR.layout.pack(operator.code, *counts, first_operand, *attributes)


def _unpacked_tables(data: bytes, size_bytes: int) -> tuple[bytes, int]:
    """The beginning of the program and its size: what a packed file says before its first packed frame."""
    if data[:8] != f.PACKED_MAGIC:
        return data, size_bytes
    fields = f.PACKED_HEADER.layout.unpack_from(data)
    _expect_version(fields[8], f.PACKED_VERSION)
    start = f.PACKED_HEADER.layout.size
    packing, length = f.FRAME.layout.unpack_from(data, start)
    if packing != f.Packing.RAW:
        raise ValueError
    start += f.FRAME.layout.size
    return data[start : start + length], fields[9]


def _expect_version(version: int, known: int) -> None:
    if version != known:
        raise UnknownVersionError(
            f"This program file is of version {version}; version {known} is known.",
            next_step="Compile the model again.",
        )


def _parse(data: bytes, size_bytes: int) -> Program:
    fields = f.HEADER.layout.unpack_from(data)
    magic, (version, section_count, stated_size, *numbers) = bytes(fields[:8]), fields[8:]
    if magic != f.MAGIC:
        raise ValueError
    _expect_version(version, f.VERSION)
    if section_count != len(f.Section) or stated_size != size_bytes:
        raise ValueError
    sections = [_section(data, size_bytes, kind) for kind in f.Section]
    dimensions = tuple(Dimension(*record) for record in f.DIMENSION.layout.iter_unpack(sections[0]))
    operands = tuple(word for (word,) in struct.iter_unpack("<I", sections[2]))
    return Program(
        vocabulary_size=numbers[0],
        context_length_max=numbers[1],
        sequence_max=numbers[2],
        arena_size_bytes=numbers[3],
        state_row_size_bytes=numbers[4],
        logits=numbers[5],
        body_operator_count=numbers[6],
        tensors=tuple(_read_tensor(record, dimensions) for record in f.TENSOR.layout.iter_unpack(sections[1])),
        operators=tuple(_read_operator(record, operands) for record in f.OPERATOR.layout.iter_unpack(sections[3])),
        kind=f.Kind(numbers[7]),
        symbol_maxima=(numbers[8], numbers[9], numbers[10]),
        ports=tuple(_read_port(record) for record in f.PORT.layout.iter_unpack(sections[5])),
        end_tokens=tuple(word for (word,) in struct.iter_unpack("<I", sections[4])),
        weights_size_bytes=_entry(data, f.Section.WEIGHTS)[1],
    )


def _entry(data: bytes, kind: f.Section) -> tuple[int, int]:
    """Offset and size of a section."""
    place = f.HEADER.layout.size + (kind - 1) * f.SECTION.layout.size
    stated, offset, length, _ = f.SECTION.layout.unpack_from(data, place)
    if stated != kind:
        raise ValueError
    return offset, length


def _section(data: bytes, size_bytes: int, kind: f.Section) -> bytes:
    """A section's bytes; of the weights none."""
    offset, length = _entry(data, kind)
    end = size_bytes if kind is f.Section.WEIGHTS else len(data)
    if offset % f.ALIGNMENT_BYTES or offset + length > end:
        raise ValueError
    return b"" if kind is f.Section.WEIGHTS else data[offset : offset + length]


def _read_tensor(record: tuple[int, ...], dimensions: tuple[Dimension, ...]) -> Tensor:
    element, storage, rank, _, stride, offset, _, *axes = record
    if not 1 <= rank <= f.RANK_MAX:
        raise ValueError
    shape = tuple(dimensions[axis] for axis in axes[:rank])
    return Tensor(f.Element(element), f.Storage(storage), shape, offset, stride)


def _read_port(record: tuple[int, ...]) -> Port:
    direction, length, _, tensor, *name = record
    if not 0 < length <= f.PORT_NAME_BYTES_MAX:
        raise ValueError
    return Port(f.Direction(direction), bytes(name[:length]).decode(), tensor)


def _read_operator(record: tuple[int, ...], operands: tuple[int, ...]) -> Operator:
    number, input_count, output_count, first, *words = record
    code = f.Code(number)
    if first + input_count + output_count > len(operands):
        raise ValueError
    inputs = operands[first : first + input_count]
    outputs = operands[first + input_count : first + input_count + output_count]
    return Operator(code, inputs, outputs, _read_attributes(code, words))


def _read_attributes(code: f.Code, words: list[int]) -> dict[str, int | float]:
    attributes: dict[str, int | float] = {}
    for (name, kind), word in zip(f.SIGNATURES[code].attributes, words, strict=False):
        if kind == "u32":
            attributes[name] = word
            continue
        (number,) = struct.unpack("<f", struct.pack("<I", word))
        if not math.isfinite(number):
            raise ValueError
        attributes[name] = number
    return attributes
