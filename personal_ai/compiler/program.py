"""A program as an object: its tensors, operators and ports (docs/formats/program.md), without the weights' bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from personal_ai.compiler.format import GROUP, STATE_CHUNK, Code, Direction, Element, Kind, Storage
from personal_ai.compiler.sizes import round_up


@dataclass(frozen=True, slots=True, order=True)
class Dimension:
    """A length that may depend on the call: constant + sequence * (tokens of the call) + past * (tokens before).

    In a graph the three factors go with its symbols, in their order.
    """

    constant: int = 0
    sequence: int = 0
    past: int = 0
    third: int = 0

    def at(self, sequence: int, past: int, third: int = 0) -> int:
        return self.constant + self.sequence * sequence + self.past * past + self.third * third


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the program stores it. `row_stride_bytes` is the distance of two rows (0 where packed)."""

    element: Element
    storage: Storage
    dimensions: tuple[Dimension, ...]
    offset: int
    row_stride_bytes: int


@dataclass(frozen=True, slots=True)
class Operator:
    """One step. Inputs and outputs are indices of tensors; an input that is not there is NO_OPERAND."""

    code: Code
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: dict[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Port:
    """A named tensor that comes into a graph or goes out of it."""

    direction: Direction
    name: str
    tensor: int


@dataclass(frozen=True, slots=True)
class Program:
    """Everything of a program but the weights' bytes. A graph has zeros in what is a decoder's alone.

    symbol_maxima: of a graph, the greatest value of each symbol (0: it has none). logits: the tensor [1, vocabulary]
    that `forward` answers. body_operator_count: the operators before this one write the state; those from it on serve
    the logits only. weights_size_bytes: of the weights section.
    """

    vocabulary_size: int
    context_length_max: int
    sequence_max: int
    arena_size_bytes: int
    state_row_size_bytes: int
    logits: int
    body_operator_count: int
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    end_tokens: tuple[int, ...]
    weights_size_bytes: int
    kind: Kind = Kind.DECODER
    symbol_maxima: tuple[int, int, int] = (0, 0, 0)
    ports: tuple[Port, ...] = ()

    @property
    def state_size_bytes(self) -> int:
        """Keys and values of the longest context, and of the positions beyond it that may be read (never used)."""
        return round_up(self.context_length_max + GROUP - 1, STATE_CHUNK) * self.state_row_size_bytes
