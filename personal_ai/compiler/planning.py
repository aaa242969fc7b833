"""Where everything lies: activations in the arena by their lifetimes, kept rows in the state, then the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from personal_ai.compiler import format as f
from personal_ai.compiler.ir import Activation, Kept, Operand, Step, Weight
from personal_ai.compiler.program import Dimension, Operator, Program, Tensor
from personal_ai.compiler.sizes import kept_size_bytes, round_up, row_size_bytes

KEPT_F32_BYTES_MAX = 128 << 20  # a conversation's keys and values: four more fit what the engine sets aside for them


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a program is made for."""

    context_length_max: int
    sequence_max: int
    end_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The steps from `first` to `last` during which `size_bytes` of the arena are taken."""

    first: int
    last: int
    size_bytes: int


def place(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """An offset for each, so that none overlap while both live, and the size of the whole.

    The largest are placed first, each at the lowest offset that is free (greedy by size: Pisarchyk and Lee, 2020).
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    for index in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size_bytes, lifetimes[i].first, i)):
        new = lifetimes[index]
        neighbours = (i for i in placed if lifetimes[i].first <= new.last and new.first <= lifetimes[i].last)
        offset = 0
        for start, end in sorted((offsets[i], offsets[i] + lifetimes[i].size_bytes) for i in neighbours):
            if offset + new.size_bytes <= start:
                break
            offset = max(offset, end)
        offsets[index] = offset
        placed.append(index)
    return offsets, max((offset + life.size_bytes for offset, life in zip(offsets, lifetimes, strict=True)), default=0)


def _kept_element(steps: list[Step], kept: Sequence[Kept], context_length: int) -> f.Element:
    """How keys and values are kept: f32 beside f32 weights where memory allows, else 8 bits where their kernel takes
    the heads (docs/engine-memory.md).
    """
    if any(item.head_size % f.KEPT_HEAD_SIZE_STEP or item.head_size > f.KEPT_HEAD_SIZE_MAX for item in kept):
        return f.Element.F32
    weights = (step.inputs[1] for step in steps if step.code is f.Code.MATMUL)
    quantised = any(isinstance(item, Weight) and item.element in f.INTEGER_WEIGHTS for item in weights)
    position_bytes = sum(kept_size_bytes(f.Element.F32, item.heads, item.head_size) for item in kept)
    fits = context_length * position_bytes <= KEPT_F32_BYTES_MAX
    return f.Element.F32 if fits and not quantised else f.Element.I8_KEPT


class Plan:
    """A program without its weights' bytes: tensors in the order of their first use."""

    def __init__(self, steps: list[Step], logits: Activation, kept: Sequence[Kept], sizes: Sizes) -> None:
        self._steps, self.logits, self._sizes = steps, logits, sizes
        self.kept_element = _kept_element(steps, kept, sizes.context_length_max)
        kept_sizes = [kept_size_bytes(self.kept_element, item.heads, item.head_size) for item in kept]
        self._kept_offsets = [sum(kept_sizes[:slot]) for slot in range(len(kept))]
        self.state_row_size_bytes = round_up(sum(kept_sizes), f.ROW_ALIGNMENT_BYTES)
        self._arena_offsets, self.arena_size_bytes = self._place_activations()
        self.weights: list[Weight] = []
        self._tensors: dict[object, int] = {}
        self._order: list[Operand] = []
        for step in steps:
            for operand in (*step.inputs, step.output):
                if operand is not None:
                    self._number(operand)

    def program(self, weight_offsets: Sequence[int], weights_size_bytes: int) -> Program:
        """The tables, once it is known where each of `weights` lies."""
        places = dict(zip((id(weight) for weight in self.weights), weight_offsets, strict=True))
        return Program(
            vocabulary_size=self.logits.columns,
            context_length_max=self._sizes.context_length_max,
            sequence_max=self._sizes.sequence_max,
            arena_size_bytes=self.arena_size_bytes,
            state_row_size_bytes=self.state_row_size_bytes,
            logits=self._tensors[id(self.logits)],
            body_operator_count=self._body_operator_count(),
            tensors=tuple(self._tensor(operand, places) for operand in self._order),
            operators=tuple(self._operator(step) for step in self._steps),
            end_tokens=self._sizes.end_tokens,
            weights_size_bytes=weights_size_bytes,
        )

    def _number(self, operand: Operand) -> int:
        key = operand if isinstance(operand, Kept) else id(operand)
        if key not in self._tensors:
            self._tensors[key] = len(self._order)
            self._order.append(operand)
            if isinstance(operand, Weight):
                self.weights.append(operand)
        return self._tensors[key]

    def _place_activations(self) -> tuple[dict[int, int], int]:
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        roots: dict[int, Activation] = {}
        for index, step in enumerate(self._steps):
            for root in (*step.reads(), step.output):
                roots[id(root)] = root
                first.setdefault(id(root), index)
                last[id(root)] = index
        last[id(self.logits.root)] = len(self._steps)
        lives = [Lifetime(first[key], last[key], self._size_bytes(root)) for key, root in roots.items()]
        offsets, size_bytes = place(lives)
        return dict(zip(roots, offsets, strict=True)), size_bytes

    def _size_bytes(self, root: Activation) -> int:
        rows = root.rows.at(self._sizes.sequence_max, self._sizes.context_length_max)
        return round_up(rows * row_size_bytes(root.element, root.columns), f.ALIGNMENT_BYTES)

    def _tensor(self, operand: Operand, places: dict[int, int]) -> Tensor:
        if isinstance(operand, Weight):
            stride = row_size_bytes(operand.element, operand.columns) if operand.element is f.Element.F32 else 0
            dimensions = Dimension(operand.rows), Dimension(operand.columns)
            return Tensor(operand.element, f.Storage.WEIGHTS, dimensions, places[id(operand)], stride)
        if isinstance(operand, Kept):
            dimensions = Dimension(self._sizes.context_length_max), Dimension(operand.columns)
            offset = self._kept_offsets[operand.slot]
            return Tensor(self.kept_element, f.Storage.STATE, dimensions, offset, self.state_row_size_bytes)
        root = operand.root
        owner = root if operand.rows == root.rows else operand  # what was reshaped has rows of its own width
        stride = row_size_bytes(owner.element, owner.columns)
        offset = self._arena_offsets[id(root)] + 4 * operand.first_column
        dimensions = operand.rows, Dimension(operand.columns)
        return Tensor(operand.element, f.Storage.ARENA, dimensions, offset, stride)

    def _operator(self, step: Step) -> Operator:
        inputs = tuple(f.NO_OPERAND if operand is None else self._number(operand) for operand in step.inputs)
        return Operator(step.code, inputs, (self._number(step.output),), step.attributes)

    def _body_operator_count(self) -> int:
        """Operators after the last attention serve the logits alone."""
        attentions = [index for index, step in enumerate(self._steps) if step.code is f.Code.ATTENTION]
        return attentions[-1] + 1 if attentions else 0
