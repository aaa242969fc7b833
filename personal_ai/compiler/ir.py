"""The program while it is being made: operators on matrices, before anything has a place in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from personal_ai.compiler.format import Code, Element
from personal_ai.compiler.program import Dimension

TOKENS = Dimension(sequence=1)  # the rows of a call: one per token
ONE = Dimension(constant=1)


@dataclass(eq=False, slots=True)
class Activation:
    """A matrix in the arena. A view lies inside `parent`: from its column `first_column`, or reshaped."""

    rows: Dimension
    columns: int
    element: Element = Element.F32
    parent: Activation | None = None
    first_column: int = 0

    @property
    def root(self) -> Activation:
        """The matrix that owns the memory."""
        return self if self.parent is None else self.parent.root


class WeightSource(Protocol):
    """The numbers of a weight, in the bytes of its element's layout."""

    def pieces(self) -> Iterator[bytes]: ...


@dataclass(eq=False, slots=True)
class Weight:
    """A matrix [rows, columns] in the program. Packed weights are [outputs, inputs]."""

    element: Element
    rows: int
    columns: int
    source: WeightSource


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys or values of each position, in the state; `slot` counts those of all layers in order."""

    slot: int
    heads: int
    head_size: int

    @property
    def columns(self) -> int:
        return self.heads * self.head_size


Operand = Activation | Weight | Kept


@dataclass(eq=False, slots=True)
class Step:
    """One operator. `node` names the ONNX node that it comes from."""

    code: Code
    inputs: list[Operand | None]
    output: Activation
    node: str
    attributes: dict[str, int | float] = field(default_factory=dict)

    def reads(self) -> Iterator[Activation]:
        """The roots of the activations that it uses."""
        for operand in self.inputs:
            if isinstance(operand, Activation):
                yield operand.root
