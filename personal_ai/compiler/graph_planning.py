"""Where everything of a graph lies: tensors in the arena by their lifetimes, then the tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from personal_ai.compiler import format as f
from personal_ai.compiler.graph_ir import GraphStep, GraphTensor
from personal_ai.compiler.graph_lowering import LoweredGraph
from personal_ai.compiler.ir import Weight
from personal_ai.compiler.planning import Lifetime, place
from personal_ai.compiler.program import Operator, Port, Program, Tensor
from personal_ai.compiler.sizes import round_up, row_size_bytes

_BEFORE_ALL = -1  # when inputs are written


class GraphPlan:
    """A graph's program without its weights' bytes. Inputs live from the beginning, outputs to the end."""

    def __init__(self, lowered: LoweredGraph, symbol_maxima: Sequence[int]) -> None:
        self._lowered = lowered
        padded = (*symbol_maxima, *([0] * (f.SYMBOL_COUNT - len(symbol_maxima))))
        self._maxima = (padded[0], padded[1], padded[2])
        self._numbers: dict[int, int] = {}
        self._order: list[GraphTensor] = []
        for tensor in self._all_tensors():
            self._number(tensor)
        self.weights: list[Weight] = list({id(t.weight): t.weight for t in self._order if t.weight}.values())
        self._arena_offsets, self.arena_size_bytes = self._place()

    def program(self, weight_offsets: Sequence[int], weights_size_bytes: int) -> Program:
        """The tables, once it is known where each of `weights` lies."""
        places = dict(zip((id(weight) for weight in self.weights), weight_offsets, strict=True))
        ports = [Port(f.Direction.INPUT, port.name, self._number(port.tensor)) for port in self._lowered.inputs]
        ports += [Port(f.Direction.OUTPUT, port.name, self._number(port.tensor)) for port in self._lowered.outputs]
        return Program(
            vocabulary_size=0,
            context_length_max=0,
            sequence_max=0,
            arena_size_bytes=self.arena_size_bytes,
            state_row_size_bytes=0,
            logits=0,
            body_operator_count=0,
            tensors=tuple(self._tensor(tensor, places) for tensor in self._order),
            operators=tuple(self._operator(step) for step in self._lowered.steps),
            end_tokens=(),
            weights_size_bytes=weights_size_bytes,
            kind=f.Kind.GRAPH,
            symbol_maxima=self._maxima,
            ports=tuple(ports),
        )

    def _all_tensors(self) -> list[GraphTensor]:
        used = [port.tensor for port in (*self._lowered.inputs, *self._lowered.outputs)]
        for step in self._lowered.steps:
            used += [tensor for tensor in (*step.inputs, step.output) if tensor is not None]
        return used

    def _number(self, tensor: GraphTensor) -> int:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = len(self._order)
            self._order.append(tensor)
        return self._numbers[id(tensor)]

    def _place(self) -> tuple[dict[int, int], int]:
        steps = self._lowered.steps
        roots = {id(tensor.root): tensor.root for tensor in self._order if tensor.weight is None}
        first: dict[int, int] = {id(port.tensor.root): _BEFORE_ALL for port in self._lowered.inputs}
        last: dict[int, int] = dict.fromkeys(first, _BEFORE_ALL)
        for index, step in enumerate(steps):
            for root in (*step.reads(), step.output.root):
                first.setdefault(id(root), index)
                last[id(root)] = index
        for port in self._lowered.outputs:
            last[id(port.tensor.root)] = len(steps)
        lives = [Lifetime(first[key], last[key], self._size_bytes(root)) for key, root in roots.items()]
        offsets, size_bytes = place(lives)
        return dict(zip(roots, offsets, strict=True)), size_bytes + self._read_beyond(steps)

    def _read_beyond(self, steps: Sequence[GraphStep]) -> int:
        """Bytes behind the arena's last tensor that ATTEND may read, without using them."""
        keys = (step.inputs[1] for step in steps if step.code is f.Code.ATTEND)
        return f.ROWS_READ_BEYOND * max((self._stride(tensor) for tensor in keys if tensor is not None), default=0)

    def _size_bytes(self, root: GraphTensor) -> int:
        rows = prod(length.at(*self._maxima) for length in root.shape[:-1])
        return round_up(rows * self._stride(root), f.ALIGNMENT_BYTES)

    def _stride(self, tensor: GraphTensor) -> int:
        """Bytes from a row to the next, the same in every call."""
        if tensor.element not in (f.Element.F32, f.Element.I16_BLOCK, f.Element.I64):
            return 0
        return row_size_bytes(tensor.element, tensor.shape[-1].at(*self._maxima))

    def _tensor(self, tensor: GraphTensor, places: dict[int, int]) -> Tensor:
        stride = self._stride(tensor)
        if tensor.weight is not None:
            return Tensor(tensor.element, f.Storage.WEIGHTS, tensor.shape, places[id(tensor.weight)], stride)
        offset = self._arena_offsets[id(tensor.root)]
        return Tensor(tensor.element, f.Storage.ARENA, tensor.shape, offset, stride)

    def _operator(self, step: GraphStep) -> Operator:
        inputs = tuple(f.NO_OPERAND if tensor is None else self._number(tensor) for tensor in step.inputs)
        return Operator(step.code, inputs, (self._number(step.output),), step.attributes)
