"""Writes format.py as Zig, so that compiler and engine cannot disagree.

`python -m personal_ai.compiler.zig_constants` writes engine/src/engine/format.zig; a test checks that it is in step.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from personal_ai.compiler import format as f

TARGET = Path(__file__).parent.parent / "canister" / "engine" / "src" / "engine" / "format.zig"

_ENUMS: tuple[tuple[type[IntEnum], str], ...] = (
    (f.Kind, "u32"),
    (f.Section, "u32"),
    (f.Element, "u8"),
    (f.Storage, "u8"),
    (f.Packing, "u32"),
    (f.Direction, "u8"),
    (f.RowSource, "u32"),
    (f.UnaryFunction, "u32"),
    (f.BinaryFunction, "u32"),
    (f.Reduction, "u32"),
    (f.Code, "u16"),
)


def render() -> str:
    """The text of format.zig."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "//! Written by personal_ai/compiler/zig_constants.py from format.py: change it there."
    yield ""
    for name, text in (("magic", f.MAGIC), ("packed_magic", f.PACKED_MAGIC)):
        yield f"pub const {name} = [8]u8{{ {', '.join(str(byte) for byte in text)} }};"
    for name, value in (
        ("version", f.VERSION),
        ("packed_version", f.PACKED_VERSION),
        ("alignment_bytes", f.ALIGNMENT_BYTES),
        ("row_alignment_bytes", f.ROW_ALIGNMENT_BYTES),
        ("rank_max", f.RANK_MAX),
        ("symbol_count", f.SYMBOL_COUNT),
        ("port_name_bytes_max", f.PORT_NAME_BYTES_MAX),
        ("no_operand", f.NO_OPERAND),
        ("table_length_max", f.TABLE_LENGTH_MAX),
        ("arena_size_bytes_max", f.ARENA_SIZE_BYTES_MAX),
        ("block", f.BLOCK),
        ("group", f.GROUP),
        ("wide_group", f.WIDE_GROUP),
        ("level_max", f.LEVEL_MAX),
        ("state_chunk", f.STATE_CHUNK),
        ("rows_read_beyond", f.ROWS_READ_BEYOND),
        ("kept_head_size_step", f.KEPT_HEAD_SIZE_STEP),
        ("kept_head_size_max", f.KEPT_HEAD_SIZE_MAX),
    ):
        yield f"pub const {name} = {value};"
    for enum, unit in _ENUMS:
        yield from _enum(enum, unit)
    for record in f.RECORDS:
        yield from _record(record)
    for code, signature in f.SIGNATURES.items():
        yield from _attributes(code, signature)
    yield from _signatures()


def _enum(enum: type[IntEnum], unit: str) -> Iterator[str]:
    yield ""
    yield f"pub const {enum.__name__} = enum({unit}) {{"
    for member in enum:
        yield f"    {member.name.lower()} = {member.value},"
    yield "};"


def _record(record: f.Record) -> Iterator[str]:
    yield ""
    yield f"pub const {record.name} = extern struct {{"
    for name, kind in record.fields:
        count, _, unit = kind.rpartition("u")
        yield f"    {name}: {f'[{count}]' if count else ''}u{unit},"
    yield "};"


def _attributes(code: f.Code, signature: f.Signature) -> Iterator[str]:
    if not signature.attributes:
        return
    yield ""
    yield f"pub const {''.join(part.title() for part in code.name.split('_'))}Attributes = extern struct {{"
    for name, kind in signature.attributes:
        yield f"    {name}: {kind},"
    yield "};"


def _signatures() -> Iterator[str]:
    yield ""
    yield "pub const Signature = struct { inputs: u8, outputs: u8, attributes: u8 };"
    yield ""
    yield "pub fn signature(code: Code) Signature {"
    yield "    return switch (code) {"
    for code, shape in f.SIGNATURES.items():
        values = f".inputs = {shape.inputs}, .outputs = {shape.outputs}, .attributes = {len(shape.attributes)}"
        yield f"        .{code.name.lower()} => .{{ {values} }},"
    yield "    };"
    yield "}"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
