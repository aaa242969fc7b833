"""What an encoder is, whatever checkpoint it came from: sizes, pooling, and the names of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from personal_ai.models.decoder import Activation, Weight

Pooling = Literal["mean", "first"]


@dataclass(frozen=True, slots=True)
class Encoder:
    """One BERT-like transformer (Devlin et al., 2018): every token sees all others, norms stand behind each part.

    context_length: the most tokens of a text. first_position: the row of the position table that the first token has
    (RoBERTa's begin behind its padding token). token_types: rows of the table of token types (0: none). pooling: how
    the tokens' vectors become one. unit_length: whether that is brought to length 1.
    """

    architecture: str
    vocabulary_size: int
    hidden_size: int
    layer_count: int
    head_count: int
    intermediate_size: int
    context_length: int
    first_position: int
    token_types: int
    norm_epsilon: float
    activation: Activation
    pooling: Pooling
    unit_length: bool


def weights(encoder: Encoder) -> Iterator[Weight]:
    """Every weight that the checkpoint must hold, in the order in which the graph uses them."""
    hidden, inner = encoder.hidden_size, encoder.intermediate_size
    yield Weight("embed.weight", "embedding", (encoder.vocabulary_size, hidden))
    yield Weight("position.weight", "table", (encoder.first_position + encoder.context_length, hidden))
    if encoder.token_types:
        yield Weight("token_type.weight", "table", (encoder.token_types, hidden))
    yield from _norm("embed.norm", hidden)
    for layer in range(encoder.layer_count):
        for part in "qkvo":
            yield from _linear(f"layers.{layer}.attention.{part}", hidden, hidden)
        yield from _norm(f"layers.{layer}.attention.norm", hidden)
        yield from _linear(f"layers.{layer}.mlp.up", hidden, inner)
        yield from _linear(f"layers.{layer}.mlp.down", inner, hidden)
        yield from _norm(f"layers.{layer}.mlp.norm", hidden)


def _norm(name: str, size: int) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", "vector", (size,))
    yield Weight(f"{name}.bias", "vector", (size,))


def _linear(name: str, inputs: int, outputs: int) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", "matrix", (inputs, outputs))
    yield Weight(f"{name}.bias", "vector", (outputs,))
