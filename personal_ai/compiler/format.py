"""The program format: what the compiler writes and the engine runs (docs/formats/program.md).

This file is its one definition. Records are little-endian structs of the fields named here; `zig_constants.py` writes
the same definition as Zig, `program_file.py` writes and reads files. `program.py` is a program in memory, `sizes.py`
what its tensors take.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"PAIPROG\x00"
VERSION = 3
PACKED_MAGIC = b"PAIPACK\x00"
PACKED_VERSION = 1
ALIGNMENT_BYTES = 64  # of every section and every weight
ROW_ALIGNMENT_BYTES = 16  # of every row of activations and state: one vector of four f32
RANK_MAX = 8
SYMBOL_COUNT = 3  # lengths that a call of a graph may choose
PORT_NAME_BYTES_MAX = 56
ATTRIBUTE_COUNT = 8  # 32-bit words in an operator's record
NO_OPERAND = 0xFFFF_FFFF  # an optional input that is not there
TABLE_LENGTH_MAX = 1 << 20  # records in any one table
ARENA_SIZE_BYTES_MAX = 1 << 30
SIZE_BYTES_MAX = 0xFFFF_FFFF  # of a program, its arena and its state: each must fit 32-bit addresses

BLOCK = 64  # inputs that share one weight scale, and one activation scale
GROUP = 4  # outputs that lie together: the lanes of one vector
WIDE_GROUP = 16  # those of 4-bit weights: the lanes of a vector of bytes
LEVEL_MAX = 32767  # greatest quantised activation
STATE_CHUNK = 16  # positions that attention reads at once
ROWS_READ_BEYOND = 3  # by ATTEND, behind the keys and values: never used
KEPT_HEAD_SIZE_STEP = 8  # I8_KEPT takes heads of multiples of this ...
KEPT_HEAD_SIZE_MAX = 256  # ... and no larger


class Kind(IntEnum):
    """What a program is: a decoder that continues tokens, or a graph from named tensors to named tensors."""

    DECODER = 1
    GRAPH = 2


class Section(IntEnum):
    """The parts of a program file, in their order; each is there exactly once."""

    DIMENSIONS = 1
    TENSORS = 2
    OPERANDS = 3
    OPERATORS = 4
    END_TOKENS = 5
    PORTS = 6
    WEIGHTS = 7


class Element(IntEnum):
    """What a tensor holds and how it lies in memory."""

    F32 = 1  # rows of f32
    I16_BLOCK = 2  # quantised activations: rows of i16, then one f32 scale per block of 64
    F32_PACKED = 3  # weights [outputs, inputs] in groups of four outputs
    I8_BLOCK_PACKED = 4  # int8 weights [outputs, inputs] in groups of four outputs, one f32 scale per block of 64
    I8_KEPT = 5  # keys or values in groups of four positions, one f32 scale per head and position
    I4_BLOCK_PACKED = 6  # int4 weights [outputs, inputs] in groups of 16 outputs, one f32 scale per block of 64
    I64 = 7  # rows of i64; graphs only
    I4_BLOCK_BYTES = 8  # the same with a byte for each weight: larger, and a third faster
    I8_SCREENED = 9  # int8 weights of a head, upper and lower halves apart: exact for the greatest results, else rough


# They take quantised activations.
INTEGER_WEIGHTS = frozenset(
    (Element.I8_BLOCK_PACKED, Element.I4_BLOCK_PACKED, Element.I4_BLOCK_BYTES, Element.I8_SCREENED)
)


# Bytes of a block of one output.
class Storage(IntEnum):
    """Where a tensor lies."""

    ARENA = 1  # activations: `offset` from the arena's start
    WEIGHTS = 2  # in the program: `offset` from the start of the weights section
    STATE = 3  # keys and values: `offset` in the row that each position has


class Packing(IntEnum):
    """How a frame of a packed file becomes bytes of the program."""

    RAW = 1  # as they are
    I4_BLOCKS = 2  # blocks of I4_BLOCK_PACKED become those of I4_BLOCK_BYTES


class Direction(IntEnum):
    """Which way a graph's named tensor goes."""

    INPUT = 1
    OUTPUT = 2


class RowSource(IntEnum):
    """What chooses the rows that ROWS looks up."""

    TOKENS = 0
    POSITIONS = 1


class UnaryFunction(IntEnum):
    """Functions of one number, of UNARY."""

    RELU = 0
    NEGATIVE = 1
    MAGNITUDE = 2
    SQUARE_ROOT = 3
    RECIPROCAL = 4
    EXPONENTIAL = 5
    ERF = 6


class BinaryFunction(IntEnum):
    """Functions of two numbers, of BINARY. Comparisons give 1 or 0."""

    ADD = 0
    SUBTRACT = 1
    MULTIPLY = 2
    DIVIDE = 3
    GREATER_OF = 4
    LESSER_OF = 5
    EQUAL = 6
    LESS = 7
    LESS_OR_EQUAL = 8


class Reduction(IntEnum):
    """What REDUCE makes of many numbers."""

    SUM = 0
    MEAN = 1
    GREATEST = 2
    LEAST = 3
    LENGTH = 4  # the root of the sum of squares


class Code(IntEnum):
    """Operators; see docs/formats/program.md for each. Those up to TANH work on matrices [rows, columns] (all axes but
    the last are rows), the others on tensors of any rank and in graphs only.
    """

    ROWS = 1
    QUANTISE = 2
    MATMUL = 3
    RMS_NORM = 4
    LAYER_NORM = 5
    ROTARY = 6
    ATTENTION = 7
    ADD = 8
    MULTIPLY = 9
    SIGMOID = 10
    SILU = 11
    SILU_MULTIPLY = 12
    GELU_ERF = 13
    GELU_TANH = 14
    LAST_ROW = 15
    TANH = 16
    GATHER = 17
    TO_FLOAT = 18
    TRANSPOSE = 19
    SLICE = 20
    PLACE = 21
    RESHAPE = 22
    UNARY = 23
    BINARY = 24
    WHERE = 25
    REDUCE = 26
    SOFTMAX = 27
    BATCH_MATMUL = 28
    ATTEND = 29


