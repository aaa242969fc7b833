"""What the compiler knows of a tensor of the ONNX graph, before the graph runs."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.compiler.affine import Affine
from personal_ai.compiler.graph_ir import GraphTensor
from personal_ai.compiler.ir import Activation, Kept
from personal_ai.compiler.obstacles import NodeRefused
from personal_ai.compiler.onnx_graph import Array, Int4Matrix

Shape = tuple[Affine, ...]


@dataclass(frozen=True, slots=True)
class Floats:
    """f32 numbers that the program computes. The matrix has all axes but the last as its rows."""

    shape: Shape
    activation: Activation


@dataclass(frozen=True, slots=True)
class Constant:
    """An initialiser. `transposed`: to be read as its transpose (of a matrix)."""

    array: Array
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[::-1] if self.transposed else self.array.shape


@dataclass(frozen=True, slots=True)
class Int4Constant:
    """An initialiser of 4-bit integers."""

    matrix: Int4Matrix


@dataclass(frozen=True, slots=True)
class BlockMatrix:
    """A matrix [inputs, outputs] of integers with one scale per `block_size` inputs, [blocks, outputs]."""

    values: Array | Int4Matrix
    scales: Array
    block_size: int


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers that are known: a scalar or short vector as its `items`, anything else as a formula in the axes."""

    shape: Shape
    content: tuple[Affine, ...] | Affine

    @property
    def items(self) -> tuple[Affine, ...]:
        """Raises NodeRefused where they are not single."""
        if isinstance(self.content, Affine):
            raise NodeRefused("a list of lengths was expected here")
        return self.content

    @property
    def formula(self) -> Affine:
        """Raises NodeRefused for a list of several numbers."""
        if isinstance(self.content, Affine):
            return self.content
        if len(self.content) != 1:
            raise NodeRefused("a list of numbers stands where one number or a range was expected")
        return self.content[0]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The items, where the call's sizes do not matter. Raises NodeRefused."""
        if any(not item.is_constant for item in self.items):
            raise NodeRefused("a number that was expected to be fixed depends on the length of the call")
        return tuple(item.constant for item in self.items)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token ids of the call."""

    shape: Shape


@dataclass(frozen=True, slots=True)
class GatheredRows:
    """Rows of an int8 table or of its scales, chosen by the tokens: half of an embedding."""

    table: Array
    shape: Shape


@dataclass(frozen=True, slots=True)
class Condition:
    """True where every one of `below_or_zero` is <= 0."""

    shape: Shape
    below_or_zero: frozenset[Affine]


@dataclass(frozen=True, slots=True)
class Past:
    """Keys or values of the positions before this call, [1, heads, past, size]; `slot` counts them all in order."""

    slot: int
    shape: Shape

    @property
    def kept(self) -> Kept:
        return Kept(self.slot, heads=self.shape[1].constant, head_size=self.shape[3].constant)


@dataclass(frozen=True, slots=True)
class Present:
    """What an Attention makes of `Past`: longer by this call."""

    slot: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a graph computes or is given: f32 or i64, of any rank."""

    shape: Shape
    tensor: GraphTensor


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Rows of an int8 table or of its scales, chosen by what a graph computes: half of an embedding."""

    table: Array
    indices: Numbers


@dataclass(frozen=True, slots=True)
class Unknown:
    """Follows from a node that was refused: what uses it is not reported again."""


Value = (
    Floats
    | Constant
    | Int4Constant
    | BlockMatrix
    | Integers
    | Tokens
    | GatheredRows
    | Condition
    | Past
    | Present
    | Numbers
    | LookedUp
    | Unknown
)
