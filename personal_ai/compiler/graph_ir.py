"""A graph's program while it is being made: operators on tensors of any rank, before anything has a place in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from personal_ai.compiler.format import Code, Element
from personal_ai.compiler.ir import Weight
from personal_ai.compiler.program import Dimension


@dataclass(eq=False, slots=True)
class GraphTensor:
    """A tensor in the arena, or with `weight` among the weights. `alias_of`: the same numbers in another shape."""

    shape: tuple[Dimension, ...]
    element: Element = Element.F32
    weight: Weight | None = None
    alias_of: GraphTensor | None = None

    @property
    def root(self) -> GraphTensor:
        """The tensor that owns the memory."""
        return self if self.alias_of is None else self.alias_of.root


@dataclass(eq=False, slots=True)
class GraphStep:
    """One operator. `node` names the ONNX node that it comes from. PLACE writes only a part of its output."""

    code: Code
    inputs: list[GraphTensor | None]
    output: GraphTensor
    node: str
    attributes: dict[str, int | float] = field(default_factory=dict)

    def reads(self) -> Iterator[GraphTensor]:
        """The roots of what it uses of the arena."""
        for tensor in self.inputs:
            if tensor is not None and tensor.weight is None:
                yield tensor.root


@dataclass(frozen=True, slots=True)
class GraphPort:
    """A named tensor of the graph."""

    name: str
    tensor: GraphTensor