@dataclass(frozen=True, slots=True)
class Signature:
    """The shape of an operator's record: numbers of inputs and outputs, and its attributes as (name, u32 or f32)."""

    inputs: int
    outputs: int
    attributes: tuple[tuple[str, str], ...] = ()


_START = tuple((f"start_{part}", "u32") for part in ("constant", "sequence", "past", "third"))

SIGNATURES: dict[Code, Signature] = {
    Code.ROWS: Signature(1, 1, (("source", "u32"),)),
    Code.QUANTISE: Signature(1, 1),
    Code.MATMUL: Signature(3, 1),
    Code.RMS_NORM: Signature(2, 1, (("epsilon", "f32"),)),
    Code.LAYER_NORM: Signature(3, 1, (("epsilon", "f32"),)),
    Code.ROTARY: Signature(3, 1, (("heads", "u32"), ("head_size", "u32"))),
    Code.ATTENTION: Signature(
        5,
        1,
        (
            ("heads", "u32"),
            ("key_heads", "u32"),
            ("head_size", "u32"),
            ("window", "u32"),
            ("scale", "f32"),
            ("cap", "f32"),
        ),
    ),
    Code.ADD: Signature(2, 1),
    Code.MULTIPLY: Signature(2, 1),
    Code.SIGMOID: Signature(1, 1),
    Code.SILU: Signature(1, 1),
    Code.SILU_MULTIPLY: Signature(2, 1),
    Code.GELU_ERF: Signature(1, 1),
    Code.GELU_TANH: Signature(1, 1),
    Code.LAST_ROW: Signature(1, 1),
    Code.TANH: Signature(1, 1),
    Code.GATHER: Signature(2, 1),
    Code.TO_FLOAT: Signature(1, 1),
    Code.TRANSPOSE: Signature(1, 1, (("order", "u32"),)),
    Code.SLICE: Signature(1, 1, (("axis", "u32"), *_START)),
    Code.PLACE: Signature(1, 1, (("axis", "u32"), *_START)),
    Code.RESHAPE: Signature(1, 1),
    Code.UNARY: Signature(1, 1, (("function", "u32"),)),
    Code.BINARY: Signature(2, 1, (("function", "u32"),)),
    Code.WHERE: Signature(3, 1),
    Code.REDUCE: Signature(1, 1, (("function", "u32"), ("axes", "u32"))),
    Code.SOFTMAX: Signature(1, 1),
    Code.BATCH_MATMUL: Signature(2, 1),
    Code.ATTEND: Signature(
        3, 1, (("heads", "u32"), ("key_heads", "u32"), ("head_size", "u32"), ("scale", "f32"), ("cap", "f32"))
    ),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A fixed struct: (name, type) with u8, u16, u32 or arrays of them as "8u16"."""

    name: str
    fields: tuple[tuple[str, str], ...]

    @property
    def layout(self) -> struct.Struct:
        codes = {"u8": "B", "u16": "H", "u32": "I"}
        parts = []
        for _, kind in self.fields:
            count, _, unit = kind.rpartition("u")
            parts.append(f"{count}{codes['u' + unit]}")
        return struct.Struct("<" + "".join(parts))


HEADER = Record(
    "Header",
    (
        ("magic", "8u8"),
        ("version", "u32"),
        ("section_count", "u32"),
        ("size_bytes", "u32"),
        ("vocabulary_size", "u32"),
        ("context_length_max", "u32"),
        ("sequence_max", "u32"),
        ("arena_size_bytes", "u32"),
        ("state_row_size_bytes", "u32"),
        ("logits", "u32"),
        ("body_operator_count", "u32"),
        ("kind", "u32"),
        ("symbol_maxima", f"{SYMBOL_COUNT}u32"),
    ),
)
SECTION = Record("SectionEntry", (("kind", "u32"), ("offset", "u32"), ("size_bytes", "u32"), ("reserved", "u32")))
DIMENSION = Record("Dimension", (("constant", "u32"), ("sequence", "u32"), ("past", "u32"), ("third", "u32")))
TENSOR = Record(
    "Tensor",
    (
        ("element", "u8"),
        ("storage", "u8"),
        ("rank", "u8"),
        ("reserved", "u8"),
        ("row_stride_bytes", "u32"),
        ("offset", "u32"),
        ("reserved_2", "u32"),
        ("dimensions", "8u16"),
    ),
)
OPERATOR = Record(
    "Operator",
    (
        ("code", "u16"),
        ("input_count", "u8"),
        ("output_count", "u8"),
        ("first_operand", "u32"),
        ("attributes", f"{ATTRIBUTE_COUNT}u32"),
    ),
)
PORT = Record(
    "Port",
    (
        ("direction", "u8"),
        ("name_length", "u8"),
        ("reserved", "u16"),
        ("tensor", "u32"),
        ("name", f"{PORT_NAME_BYTES_MAX}u8"),
    ),
)
PACKED_HEADER = Record("PackedHeader", (("magic", "8u8"), ("version", "u32"), ("program_size_bytes", "u32")))
FRAME = Record("Frame", (("packing", "u32"), ("program_size_bytes", "u32")))
RECORDS = (HEADER, SECTION, DIMENSION, TENSOR, OPERATOR, PORT, PACKED_HEADER, FRAME)
